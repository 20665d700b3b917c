package main

import (
	"context"
	"fmt"
	"os"
	osexec "os/exec"
	"strings"
	"time"

	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench"
	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/procs"
	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/report"
	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/target"
)

// started is what a server with many queues showed in one turn.
type started struct {
	printed, list, one float64
	rss, tree          float64
}

// many starts both servers again and again with the same queues.
func many(ctx context.Context, e *env) error {
	n := e.scale.queues
	sinks, err := bench.ListenSinks(ctx, loopback(n), nil)
	if err != nil {
		return err
	}
	defer sinks.Close()
	began := time.Now()
	host, err := e.startHost(ctx, "host")
	if err != nil {
		return err
	}
	names, err := setUpAlone(ctx, host, n, sinks)
	host.stop()
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "  %d queues made in %s\n", n, report.Time(time.Since(began).Seconds()))
	cups, err := e.cups(ctx, "cups", printersConf(names, sinks))
	if err != nil {
		return err
	}
	for range e.scale.turns {
		ours, err := e.startOnce(ctx, names, sinks, func() (*server, error) { return e.startHost(ctx, "host") })
		if err != nil {
			return err
		}
		theirs, err := e.startOnce(ctx, names, sinks, func() (*server, error) { return cups, e.startCUPS(ctx, cups) })
		if err != nil {
			return err
		}
		e.tally.add(e.row,
			figure{name: fmt.Sprintf("%d queues: start to first printed", n), wanted: 10, ours: ours.printed, theirs: theirs.printed, text: report.Time, less: true},
			figure{name: "list all, by command line", wanted: 10, ours: ours.list, theirs: theirs.list, text: report.Time, less: true},
			figure{name: "show one, by command line", wanted: 10, ours: ours.one, theirs: theirs.one, text: report.Time, less: true},
			figure{name: "memory of the server, after that", wanted: 1, ours: ours.rss, theirs: theirs.rss, text: report.Bytes, less: true},
			figure{name: "memory with modules", ours: ours.tree, theirs: theirs.tree, text: report.Bytes, less: true},
		)
	}
	return nil
}

// setUpAlone makes queues at a host that have a port each, as real printers do; by IPP
// queues with the same address would share one.
func setUpAlone(ctx context.Context, host *server, n int, sinks *bench.Sinks) ([]string, error) {
	t, err := target.NewAPI(host.api, "", func() (target.Conn, error) { return host.conn() })
	if err != nil {
		return nil, err
	}
	defer func() { _ = t.Close() }()
	q, err := bench.SetUp(ctx, t, "q", n, sinks)
	if err != nil {
		return nil, err
	}
	return q.Names, nil
}

func printersConf(names []string, sinks *bench.Sinks) string {
	var b strings.Builder
	for i, name := range names {
		fmt.Fprintf(&b, "<Printer %s>\nDeviceURI socket://%s\nState Idle\nAccepting Yes\nShared No\n</Printer>\n", name, sinks.Addr(i%sinks.Len()))
	}
	return b.String()
}

// startOnce starts a server, prints through its first queue, and asks what a person asks.
func (e *env) startOnce(ctx context.Context, names []string, sinks *bench.Sinks, start func() (*server, error)) (m started, err error) {
	began := time.Now()
	s, err := start()
	if err != nil {
		return m, err
	}
	defer s.stop()
	if m.printed, err = e.firstPrinted(ctx, s, names, sinks, began); err != nil {
		return m, err
	}
	if m.list, err = ask(ctx, s, e.spoolhost, len(names), ""); err != nil {
		return m, err
	}
	if m.one, err = ask(ctx, s, e.spoolhost, 1, names[len(names)/2]); err != nil {
		return m, err
	}
	tree, err := procs.NewTree(s.pid())
	if err != nil {
		return m, err
	}
	u, err := tree.Usage(false)
	m.rss, m.tree = float64(u.Root), float64(u.RSS)
	fmt.Fprintf(os.Stderr, "  %-10s printed after %s, list %s, one %s, memory %s\n", s.name,
		report.Time(m.printed), report.Time(m.list), report.Time(m.one), report.Bytes(m.rss))
	return m, err
}

// firstPrinted prints one document, and gives the time since began.
func (e *env) firstPrinted(ctx context.Context, s *server, names []string, sinks *bench.Sinks, began time.Time) (float64, error) {
	p, err := small(1, 1, names[:1])
	if err != nil {
		return 0, err
	}
	r, err := e.load(ctx, s, p, sinks)
	if err != nil {
		return 0, err
	}
	return r.Began.Sub(began).Seconds() + r.EndToEnd.Max, nil
}

// ask runs the command that a person runs: all printers, or one.
func ask(ctx context.Context, s *server, spoolhost string, want int, name string) (float64, error) {
	args := []string{"lpstat", "-h", s.ipp, "-p"}
	if s.api != "" {
		args = []string{spoolhost, "--addr", s.api, "printer", "list"}
		if name != "" {
			args[4] = "show"
		}
	}
	if name != "" {
		args = append(args, name)
	}
	began := time.Now()
	out, err := osexec.CommandContext(ctx, args[0], args[1:]...).Output()
	took := time.Since(began).Seconds()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", strings.Join(args, " "), err)
	}
	if lines := strings.Count(string(out), "\n"); lines < want {
		return 0, fmt.Errorf("%s shows %d lines, want %d", strings.Join(args, " "), lines, want)
	}
	return took, nil
}
