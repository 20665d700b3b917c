package monitortest

import (
	"context"
	"sync"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spool"
)

func deviceChecks() []check {
	return []check{
		{Rule{"device.slow", "A device that takes no data for a while gets the whole document afterwards.", "WritePort: 0 bytes are no failure"}, checkSlow},
		{Rule{"device.stalled", "While a device takes no data, calls end within the grace after they are cancelled.", "WritePort: returns within a reasonable time"}, checkStalled},
		{Rule{"device.refused", "A device that refuses makes the document fail; it is not reported as sent.", "StartDocPort"}, checkRefused},
		{Rule{"device.unreachable", "While a device does not answer at all, calls end within the grace after they are cancelled.", "Setting Port Time-Out Values"}, checkUnreachable},
	}
}

// stallSize is more than any buffer on the way to a device.
const stallSize = 64 << 20

func (p *probe) stall(d Device) {
	if !d.Stall(true) {
		p.skip("the kit's device for this monitor cannot be held up")
	}
}

func checkSlow(p *probe) {
	i := p.one()
	t := i.device()
	p.stall(t.device)
	o := i.open(t)
	data := pattern(16 << 20)
	p.need(o.begin(p.call(), len(data)), "StartDocPort")
	stop := releaseOnceStill(t.device, o)
	defer stop()
	p.must(o.send(data), "WritePort to a device that took no data for a second")
	p.must(o.finish(p.call(), spool.JobStatusPrinting), "EndDocPort")
	p.must(p.arrives(t.device, data), "after the device took no data for a second")
}

// releaseOnceStill lets a device that is held up go on a second after it took its last
// byte, whatever it and the way to it could hold until then. stop must be called.
func releaseOnceStill(d Device, o *opened) (stop func()) {
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		var last int64
		moved := time.Now()
		for last == 0 || time.Since(moved) < time.Second {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			if n := o.sent.Load(); n != last {
				last, moved = n, time.Now()
			}
		}
		d.Stall(false)
	})
	return func() {
		close(done)
		running.Wait()
	}
}

func checkStalled(p *probe) {
	i := p.one()
	t := i.device()
	p.stall(t.device)
	o := i.open(t)
	p.need(o.begin(p.call(), stallSize), "StartDocPort")
	chunk := pattern(spool.ChunkSize)
	held := false
	for sent := 0; sent < stallSize && !held; {
		n, err := o.Write(p.within(2*time.Second), chunk)
		sent += n
		held = n == 0 || err != nil
	}
	if !held {
		p.skip("the monitor took 64 MiB while its device took nothing")
	}
	p.must(p.drained(i.module), "a call that was cancelled while the device took nothing goes on beyond the grace")
}

func checkRefused(p *probe) {
	i := p.one()
	t := i.device()
	o := i.open(t)
	p.need(t.device.Close(), "the kit's device")
	err := o.print(pattern(1000))
	if len(p.host.sent(i.spooler)) > 0 {
		p.fail("the device refused, but the document is reported as sent")
	}
	if err == nil {
		p.fail("the device refused, but StartDocPort, WritePort and EndDocPort all succeeded")
	}
}

func checkUnreachable(p *probe) {
	if !p.opts.usesSink() {
		p.skip("the monitor does not print to a {{sink}}")
	}
	hole, err := newBlackHole()
	p.need(err, "an address that does not answer")
	p.after(func() { _ = hole.Close() })
	i := p.one()
	t := p.portTo(hole, map[string]string{"n": "1", "dir": p.dir})
	p.need(i.addPort(t), "a port cannot be added")
	o := i.open(t)
	calls := []func(context.Context) error{
		func(ctx context.Context) error { return o.begin(ctx, 1000) },
		func(ctx context.Context) error { _, err := o.Write(ctx, pattern(1000)); return err },
		func(ctx context.Context) error { return o.finish(ctx, spool.JobStatusDeleting) },
	}
	for _, call := range calls {
		if call(p.within(2*time.Second)) != nil {
			break
		}
	}
	p.must(p.drained(i.module), "a call that was cancelled while the device did not answer goes on beyond the grace")
}
