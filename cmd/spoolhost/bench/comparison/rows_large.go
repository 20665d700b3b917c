package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	osexec "os/exec"
	"path/filepath"
	"time"

	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench"
	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/payload"
	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/report"
	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/sink"
	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/target"
)

// sendfileArg makes this program send a file to an address, by sendfile.
const sendfileArg = "sendfile"

func sendfile(addr, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	_, err = io.Copy(c, f) // a file to a TCP connection is sendfile
	return err
}

// port holds the way from spool to printer, in the monitor's process, against a process that
// does nothing but sendfile of the same document to the same sink.
func port(ctx context.Context, e *env) error {
	sizes, err := bench.ParseSizes(e.scale.large)
	if err != nil {
		return err
	}
	doc := payload.Document{Run: 1, Size: sizes.Of(0)}
	arrivals := make(chan sink.Arrival, 1)
	sinks, err := sink.Listen(ctx, sink.Loopback(1), sink.Options{Report: func(a sink.Arrival) { arrivals <- a }})
	if err != nil {
		return err
	}
	defer sinks.Close()
	host, err := e.startHost(ctx, "host")
	if err != nil {
		return err
	}
	defer host.stop()
	t, err := host.target()
	if err != nil {
		return err
	}
	defer func() { _ = t.Close() }()
	if err := t.AddQueue(ctx, "q", sinks.Addr(0)); err != nil {
		return err
	}
	file := filepath.Join(e.work, "document")
	if err := writeDocument(file, doc); err != nil {
		return err
	}
	for turn := range e.scale.turns + 1 {
		ours, err := timed(ctx, arrivals, func() error { return submitOne(ctx, t, doc) })
		if err != nil {
			return err
		}
		theirs, err := timed(ctx, arrivals, func() error { return sendfileOne(ctx, sinks.Addr(0).String(), file) })
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "  the port %s, sendfile %s\n", report.Time(ours), report.Time(theirs))
		if turn > 0 { // the first one warms up
			rate := func(seconds float64) float64 { return float64(doc.Size) / seconds }
			e.tally.add(e.row, figure{name: "bytes a second, against sendfile", wanted: 0.9, ours: rate(ours), theirs: rate(theirs), text: report.Bytes})
		}
	}
	return nil
}

func writeDocument(path string, doc payload.Document) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, payload.NewSource().Reader(doc)); err != nil {
		return err
	}
	return f.Close()
}

func submitOne(ctx context.Context, t *target.IPP, doc payload.Document) error {
	c, err := t.Client()
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	return c.Submit(ctx, target.Document{Queue: "q", Title: "one", Size: doc.Size, Bytes: payload.NewSource().Reader(doc)})
}

func sendfileOne(ctx context.Context, addr, file string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return osexec.CommandContext(ctx, self, sendfileArg, addr, file).Run()
}

// timed has a document sent, and gives the time from its first to its last byte at the sink.
func timed(ctx context.Context, arrivals <-chan sink.Arrival, send func() error) (float64, error) {
	if err := send(); err != nil {
		return 0, err
	}
	select {
	case a := <-arrivals:
		if a.Fault != payload.Good {
			return 0, fmt.Errorf("the document came out %s", a.Fault)
		}
		return a.Last.Sub(a.First).Seconds(), nil
	case <-time.After(patience):
		return 0, fmt.Errorf("the document did not come out")
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}
