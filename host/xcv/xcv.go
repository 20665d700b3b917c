// Package xcv carries configuration commands to monitors: it opens a channel with the
// rights of whoever asks, sends one command, and closes the channel, each call under its
// deadline.
//
// spooler imports it. It does not interpret commands, and it grants nothing: the rights
// come from its caller, and the monitor enforces them.
package xcv

import (
	"context"
	"time"

	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Command is one XcvData call.
type Command struct {
	// Object is a port's name, or empty for the monitor itself.
	Object  string
	Granted spool.Access
	Name    string
	Input   []byte
}

// Do carries a command out. Each of its three calls has the deadline callTimeout.
func Do(ctx context.Context, m monitor.Monitor, callTimeout time.Duration, c Command) (out []byte, retErr error) {
	limited := func(call func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		return call(ctx)
	}
	var x monitor.Xcv
	err := limited(func(ctx context.Context) (err error) {
		x, err = m.XcvOpenPort(ctx, c.Object, c.Granted)
		return err
	})
	if err != nil {
		return nil, spoolerr.Wrap(err, "XcvOpenPort")
	}
	defer func() {
		// The command's own result matters more than that of the close.
		_ = limited(x.Close)
	}()
	err = limited(func(ctx context.Context) (err error) {
		out, err = x.Data(ctx, c.Name, c.Input)
		return err
	})
	return out, err
}
