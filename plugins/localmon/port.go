package localmon

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/spoolhost/spoolhost/plugins/internal/ports"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// port is an open port whose time-outs can be set.
type port struct {
	*ports.Port
	instance *instance
	// write is the time-out of SetPortTimeOuts in nanoseconds; 0 is the port's setting.
	write atomic.Int64
}

func (p *port) patience() time.Duration { return time.Duration(p.write.Load()) }

// SetTimeOuts sets how long a Write to the device waits, from the next document on and
// until the port is closed. A constant of 0 is the port's setting again; nothing is read
// from a device, so times for reading change nothing. Only devices have time-outs.
func (p *port) SetTimeOuts(ctx context.Context, t spool.TimeOuts) error {
	s, err := p.instance.settings(ctx, p.Slot.Name)
	switch {
	case err != nil:
		return err
	case s.kind != kindDevice:
		return spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidParameter, "port %s prints to a %s; only a device has time-outs", spool.Quote(p.Slot.Name), s.kind)
	}
	p.write.Store(int64(time.Duration(t.WriteTotalConstant) * time.Millisecond))
	return nil
}
