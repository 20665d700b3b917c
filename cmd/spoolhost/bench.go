package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench"
	reports "github.com/spoolhost/spoolhost/cmd/spoolhost/bench/report"
	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/target"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

const benchLong = `Load a print server with documents, and say how fast it is, what it costs, and whether
every byte came out.

The server is the host at --addr by its own API, or with --ipp any server that speaks IPP:
this host, another one, CUPS. With --setup the test makes queues that print to printers of
its own, and removes them at the end. Each document carries who it is and a checksum; the
printers find what is lost, doubled, damaged or misrouted, and the command then exits
with 1.

Without --rate each client submits its next document as soon as the last one is accepted
(or printed, with --wait printed). With --rate documents are due at fixed times whether
or not the server keeps up, and times are counted from when a document was due: a server
that stalls cannot hide it.

Without --setup documents go to --queue NAME. If these queues print to this machine, say
where with --sink; else only accepting is measured, and the documents are really printed.

Ctrl-C ends the test with a report of what it has. Processor time and memory are those of
the server's process and all below it, if it runs on this machine; a server by IPP is
named by --pid.`

const benchExample = `  # How fast is this host?
  spoolhost bench --setup

  # An office: 40 documents a second of mixed sizes for five minutes, with plots
  spoolhost bench --setup --queues 50 --clients 32 --rate 40 --size lognormal:50KB,1.5 --duration 5m --html report.html

  # The same work for a CUPS
  spoolhost bench --ipp ipp://localhost:631 --setup --pid $(pidof cupsd)

  # One large document
  spoolhost bench --setup --queues 1 --clients 1 --count 1 --size 1GiB`

// benchFlags are the flags of bench.
type benchFlags struct {
	ipp, format, size, wait, prefix, html, label string
	setup                                        bool
	queues, clients, count, pid                  int
	queue, sink                                  []string
	rate                                         float64
	duration, drain                              time.Duration
}

func newBenchCommand(opts *options) *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use: "bench", Short: "Measure a print server under load", Long: benchLong, Example: benchExample,
		Args: cobra.NoArgs, ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd, opts) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.ipp, "ipp", "", "load this server by IPP, ipp://HOST:PORT[/PATH] (default the host at --addr, by its API)")
	flags.StringVar(&f.format, "format", "application/octet-stream", "format that documents have by IPP")
	flags.BoolVar(&f.setup, "setup", false, "make the queues, and remove them at the end")
	flags.IntVar(&f.queues, "queues", 10, "how many queues --setup makes")
	flags.StringVar(&f.prefix, "prefix", "bench-", "what the names of these queues begin with")
	flags.StringArrayVar(&f.queue, "queue", nil, "an existing queue to print to; may be repeated")
	flags.StringArrayVar(&f.sink, "sink", nil, "HOST:PORT of this machine where a printer of the test listens; may be repeated (default for --setup: loopback, any port)")
	flags.IntVar(&f.clients, "clients", 8, "clients that submit at a time, each over its own connection")
	flags.StringVar(&f.size, "size", "10KiB", "sizes of the documents: 10KiB, 1KB-1MB, 10KB*8,1MB*2 (weights), or lognormal:50KB,1.2 (median, sigma)")
	flags.Float64Var(&f.rate, "rate", 0, "documents that are due in a second; 0 is as fast as it goes")
	flags.StringVar(&f.wait, "wait", "accepted", "what a client waits for before its next document: accepted or printed")
	flags.IntVar(&f.count, "count", 0, "end after so many documents")
	flags.DurationVar(&f.duration, "duration", 0, "end after this time (default 10s without --count)")
	flags.DurationVar(&f.drain, "drain", time.Minute, "longest time without an arrival, at the end, until documents count as lost")
	flags.IntVar(&f.pid, "pid", 0, "the server's process on this machine, to be measured (by API the host says it)")
	flags.StringVar(&f.html, "html", "", "write a report with plots to this file")
	flags.StringVar(&f.label, "label", "", "name of the run in reports")
	addSpoolerFlag(cmd, opts)
	completeFlag(cmd, "wait", cobra.FixedCompletions([]string{"accepted", "printed"}, cobra.ShellCompDirectiveNoFileComp))
	completeFlag(cmd, "queue", completePrinters(opts, 0))
	for _, flag := range []string{"ipp", "format", "queues", "prefix", "sink", "clients", "size", "rate", "count", "duration", "drain", "pid", "label"} {
		completeFlag(cmd, flag, cobra.NoFileCompletions)
	}
	cmd.AddCommand(newBenchReportCommand())
	return cmd
}

// plan makes a plan of the flags; the queues are not known yet.
func (f *benchFlags) plan(opts *options) (p bench.Plan, err error) {
	if p.Sizes, err = bench.ParseSizes(f.size); err != nil {
		return p, spoolerr.Wrap(err, "--size")
	}
	if f.count == 0 && f.duration == 0 {
		f.duration = 10 * time.Second
	}
	p.Clients, p.Rate, p.Count, p.Duration, p.Drain, p.Label = f.clients, f.rate, f.count, f.duration, f.drain, f.label
	p.Timeout, p.UntilPrinted, p.Queues = opts.timeout, f.wait == "printed", f.queue
	if err := f.check(); err != nil {
		return p, err
	}
	if f.setup {
		p.Queues = []string{f.prefix} // for the check only
	}
	return p, p.Check()
}

