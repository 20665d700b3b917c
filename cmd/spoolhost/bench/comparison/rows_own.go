package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench"
	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/report"
	"github.com/spoolhost/spoolhost/plugins/tcpmon"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

// hung holds 49 queues beside a port whose printer takes a document and never reads
// against the same queues without it. Each turn has a new host.
func hung(ctx context.Context, e *env) error {
	for turn := range e.scale.turns {
		if err := e.hungOnce(ctx, turn); err != nil {
			return err
		}
	}
	return nil
}

func (e *env) hungOnce(ctx context.Context, turn int) error {
	const others = 49
	deaf, err := bench.ListenSinks(ctx, loopback(1), func(int) bool { return true })
	if err != nil {
		return err
	}
	defer deaf.Close()
	var loads []func() (float64, error)
	for _, kind := range []string{"with", "without"} {
		host, names, sinks, end, err := e.alone(ctx, fmt.Sprint(kind, turn), others)
		if err != nil {
			return err
		}
		defer end()
		p, err := small(32, e.scale.hung, names)
		if err != nil {
			return err
		}
		load := func() (float64, error) {
			r, err := e.load(ctx, host, p, sinks)
			return r.DeliveredRate, err
		}
		if _, err := load(); err != nil { // it warms up
			return err
		}
		if kind == "with" {
			if err := hang(ctx, host, deaf); err != nil {
				return err
			}
		}
		loads = append(loads, load)
	}
	rates, err := inTurn(turn, loads)
	if err != nil {
		return err
	}
	e.tally.add(e.row, figure{name: "49 queues beside a hung port, against without", wanted: 0.95, ours: rates[0], theirs: rates[1], text: report.Number})
	return nil
}

// inTurn runs loads one after the other, and begins with another one in the next turn: what
// comes later has a busier disk, or a warmer cache.
func inTurn(turn int, loads []func() (float64, error)) ([]float64, error) {
	rates := make([]float64, len(loads))
	for i := range loads {
		k := (turn + i) % len(loads)
		rate, err := loads[k]()
		if err != nil {
			return nil, err
		}
		rates[k] = rate
	}
	return rates, nil
}

// hang sends documents to a printer that does not read, and waits until the first is stuck.
func hang(ctx context.Context, host *server, deaf *bench.Sinks) error {
	t, err := host.target()
	if err != nil {
		return err
	}
	defer func() { _ = t.Close() }()
	if err := t.AddQueue(ctx, "deaf", deaf.Addr(0)); err != nil {
		return err
	}
	p, err := plan(1, 3, "32MiB", []string{"deaf"})
	if err != nil {
		return err
	}
	if _, err := bench.Run(ctx, p, bench.Setting{Target: t}); err != nil {
		return err
	}
	return host.ask(func(conn grpc.ClientConnInterface) error {
		return until(ctx, "the hung port prints", func() error {
			r, err := apiv1.NewPrintersClient(conn).GetPrinter(ctx, &apiv1.GetPrinterRequest{Name: "deaf"})
			if err == nil && r.GetPrinter().GetState() != "printing" {
				err = fmt.Errorf("it is %s", r.GetPrinter().GetState())
			}
			return err
		})
	})
}

// queued holds a host with many waiting jobs against one with none.
func queued(ctx context.Context, e *env) error {
	var hosts []*server
	for _, name := range []string{"full", "empty"} {
		host, err := e.startHost(ctx, name)
		if err != nil {
			return err
		}
		defer host.stop()
		if err := pausedQueue(ctx, host); err != nil {
			return err
		}
		hosts = append(hosts, host)
	}
	fill, err := small(8, e.scale.queued, []string{"q"})
	if err != nil {
		return err
	}
	began := time.Now()
	if _, err := e.load(ctx, hosts[0], fill, nil); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "  %d jobs queued in %s\n", e.scale.queued, report.Time(time.Since(began).Seconds()))
	probe := fill
	probe.Count = e.scale.probes
	var loads []func() (float64, error)
	for _, host := range hosts {
		loads = append(loads, func() (float64, error) {
			r, err := e.load(ctx, host, probe, nil)
			return r.AcceptedRate, err
		})
	}
	for turn := range e.scale.turns + 1 {
		rates, err := inTurn(turn, loads)
		if err != nil {
			return err
		}
		if turn > 0 { // the first one warms up
			e.tally.add(e.row, figure{
				name: fmt.Sprintf("accepted a second with %d jobs queued, against none", e.scale.queued), wanted: 0.9, ours: rates[0], theirs: rates[1], text: report.Number,
			})
		}
	}
	return nil
}

// pausedQueue makes a queue that takes documents and prints none.
func pausedQueue(ctx context.Context, host *server) error {
	sinks, err := bench.ListenSinks(ctx, loopback(1), nil)
	if err != nil {
		return err
	}
	defer sinks.Close() // Nobody will print to it.
	if err := addQueue(ctx, host, "q", sinks.Addr(0)); err != nil {
		return err
	}
	return host.ask(func(conn grpc.ClientConnInterface) error {
		_, err := apiv1.NewPrintersClient(conn).PausePrinter(ctx, &apiv1.PausePrinterRequest{Name: "q"})
		return err
	})
}

// killed kills the idle monitor and prints at once.
func killed(ctx context.Context, e *env) error {
	const limit = 0.050
	host, names, sinks, end, err := e.alone(ctx, "host", 1)
	if err != nil {
		return err
	}
	defer end()
	for range e.scale.kills {
		if _, err := e.firstPrinted(ctx, host, names, sinks, time.Now()); err != nil {
			return err
		}
		var pid int
		if err := host.ask(func(conn grpc.ClientConnInterface) (err error) {
			pid, err = monitorPid(ctx, apiv1.NewMonitorsClient(conn))
			return err
		}); err != nil {
			return err
		}
		monitor, err := os.FindProcess(pid)
		if err != nil {
			return err
		}
		began := time.Now()
		if err := monitor.Kill(); err != nil {
			return err
		}
		took, err := e.firstPrinted(ctx, host, names, sinks, began)
		if err != nil {
			return err
		}
		e.tally.add(e.row, figure{name: "kill -9 to the next document printed, against 50 ms", wanted: 1, ours: took, theirs: limit, text: report.Time, less: true})
	}
	return nil
}

func monitorPid(ctx context.Context, c apiv1.MonitorsClient) (int, error) {
	r, err := c.GetMonitor(ctx, &apiv1.GetMonitorRequest{Name: tcpmon.Name})
	if err != nil {
		return 0, err
	}
	for _, p := range r.GetMonitor().GetProcesses() {
		return int(p.GetPid()), nil
	}
	return 0, fmt.Errorf("the monitor has no process")
}
