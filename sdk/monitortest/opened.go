package monitortest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// opened is an open port, with the job that is in it.
type opened struct {
	monitor.Port
	i    *instance
	job  uint64
	sent atomic.Int64 // bytes of the document that were taken
}

func (i *instance) open(t testPort) *opened {
	port, err := i.OpenPort(i.probe.call(), t.name)
	i.probe.need(err, "a port that was added cannot be opened")
	return &opened{Port: port, i: i}
}

// begin starts the next document.
func (o *opened) begin(ctx context.Context, size int) error {
	o.job = uint64(o.i.probe.next())
	o.sent.Store(0)
	o.i.probe.host.setPhase(o.i.spooler, o.job, started)
	return o.StartDoc(ctx, spool.Doc{
		JobID: o.job, Printer: "Kit Printer", Title: "kit document", User: "kit", Datatype: spool.DatatypeRAW,
		Size: int64(size), Attempt: 1,
	})
}

// send hands data over, and again what was not taken, until nothing has moved for the time.
func (o *opened) send(data []byte) error {
	moved := time.Now()
	for len(data) > 0 {
		n, err := o.Write(o.i.probe.call(), data[:min(len(data), spool.ChunkSize)])
		if err != nil && !errors.Is(err, spoolerr.NotReady) {
			return err
		}
		data = data[n:]
		o.sent.Add(int64(n))
		switch {
		case n > 0:
			moved = time.Now()
		case time.Since(moved) > o.i.probe.opts.Timeout:
			return fmt.Errorf("nothing was taken for %s", o.i.probe.opts.Timeout)
		default:
			o.i.probe.pause(20 * time.Millisecond)
		}
	}
	return nil
}

func (o *opened) finish(ctx context.Context, status spool.JobStatus) error {
	host, job := o.i.probe.host, o.job
	host.setPhase(o.i.spooler, job, ending)
	defer host.setPhase(o.i.spooler, job, over)
	return o.EndDoc(ctx, status)
}

// print takes a document through the port.
func (o *opened) print(data []byte) error {
	if err := o.begin(o.i.probe.call(), len(data)); err != nil {
		return fmt.Errorf("StartDocPort: %w", err)
	}
	if err := o.send(data); err != nil {
		return fmt.Errorf("WritePort: %w", err)
	}
	if err := o.finish(o.i.probe.call(), spool.JobStatusPrinting); err != nil {
		return fmt.Errorf("EndDocPort: %w", err)
	}
	return nil
}

// arrives says how what the device got differs from data; nil if it does not.
func (p *probe) arrives(d Device, data []byte) error {
	var got []byte
	var failed error
	p.poll(p.opts.Grace, func() bool {
		more, err := d.Take()
		got, failed = append(got, more...), err
		return err != nil || len(got) >= len(data) || !bytes.HasPrefix(data, got)
	})
	if failed != nil {
		return failed
	}
	if bytes.Equal(got, data) {
		return nil
	}
	at := 0
	for at < min(len(got), len(data)) && got[at] == data[at] {
		at++
	}
	return fmt.Errorf("of %d bytes the device got %d; they differ from byte %d on", len(data), len(got), at)
}

// pattern makes a document in which no part is like another.
func pattern(n int) []byte {
	data := make([]byte, n)
	state := uint32(n)*2654435761 + 1
	for i := range data {
		state = state*1664525 + 1013904223
		data[i] = byte(state >> 24)
	}
	return data
}

// noHandle is a handle that no module gives.
const noHandle = math.MaxUint64 - 12345