// check refuses flags that do not go together.
func (f *benchFlags) check() error {
	const mostQueues = 100_000
	switch {
	case f.wait != "accepted" && f.wait != "printed":
		return usagef("--wait %q is unknown; use accepted or printed", f.wait)
	case f.setup && len(f.queue) > 0:
		return usagef("--setup makes queues, and --queue names some that exist; use one of them")
	case !f.setup && len(f.queue) == 0:
		return usagef("no queue to print to: let --setup make some, or name them with --queue (their printers will print)")
	case f.setup && (f.queues < 1 || f.queues > mostQueues):
		return usagef("--queues %d is not possible; use 1 to %d", f.queues, mostQueues)
	case f.wait == "printed" && !f.setup && len(f.sink) == 0:
		return usagef("--wait printed needs printers of the test: use --setup, or say with --sink where they listen")
	case f.drain <= 0:
		return usagef("--drain %s is not possible; use a time such as 1m", f.drain)
	}
	return nil
}

// run does a load test with everything around it.
func (f *benchFlags) run(cmd *cobra.Command, opts *options) (retErr error) {
	plan, err := f.plan(opts)
	if err != nil {
		return err
	}
	page, err := createReport(f.html)
	if err != nil {
		return err
	}
	defer func() { retErr = errors.Join(retErr, page.close()) }()
	ctx, out := cmd.Context(), newOutput(cmd, opts)
	to, err := f.target(opts)
	if err != nil {
		return err
	}
	defer func() { _ = to.Close() }() // It was a connection only.
	sinks, err := f.listen(ctx)
	if err != nil {
		return err
	}
	if sinks != nil {
		defer sinks.Close()
	}
	progress := newBenchProgress(out)
	defer progress.end()
	if f.setup {
		progress.say("making " + fmt.Sprint(f.queues) + " queues")
		made, err := bench.SetUp(ctx, to, f.prefix, f.queues, sinks)
		if err != nil {
			return err
		}
		plan.Queues = made.Names
		defer func() {
			progress.say("removing the queues")
			retErr = errors.Join(retErr, removeQueues(ctx, made))
		}()
	}
	if f.pid == 0 {
		f.pid = localPid(ctx, to)
	}
	r, err := bench.Run(ctx, plan, bench.Setting{Target: to, Sinks: sinks, Pid: f.pid, Progress: progress.run})
	if err != nil {
		return err
	}
	progress.end()
	return f.tell(out, r, page)
}

// tell shows a result everywhere it is wanted. What went wrong is the error.
func (f *benchFlags) tell(out output, r *bench.Result, page *reportFile) error {
	if err := page.write(reports.Page{Title: "Load test of " + r.Target, Groups: []reports.Group{{Title: r.Work, Results: []*bench.Result{r}}}}); err != nil {
		return err
	}
	var err error
	if out.json {
		err = out.raw(json.Marshal(r))
	} else {
		var b strings.Builder
		benchText(&b, r)
		err = out.text(&b)
	}
	switch {
	case err != nil:
		return err
	case r.Counts.Faults() > 0:
		return spoolerr.New(spoolerr.Corrupt, 0, "%s", faultText(r.Counts))
	case r.Interrupted:
		return spoolerr.New(spoolerr.Cancelled, 0, "interrupted; the report is of what was done until then")
	case r.Counts.Refused > 0:
		return spoolerr.New(spoolerr.Unavailable, 0, "%d of %d documents were refused", r.Counts.Refused, r.Counts.Submitted)
	}
	return nil
}

// benchTarget is a target that is closed at the end.
type benchTarget interface {
	target.Target
	io.Closer
}

func (f *benchFlags) target(opts *options) (benchTarget, error) {
	if f.ipp != "" {
		return target.NewIPP(f.ipp, f.format)
	}
	addr, err := clientAddr(opts.addr)
	if err != nil {
		return nil, err
	}
	return target.NewAPI(addr.String(), opts.spooler, func() (target.Conn, error) {
		c, err := connect(&options{addr: opts.addr, proof: opts.proof}, io.Discard) // the plan bounds each submission
		if err != nil {
			return nil, err
		}
		return c.conn, nil
	})
}

// listen starts the test's printers; nil if there are none.
func (f *benchFlags) listen(ctx context.Context) (*bench.Sinks, error) {
	const most = 64 // more ports than these show no more
	addrs := f.sink
	for f.setup && len(f.sink) == 0 && len(addrs) < min(f.queues, most) {
		addrs = append(addrs, "127.0.0.1:0")
	}
	if len(addrs) == 0 {
		return nil, nil
	}
	return bench.ListenSinks(ctx, addrs, nil)
}

// removeQueues takes the queues away even after Ctrl-C.
func removeQueues(ctx context.Context, made *bench.Queues) error {
	const each = 100 * time.Millisecond
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute+time.Duration(len(made.Names))*each)
	defer cancel()
	return spoolerr.Wrap(made.Remove(ctx), "some queues of the test could not be removed; their names begin with %q", made.Names[0])
}

// localPid is the server's process, if it can be seen from here.
func localPid(ctx context.Context, to target.Target) int {
	pid := to.Pid(ctx)
	if _, err := os.Stat(fmt.Sprintf("/proc/%d/stat", pid)); err != nil {
		return 0
	}
	return pid
}
