package monitortest

import (
	"context"
	"strings"
	"time"

	monitorv2 "github.com/spoolhost/spoolhost/proto/spoolhost/monitor/v2"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

const isolation = "Convert print monitors: global variables move to the monitor handle"

func instanceChecks() []check {
	return []check{
		{Rule{"instances.ports", "A port that one instance has is neither listed nor opened by another in the same process.", isolation}, checkInstancePorts},
		{Rule{"instances.settings", "Two instances may have a port of the same name; each prints to the device of its own.", isolation}, checkInstanceSettings},
		{Rule{"instances.shutdown", "Shutdown of one instance, with a document in it, leaves the document of another to print to its end.", "Shutdown"}, checkInstanceShutdown},
		{Rule{"shutdown.handles", "After Shutdown the handles of the instance are refused with ERROR_INVALID_HANDLE (6).", "Shutdown"}, checkShutdownHandles},
		{Rule{"shutdown.silence", "After Shutdown the instance uses neither the registry nor the spooler's functions.", "Shutdown: MONITORREG is no longer valid"}, checkShutdownSilence},
		{Rule{"shutdown.prompt", "Shutdown returns quickly, also while a document is stuck at its device.", "Shutdown: must return quickly"}, checkShutdownPrompt},
	}
}

// two starts a module with two instances.
func (p *probe) two() (*instance, *instance) {
	a := p.one()
	return a, p.another(a.module, clusterSpooler)
}

func checkInstancePorts(p *probe) {
	a, b := p.two()
	t := a.port()
	names, err := b.portNames()
	p.must(err, "EnumPorts of the other instance")
	if len(names) > 0 {
		p.fail("the instance for %s lists %q, which was added for %s", clusterSpooler, names, nodeSpooler)
	}
	if _, err := b.OpenPort(p.call(), t.name); err == nil {
		p.fail("the instance for %s opens port %s, which was added for %s", clusterSpooler, spool.Quote(t.name), nodeSpooler)
	}
	if names, err = a.portNames(); err != nil || len(names) != 1 {
		p.fail("a port was added for %s, EnumPorts there lists %q, %v", nodeSpooler, names, err)
	}
}

func checkInstanceSettings(p *probe) {
	if strings.Contains(p.opts.PortName, "{{file}}") {
		p.skip("the name of a port is its device here")
	}
	a, b := p.two()
	first := a.device()
	second := p.newPort()
	second.name = first.name
	p.must(b.addPort(second), "AddPort of a name that the other instance has")
	// Both are open before either prints: whoever shares anything mixes them up now.
	one, err := a.OpenPort(p.call(), first.name)
	p.must(err, "OpenPort in the first instance")
	other, err := b.OpenPort(p.call(), second.name)
	p.must(err, "OpenPort in the second instance")
	for n, o := range []*opened{{Port: one, i: a}, {Port: other, i: b}, {Port: one, i: a}} {
		data := pattern(1000 + n)
		p.must(o.print(data), "printing")
		p.must(p.arrives([]Device{first.device, second.device}[n%2], data), "the device of the instance "+o.i.spooler.server)
	}
}

func checkInstanceShutdown(p *probe) {
	a, b := p.two()
	survivor, victim := a.port(), b.port()
	o := a.open(survivor)
	data := pattern(p.opts.size(8 << 20))
	p.need(o.begin(p.call(), len(data)), "StartDocPort")
	p.need(o.send(data[:len(data)/8]), "WritePort")
	stuck := b.open(victim)
	p.need(stuck.begin(p.call(), 1<<20), "StartDocPort")
	p.need(stuck.send(pattern(100_000)), "WritePort")
	ended := make(chan error, 1)
	go func() { ended <- b.Shutdown(p.call()) }()
	p.must(o.send(data[len(data)/8:]), "WritePort while the other instance is shut down")
	<-ended
	p.must(o.finish(p.call(), spool.JobStatusPrinting), "EndDocPort after the other instance was shut down")
	if survivor.device != nil {
		p.must(p.arrives(survivor.device, data), "the document of the surviving instance")
	}
	names, err := a.portNames()
	p.must(err, "EnumPorts of the surviving instance")
	if !lists(names, survivor.name) {
		p.fail("after Shutdown of another instance EnumPorts lists %q", names)
	}
}

func checkShutdownHandles(p *probe) {
	r := p.raw(p.started())
	t := r.port(p)
	port, err := r.OpenPort(p.call(), &monitorv2.OpenPortRequest{Monitor: r.handle, Name: t.name})
	p.need(err, "a port that was added cannot be opened")
	x := r.channel(p)
	_, err = r.Shutdown(p.call(), &monitorv2.ShutdownRequest{Monitor: r.handle})
	p.must(err, "Shutdown")
	for call, err := range map[string]error{
		"EnumPorts":    second(r.EnumPorts(p.call(), &monitorv2.EnumPortsRequest{Monitor: r.handle})),
		"OpenPort":     second(r.OpenPort(p.call(), &monitorv2.OpenPortRequest{Monitor: r.handle, Name: t.name})),
		"StartDocPort": second(r.StartDocPort(p.call(), &monitorv2.StartDocPortRequest{Port: port.GetPort(), Doc: &monitorv2.Doc{JobId: 1}})),
		"XcvDataPort":  second(r.XcvDataPort(p.call(), &monitorv2.XcvDataPortRequest{Xcv: x, DataName: "AddPort"})),
	} {
		if code := spoolerr.CodeOf(spoolgrpc.FromStatus(err)); code != spoolerr.CodeInvalidHandle {
			p.fail("after Shutdown %s answers %v (error %d)", call, answer(err), code)
		}
	}
}

func checkShutdownSilence(p *probe) {
	a, b := p.two()
	t := a.port()
	o := a.open(t)
	p.need(o.print(pattern(1000)), "printing")
	p.need(o.begin(p.call(), 1<<20), "StartDocPort")
	p.need(o.send(pattern(100_000)), "WritePort")
	p.must(a.Shutdown(p.call()), "Shutdown")
	p.host.look(func() { a.spooler.ended = true })
	_, err := b.portNames() // the module goes on
	p.must(err, "EnumPorts of the other instance")
	var late []string
	p.poll(time.Second, func() bool {
		p.host.look(func() { late = p.host.late })
		return len(late) > 0
	})
	if len(late) > 0 {
		p.fail("after Shutdown it called %s", strings.Join(late, ", "))
	}
}

func checkShutdownPrompt(p *probe) {
	i := p.one()
	t := i.port()
	o := i.open(t)
	if t.device != nil && t.device.Stall(true) {
		p.need(o.begin(p.call(), stallSize), "StartDocPort")
		ctx, cancel := context.WithCancel(p.ctx)
		writing := make(chan struct{})
		go func() {
			defer close(writing)
			p.write(ctx, o)
		}()
		defer func() {
			cancel()
			<-writing
		}()
		p.pause(500 * time.Millisecond) // the buffers are full by now
	}
	ctx := p.within(p.opts.Grace)
	if err := i.Shutdown(ctx); late(ctx, err) {
		p.fail("Shutdown does not return within %s: %v", p.opts.Grace, err)
	}
}

// write writes until a call fails, for good and whatever the answers.
func (p *probe) write(ctx context.Context, o *opened) {
	chunk := pattern(spool.ChunkSize)
	for ctx.Err() == nil {
		if _, err := o.Write(ctx, chunk); err != nil && spoolerr.KindOf(err) != spoolerr.NotReady {
			return
		}
	}
}
