package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/frontend/ipp/discovery"
)

// announceIPP announces the printers by DNS-SD until ctx ends, if the configuration says so.
func (h *Host) announceIPP(ctx context.Context, f *ippFrontend) error {
	if f == nil || len(f.listeners) == 0 || !h.cfg.IPP.Discovery {
		return nil
	}
	places, err := f.places()
	if err == nil && len(places) == 0 {
		err = errors.New("no address of IPP is one that other machines can reach")
	}
	if err != nil {
		h.notAnnounced(err)
		return nil
	}
	a := discovery.New(discovery.Config{
		Responder: discovery.Avahi{}, Places: places, Logger: h.cfg.Logger.Named("discovery"), Trouble: h.notAnnounced,
		Printers: func(host string) []discovery.Printer { return f.server.Announced(host, places[0].Port) },
	})
	var follower sync.WaitGroup
	following, stop := context.WithCancel(ctx)
	follower.Go(func() {
		filter := eventlog.Filter{IDs: []eventlog.ID{eventlog.PrinterAdded, eventlog.PrinterChanged, eventlog.PrinterDeleted}, AfterSeq: h.events.Last()}
		for range h.events.Follow(following, filter) {
			a.Changed()
		}
	})
	h.awaitReadyOr(ctx)
	a.Run(ctx)
	stop()
	follower.Wait()
	return nil
}

// awaitReadyOr waits until the host answers, or ctx ends.
func (h *Host) awaitReadyOr(ctx context.Context) {
	select {
	case <-h.ready:
	case <-ctx.Done():
	}
}

// places are where others reach the printers.
func (f *ippFrontend) places() ([]discovery.Place, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var addrs []net.Addr
	for _, l := range f.listeners {
		addrs = append(addrs, l.Addr())
	}
	return discovery.Places(addrs, interfaces, func(i net.Interface) ([]net.Addr, error) { return i.Addrs() }), nil
}

// notAnnounced tells that print dialogs do not find the printers by themselves.
func (h *Host) notAnnounced(err error) {
	text := fmt.Sprintf("printers are not announced by DNS-SD: %v; printing by address works. Discovery needs avahi-daemon and D-Bus on this machine", err)
	h.cfg.Logger.Warn(text)
	h.events.Add(eventlog.Event{ID: eventlog.NotAnnounced, Severity: eventlog.Warning, Object: eventlog.Host, Text: text})
}
