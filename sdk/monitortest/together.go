package monitortest

import (
	"context"
	"fmt"

	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/wire"
	"github.com/spoolhost/spoolhost/sdk/wire/monitorwire"
)

// together is a port that takes a small document in one call.
type together interface {
	Has(capability string) bool
	PrintDoc(ctx context.Context, doc spool.Doc, data []byte) (monitorwire.Printed, error)
}

func checkTogether(p *probe) {
	i := p.one()
	t := i.device()
	o := i.open(t)
	port, ok := o.Port.(together)
	if !ok || !port.Has(monitor.CapPrintDocPort) {
		p.skip("the module's SDK takes no document in one call")
	}
	for _, size := range []int{1, 1000, wire.MaxTogether} {
		what, data := fmt.Sprintf("a document of %d bytes in one call", size), pattern(size)
		before := len(p.host.sent(i.spooler))
		done, err := o.together(port, data)
		p.need(err, what)
		switch reported := len(p.host.sent(i.spooler)) > before; { // how often, document.sent asks
		case reported && done.Sent:
			p.fail("%s was reported as sent by SetJob and by the answer", what)
		case !reported && !done.Sent:
			p.fail("%s was not reported as sent", what)
		}
		if done.Sent {
			p.host.note(i.spooler, o.job)
		}
		p.must(p.arrives(t.device, data), what)
	}
}

// together prints a document in one call, and what the device did not take at once after it.
func (o *opened) together(port together, data []byte) (monitorwire.Printed, error) {
	o.job = uint64(o.i.probe.next())
	o.i.probe.host.setPhase(o.i.spooler, o.job, ending)
	defer o.i.probe.host.setPhase(o.i.spooler, o.job, over)
	done, err := port.PrintDoc(o.i.probe.call(), spool.Doc{
		JobID: o.job, Printer: "Kit Printer", Title: "kit document", User: "kit", Datatype: spool.DatatypeRAW,
		Size: int64(len(data)), Attempt: 1,
	}, data)
	if err != nil || done.Ended {
		return done, err
	}
	if err := o.send(data[done.Written:]); err != nil {
		return done, err
	}
	return done, o.finish(o.i.probe.call(), spool.JobStatusPrinting)
}

func checkUnsized(p *probe) {
	i := p.one()
	t := i.device()
	o := i.open(t)
	if port, ok := o.Port.(interface{ Has(capability string) bool }); !ok || !port.Has(monitor.CapUnsized) {
		p.skip("the port does not announce " + monitor.CapUnsized + ": documents come when they are whole")
	}
	data := pattern(p.opts.size(1 << 20))
	p.must(o.begin(p.call(), spool.SizeUnknown), "StartDocPort of a document of unknown length")
	p.need(o.send(data[:len(data)/2]), "WritePort")
	p.need(o.send(data[len(data)/2:]), "WritePort")
	p.must(o.finish(p.call(), spool.JobStatusPrinting), "EndDocPort")
	p.must(p.arrives(t.device, data), "a document of unknown length")
}
