package pointprinttest

import (
	"context"
	"errors"
	"fmt"

	pluginv1 "github.com/spoolhost/spoolhost/proto/spoolhost/plugin/v1"
	"github.com/spoolhost/spoolhost/sdk/driver"
	"github.com/spoolhost/spoolhost/sdk/pointprint"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// hold keeps the host's services from answering: a module that needs them is in the middle
// of its call.
type hold struct{ asked, release chan struct{} }

// wait is where a module waits that asks for something, until the call is given up that it
// asks for, or the hold is.
func (b *bench) wait(ctx context.Context) error {
	b.mu.Lock()
	h := b.held
	b.mu.Unlock()
	if h == nil {
		return nil
	}
	select {
	case h.asked <- struct{}{}:
	default:
	}
	select {
	case <-h.release:
	case <-ctx.Done():
	}
	return spoolgrpc.ToStatus(spoolerr.New(spoolerr.Cancelled, 0, "the call was given up"))
}

// callsCancelled gives calls up in the middle, and has the module say when it has let go.
func callsCancelled(ctx context.Context, b *bench) error {
	for _, call := range b.someCalls() {
		if err := b.giveUp(ctx, call); err != nil {
			return err
		}
	}
	return b.work(ctx)
}

// someCalls are calls in which modules ask for things.
func (b *bench) someCalls() []func(ctx context.Context) error {
	if b.kind == wire.KindDriver {
		return []func(ctx context.Context) error{
			func(ctx context.Context) error {
				return b.driverEvent(ctx, driver.PrinterEvent{Event: driver.Initialize, PrinterName: queue})
			},
			func(ctx context.Context) error {
				return b.driverEvent(ctx, driver.PrinterEvent{Event: driver.CacheRefresh, PrinterName: remote})
			},
		}
	}
	return []func(ctx context.Context) error{
		func(ctx context.Context) error { _, err := b.paths(ctx, onServer()); return err },
		func(ctx context.Context) error { return b.event(ctx, queue, pointprint.SetPrinterDataEx) },
		func(ctx context.Context) error { return b.event(ctx, remote, pointprint.FilesChanged) },
	}
}

// giveUp makes a call and gives it up when the module has asked for something in it.
func (b *bench) giveUp(ctx context.Context, call func(ctx context.Context) error) error {
	h := &hold{asked: make(chan struct{}, 1), release: make(chan struct{})}
	b.setHold(h)
	defer func() {
		b.setHold(nil)
		close(h.release)
	}()
	calling, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- call(calling) }()
	select {
	case <-done:
		return nil // it needed nothing, and was not in the middle of anything
	case <-h.asked:
	}
	cancel()
	<-done
	settling, stop := context.WithTimeout(ctx, b.opts.Grace)
	defer stop()
	if _, err := pluginv1.NewPluginClient(b.module.Conn).Settle(settling, &pluginv1.SettleRequest{}); err != nil {
		return fmt.Errorf("a call that was given up goes on after %s: %w", b.opts.Grace, errors.Join(spoolgrpc.FromStatus(err)))
	}
	return nil
}

func (b *bench) setHold(h *hold) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = h
}
