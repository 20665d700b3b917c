package main

import (
	"context"
	"fmt"
	"os"

	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench"
	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/report"
	"github.com/spoolhost/spoolhost/host/spooler"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

// row is one line, or some, of the table.
type row struct {
	name, work string
	run        func(context.Context, *env) error
}

func rows() []row {
	return []row{
		{"jobs-50", "documents of 10 KB, 50 queues, 32 clients: printed a second, processor time", jobs50},
		{"jobs-1", "documents of 10 KB, one queue, 8 clients: printed a second", jobs1},
		{"accept-50", "documents of 10 KB, 50 queues, 8 clients: time to accept", accept50},
		{"accept-1", "one client, one idle queue: time to accept", accept1},
		{"large", "one large document: submitted to last byte printed", large},
		{"first-byte", "the same with start printing while-spooling: submitted to first byte printed", firstByte},
		{"port", "one large document from spool to printer, against sendfile", port},
		{"many", "many queues: start to first document printed, list all, show one, memory", many},
		{"hung", "one hung port among 50: the others, against without (spoolhost alone)", hung},
		{"queued", "many jobs queued: accepted a second, against an empty queue (spoolhost alone)", queued},
		{"killed", "monitor killed while idle: time to print again (spoolhost alone)", killed},
	}
}

// small is a plan of many small documents.
func small(clients, count int, names []string) (bench.Plan, error) {
	return plan(clients, count, "10KiB", names)
}

func plan(clients, count int, size string, names []string) (bench.Plan, error) {
	sizes, err := bench.ParseSizes(size)
	return bench.Plan{Queues: names, Clients: clients, Count: count, Sizes: sizes, Drain: patience}, err
}

// load gives a server the work. Whatever is lost, doubled or refused ends the comparison.
func (e *env) load(ctx context.Context, s *server, p bench.Plan, sinks *bench.Sinks) (*bench.Result, error) {
	t, err := s.target()
	if err != nil {
		return nil, err
	}
	defer func() { _ = t.Close() }()
	p.Label = s.name
	r, err := bench.Run(ctx, p, bench.Setting{Target: t, Sinks: sinks, Pid: s.pid()})
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", s.name, err)
	case r.Interrupted:
		return nil, fmt.Errorf("interrupted")
	case r.Counts.Faults() > 0 || r.Counts.Refused > 0:
		return nil, fmt.Errorf("%s: %+v %v", s.name, r.Counts, r.Refusals)
	}
	fmt.Fprintf(os.Stderr, "  %-10s %s a second, accept %s / %s, %s of processor a document\n", s.name,
		report.Number(r.DeliveredRate), report.Time(r.Accept.P50), report.Time(r.Accept.P99), report.Time(r.Server.CPUPerDocument))
	return r, nil
}

// turns loads both servers in turns, and tallies what figures says.
func (e *env) turns(ctx context.Context, queues int, make func(names []string) (bench.Plan, error), figures func(ours, theirs *bench.Result) []figure) error {
	servers, names, sinks, end, err := e.both(ctx, queues)
	if err != nil {
		return err
	}
	defer end()
	if e.prepare != nil {
		if err := e.prepare(ctx, servers[0], names); err != nil {
			return err
		}
	}
	p, err := make(names)
	if err != nil {
		return err
	}
	warm := p
	warm.Count = min(p.Count, 2*queues) // every queue and connection has been used once
	if err := e.warm(ctx, servers, warm, sinks); err != nil {
		return err
	}
	var last []*bench.Result
	for range e.scale.turns {
		last = nil
		for _, s := range servers {
			r, err := e.load(ctx, s, p, sinks)
			if err != nil {
				return err
			}
			last = append(last, r)
		}
		e.tally.add(e.row, figures(last[0], last[1])...)
	}
	e.groups = append(e.groups, report.Group{Title: e.row + ": " + p.Work() + " (the last turn)", Results: last})
	return nil
}

