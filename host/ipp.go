package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/frontend/access"
	"github.com/spoolhost/spoolhost/host/frontend/ipp"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// IPP says how a host serves the Internet Printing Protocol. The zero value is not at all.
type IPP struct {
	// Listen are addresses "HOST:PORT".
	Listen []string
	// Optional does without an address that is taken, and says so.
	Optional bool
	// Users is the file of accounts with passwords; empty for none.
	Users string
	// Anonymous says from where a caller may come who proves nothing; empty is this machine.
	Anonymous ipp.Anonymous
	// Names are further names of this host.
	Names []string
	// TLS, if not nil, lets clients speak TLS too.
	TLS *IPPTLS
	// Discovery announces the printers by DNS-SD.
	Discovery bool
	// Limits bound what clients may cost.
	Limits ipp.Limits
}

// IPPTLS are the files of TLS. Without a certificate the host makes one and keeps it.
type IPPTLS struct {
	Certificate, Key string
	// ClientCA, if not empty, holds the authorities whose certificates prove who calls.
	ClientCA string
}

// check refuses what nobody could use or everybody could.
func (c IPP) check() error {
	switch c.Anonymous {
	case "", ipp.AnonymousLoopback, ipp.AnonymousNetwork, ipp.AnonymousNone:
	default:
		return spoolerr.New(spoolerr.Invalid, 0, "ipp: anonymous = %q is unknown; use loopback, network or none", c.Anonymous)
	}
	reached := false
	for _, addr := range c.Listen {
		name, _, err := net.SplitHostPort(addr)
		if err != nil {
			return spoolerr.New(spoolerr.Invalid, 0, "ipp: listen: %q is not HOST:PORT", addr)
		}
		reached = reached || !loopbackName(name)
		if loopbackName(name) || c.Anonymous == ipp.AnonymousNetwork {
			continue
		}
		if c.TLS == nil || c.Users == "" && c.TLS.ClientCA == "" {
			return spoolerr.New(spoolerr.Invalid, 0,
				"ipp: nobody could print at %s: give a tls block and a users file or client_ca, or let everybody print with anonymous = \"network\"", addr)
		}
	}
	if c.Discovery && !reached {
		return spoolerr.New(spoolerr.Invalid, 0,
			"ipp: discovery needs an address that other machines can reach, such as listen = [\"0.0.0.0:8631\"]; this host listens on %s only", strings.Join(c.Listen, ", "))
	}
	return nil
}

func loopbackName(name string) bool {
	ip := net.ParseIP(name)
	return name == "localhost" || ip != nil && ip.IsLoopback()
}

// ippFrontend is the front end with its listeners.
type ippFrontend struct {
	server    *ipp.Server
	listeners []net.Listener
}

// openIPP makes the front end and opens its addresses; nil if there are none, and the host
// answers for no cluster spooler either.
func (h *Host) openIPP(ctx context.Context) (_ *ippFrontend, retErr error) {
	c := h.cfg.IPP
	if len(c.Listen) == 0 && h.cluster == nil {
		return nil, nil
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	cfg, err := h.ippConfig()
	if err != nil {
		return nil, err
	}
	f := &ippFrontend{}
	defer func() {
		if retErr != nil {
			f.close()
		}
	}()
	for _, addr := range c.Listen {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
		if err != nil && c.Optional && errors.Is(err, syscall.EADDRINUSE) {
			h.ippTaken(addr)
			continue
		}
		if err != nil {
			return nil, listenError(addr, err)
		}
		f.listeners = append(f.listeners, l)
	}
	if len(f.listeners) == 0 && h.cluster == nil {
		return nil, nil
	}
	f.server = ipp.New(cfg)
	return f, nil
}

// ippConfig gives what the front end serves, and reads its files.
func (h *Host) ippConfig() (cfg ipp.Config, err error) {
	c := h.cfg.IPP
	cfg = ipp.Config{
		Spoolers: h.spoolers, Events: h.events, Logger: h.cfg.Logger.Named("ipp"),
		Version: h.cfg.Version, Started: h.started, Now: h.cfg.Now, Operators: h.cfg.Operators, Anonymous: c.Anonymous, Names: c.Names, Limits: c.Limits,
	}
	if h.cluster != nil {
		cfg.Elsewhere = h.cluster
	}
	if c.Users != "" {
		if cfg.Users, err = access.OpenUsers(c.Users); err != nil {
			return cfg, err
		}
	}
	if c.TLS != nil {
		names := append([]string{}, c.Names...)
		cfg.TLS, err = access.ServerTLS(c.TLS.Certificate, c.TLS.Key, c.TLS.ClientCA, filepath.Join(h.cfg.Data, "ipp"), names)
	}
	return cfg, err
}

// ippTaken tells that the host does without an address.
func (h *Host) ippTaken(addr string) {
	text := fmt.Sprintf("print dialogs do not reach this host: another program listens on %s; choose another address for IPP (serve --ipp, or ipp: listen in the configuration)", addr)
	h.cfg.Logger.Warn(text)
	h.events.Add(eventlog.Event{ID: eventlog.AddressTaken, Severity: eventlog.Warning, Object: eventlog.Host, Text: text})
}

func (f *ippFrontend) close() {
	if f == nil {
		return
	}
	for _, l := range f.listeners {
		_ = l.Close()
	}
}

// stop gives requests under way a moment to end.
func (f *ippFrontend) stop() {
	if f == nil {
		return
	}
	const moment = 2 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), moment)
	defer cancel()
	f.server.Close(ctx)
}

// IPPAddrs are the addresses of IPP, once Ready.
func (h *Host) IPPAddrs() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ippAddrs
}

func (h *Host) serveIPP(f *ippFrontend, start func(func() error)) {
	if f == nil {
		return
	}
	var addrs []string
	for _, l := range f.listeners {
		addrs = append(addrs, l.Addr().String())
		start(func() error { return f.server.Serve(l) })
	}
	h.mu.Lock()
	h.ippAddrs = addrs
	h.mu.Unlock()
}
