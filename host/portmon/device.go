package portmon

import (
	"context"

	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// The calls below go to the device beside its documents, and may come while one prints:
// each has the deadline of a control call, and none waits for a document.

// SendRecvBidiData asks the device by the bidi schema.
func (p *Port) SendRecvBidiData(ctx context.Context, access spool.BidiAccess, action string, requests []spool.BidiRequest) (answers []spool.BidiResponse, err error) {
	b, ok := p.port.(monitor.BidiPort)
	if !ok {
		return nil, p.cannot(monitor.CapBidi)
	}
	err = p.control(ctx, func(ctx context.Context) (err error) {
		answers, err = b.SendRecvBidiData(ctx, access, action, requests)
		return err
	})
	return answers, err
}

// SetTimeOuts sets the device's communication time-outs.
func (p *Port) SetTimeOuts(ctx context.Context, t spool.TimeOuts) error {
	s, ok := p.port.(monitor.TimeOutSetter)
	if !ok {
		return p.cannot(monitor.CapSetPortTimeOuts)
	}
	return p.control(ctx, func(ctx context.Context) error { return s.SetTimeOuts(ctx, t) })
}

// GetPrinterData asks the device for a datum.
func (p *Port) GetPrinterData(ctx context.Context, controlID uint32, valueName string, in []byte) (out []byte, err error) {
	s, ok := p.port.(monitor.PrinterDataSource)
	if !ok {
		return nil, p.cannot(monitor.CapPrinterData)
	}
	err = p.control(ctx, func(ctx context.Context) (err error) {
		out, err = s.GetPrinterData(ctx, controlID, valueName, in)
		return err
	})
	return out, err
}

func (p *Port) control(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, p.limits.Call)
	defer cancel()
	return spoolerr.Wrap(call(ctx), "port %s", spool.Quote(p.name))
}

func (p *Port) cannot(capability string) error {
	return spoolerr.New(spoolerr.Unsupported, 0, "port %s: its monitor does not have %s", spool.Quote(p.name), capability)
}