func (e *env) warm(ctx context.Context, servers []*server, p bench.Plan, sinks *bench.Sinks) error {
	for _, s := range servers {
		if _, err := e.load(ctx, s, p, sinks); err != nil {
			return err
		}
	}
	return nil
}

func jobs50(ctx context.Context, e *env) error {
	return e.turns(ctx, 50, func(names []string) (bench.Plan, error) { return small(32, e.scale.jobs50, names) },
		func(ours, theirs *bench.Result) []figure {
			return []figure{
				{name: "printed a second", wanted: 12, ours: ours.DeliveredRate, theirs: theirs.DeliveredRate, text: report.Number},
				{name: "processor time a document", wanted: 10, ours: ours.Server.CPUPerDocument, theirs: theirs.Server.CPUPerDocument, text: report.Time, less: true},
			}
		})
}

func jobs1(ctx context.Context, e *env) error {
	return e.turns(ctx, 1, func(names []string) (bench.Plan, error) { return small(8, e.scale.jobs1, names) },
		func(ours, theirs *bench.Result) []figure {
			return []figure{{name: "printed a second", wanted: 10, ours: ours.DeliveredRate, theirs: theirs.DeliveredRate, text: report.Number}}
		})
}

func accept50(ctx context.Context, e *env) error {
	return e.turns(ctx, 50, func(names []string) (bench.Plan, error) { return small(8, e.scale.accepts, names) },
		func(ours, theirs *bench.Result) []figure {
			return []figure{
				{name: "accept p50", wanted: 10, ours: ours.Accept.P50, theirs: theirs.Accept.P50, text: report.Time, less: true},
				{name: "accept p99", wanted: 10, ours: ours.Accept.P99, theirs: theirs.Accept.P99, text: report.Time, less: true},
			}
		})
}

// accept1 waits for each document to print before the next one, so that the queue is idle.
func accept1(ctx context.Context, e *env) error {
	make := func(names []string) (bench.Plan, error) {
		p, err := small(1, e.scale.idle, names)
		p.UntilPrinted = true
		return p, err
	}
	return e.turns(ctx, 1, make, func(ours, theirs *bench.Result) []figure {
		return []figure{
			{name: "accept p50 (CUPS' is not durable)", wanted: 1, ours: ours.Accept.P50, theirs: theirs.Accept.P50, text: report.Time, less: true},
			{name: "printed p50", ours: ours.EndToEnd.P50, theirs: theirs.EndToEnd.P50, text: report.Time, less: true},
		}
	})
}

func large(ctx context.Context, e *env) error {
	return e.turns(ctx, 1, e.oneLarge,
		func(ours, theirs *bench.Result) []figure {
			return []figure{{name: "last byte printed", wanted: 2, ours: ours.EndToEnd.P50, theirs: theirs.EndToEnd.P50, text: report.Time, less: true}}
		})
}

func (e *env) oneLarge(names []string) (bench.Plan, error) { return plan(1, 1, e.scale.large, names) }

// firstByte has spoolhost's printer begin while the document is received.
func firstByte(ctx context.Context, e *env) error {
	e.prepare = func(ctx context.Context, host *server, names []string) error {
		early := spooler.WhileSpooling
		return host.ask(func(conn grpc.ClientConnInterface) error {
			for _, name := range names {
				if _, err := apiv1.NewPrintersClient(conn).UpdatePrinter(ctx, &apiv1.UpdatePrinterRequest{
					Name: name, Settings: &apiv1.PrinterSettings{StartPrinting: &early},
				}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return e.turns(ctx, 1, e.oneLarge, func(ours, theirs *bench.Result) []figure {
		return []figure{
			{name: "first byte printed, while-spooling", wanted: 100, ours: ours.FirstByte.P50, theirs: theirs.FirstByte.P50, text: report.Time, less: true},
			{name: "last byte printed, while-spooling", ours: ours.EndToEnd.P50, theirs: theirs.EndToEnd.P50, text: report.Time, less: true},
		}
	})
}
