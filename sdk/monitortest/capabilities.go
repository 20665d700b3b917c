package monitortest

import (
	"context"
	"slices"

	monitorv2 "github.com/spoolhost/spoolhost/proto/spoolhost/monitor/v2"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

func capabilityChecks() []check {
	return []check{
		{Rule{"capabilities.served", "Each function that the monitor announces is there.",
			"MONITOR2: unimplemented members are NULL"}, func(p *probe) { p.capabilities(true) }},
		{Rule{"capabilities.announced", "A function that the monitor does not announce answers ERROR_NOT_SUPPORTED (50).",
			"MONITOR2: unimplemented members are NULL"}, func(p *probe) { p.capabilities(false) }},
		{Rule{"handles.unknown", "A call with a handle that the monitor did not give is refused with ERROR_INVALID_HANDLE (6).",
			"spoolhost.monitor.v2"}, checkUnknownHandles},
	}
}

// optional is one function that may be NULL.
type optional struct {
	capability, function string
	ofPort               bool
	// vague says that the function may itself answer ERROR_NOT_SUPPORTED, to what it was asked.
	vague bool
	call  func(ctx context.Context, c monitorv2.PrintMonitorClient, handle uint64) error
}

func optionals() []optional {
	return []optional{
		{monitor.CapReadPort, "ReadPort", true, false, func(ctx context.Context, c monitorv2.PrintMonitorClient, h uint64) error {
			_, err := c.ReadPort(ctx, &monitorv2.ReadPortRequest{Port: h, Max: 16})
			return err
		}},
		{monitor.CapPrinterData, "GetPrinterDataFromPort", true, true, func(ctx context.Context, c monitorv2.PrintMonitorClient, h uint64) error {
			_, err := c.GetPrinterDataFromPort(ctx, &monitorv2.GetPrinterDataFromPortRequest{Port: h, ValueName: "Installed Memory"})
			return err
		}},
		{monitor.CapSetPortTimeOuts, "SetPortTimeOuts", true, false, func(ctx context.Context, c monitorv2.PrintMonitorClient, h uint64) error {
			_, err := c.SetPortTimeOuts(ctx, &monitorv2.SetPortTimeOutsRequest{Port: h, WriteTotalConstant: 30_000, ReadTotalConstant: 5_000})
			return err
		}},
		{monitor.CapBidi, "SendRecvBidiDataFromPort", true, true, func(ctx context.Context, c monitorv2.PrintMonitorClient, h uint64) error {
			_, err := c.SendRecvBidiDataFromPort(ctx, &monitorv2.SendRecvBidiDataFromPortRequest{
				Port: h, Access: uint32(spool.BidiAccessUser), Action: "EnumSchema",
			})
			return err
		}},
		{monitor.CapNotifyPorts, "NotifyUsedPorts", false, false, func(ctx context.Context, c monitorv2.PrintMonitorClient, h uint64) error {
			_, err := c.NotifyUsedPorts(ctx, &monitorv2.NotifyUsedPortsRequest{Monitor: h})
			return err
		}},
		{monitor.CapNotifyPorts, "NotifyUnusedPorts", false, false, func(ctx context.Context, c monitorv2.PrintMonitorClient, h uint64) error {
			_, err := c.NotifyUnusedPorts(ctx, &monitorv2.NotifyUnusedPortsRequest{Monitor: h})
			return err
		}},
		{monitor.CapPowerEvent, "PowerEvent", false, false, func(ctx context.Context, c monitorv2.PrintMonitorClient, h uint64) error {
			_, err := c.PowerEvent(ctx, &monitorv2.PowerEventRequest{Monitor: h, Event: uint32(spool.PowerResume)})
			return err
		}},
	}
}

// capabilities compares what is announced with what is there, in one direction.
func (p *probe) capabilities(announced bool) {
	r := p.raw(p.started())
	port, err := r.OpenPort(p.call(), &monitorv2.OpenPortRequest{Monitor: r.handle, Name: r.port(p).name})
	p.need(err, "a port that was added cannot be opened")
	checked := 0
	for _, f := range optionals() {
		caps, h := r.caps, r.handle
		if f.ofPort {
			caps, h = port.GetCapabilities(), port.GetPort()
		}
		if slices.Contains(caps, f.capability) != announced {
			continue
		}
		checked++
		err := f.call(p.call(), r, h)
		absent := unserved(err) || spoolerr.KindOf(spoolgrpc.FromStatus(err)) == spoolerr.Unsupported && (!announced || !f.vague)
		switch {
		case announced && absent:
			p.fail("capability %s is announced, but %s answers: %v", f.capability, f.function, err)
		case !announced && !absent:
			p.fail("%s answers %v, but capability %s is not announced: the host will never call it", f.function, answer(err), f.capability)
		}
	}
	if checked == 0 {
		p.skip("the monitor announces no optional function")
	}
}

func answer(err error) any {
	if err == nil {
		return "with success"
	}
	return err
}

func checkUnknownHandles(p *probe) {
	client := p.raw(p.started())
	for call, err := range map[string]error{
		"EnumPorts":   second(client.EnumPorts(p.call(), &monitorv2.EnumPortsRequest{Monitor: noHandle})),
		"OpenPort":    second(client.OpenPort(p.call(), &monitorv2.OpenPortRequest{Monitor: noHandle, Name: "x"})),
		"WritePort":   second(client.WritePort(p.call(), &monitorv2.WritePortRequest{Port: noHandle, Data: []byte("x")})),
		"EndDocPort":  second(client.EndDocPort(p.call(), &monitorv2.EndDocPortRequest{Port: noHandle})),
		"ClosePort":   second(client.ClosePort(p.call(), &monitorv2.ClosePortRequest{Port: noHandle})),
		"XcvDataPort": second(client.XcvDataPort(p.call(), &monitorv2.XcvDataPortRequest{Xcv: noHandle, DataName: "AddPort"})),
		"Shutdown":    second(client.Shutdown(p.call(), &monitorv2.ShutdownRequest{Monitor: noHandle})),
	} {
		if code := spoolerr.CodeOf(spoolgrpc.FromStatus(err)); code != spoolerr.CodeInvalidHandle {
			p.fail("%s with handle %d answers %v (error %d)", call, uint64(noHandle), answer(err), code)
		}
	}
}

func second[T any](_ T, err error) error { return err }
