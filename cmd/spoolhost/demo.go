package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/spoolhost/spoolhost/host"
	"github.com/spoolhost/spoolhost/host/hosttest"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

const demoLong = `Show the main job in a minute, with nothing to set up.

In a temporary directory and on free ports of this machine it starts a host, a small
network printer (a sink that keeps count of every byte), a TCP/IP port and a queue. It
prints FILE, or a PDF that it makes, and kills the monitor's process in the middle of it.
Then it shows what the host did about that, and compares what was sent with what arrived.
It exits with 0 only if they are equal.`

const demoExample = `  spoolhost demo
  spoolhost demo report.pdf
  spoolhost demo --keep`

func newDemoCommand() *cobra.Command {
	var keep bool
	cmd := &cobra.Command{
		Use: "demo [FILE]", Short: "See a document survive the death of its monitor", Long: demoLong, Example: demoExample,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			doc, title, err := demoDocument(args)
			if err != nil {
				return err
			}
			d := &demo{out: cmd.OutOrStdout(), doc: doc, title: title, began: time.Now(), killed: make(chan struct{})}
			return d.run(cmd.Context(), keep)
		},
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "keep everything running afterwards, to play with, until Ctrl-C")
	return cmd
}

// demoDocument is the file named, or a PDF of twelve pages.
func demoDocument(args []string) (doc []byte, title string, err error) {
	if len(args) == 0 {
		const pages = 12
		return makePDF(pages), "spoolhost-demo.pdf", nil
	}
	doc, err = os.ReadFile(args[0])
	switch {
	case os.IsNotExist(err):
		return nil, "", spoolerr.New(spoolerr.NotFound, 0, "file %s does not exist", args[0])
	case err != nil:
		return nil, "", spoolerr.As(err, spoolerr.Denied, "file %s cannot be read", args[0])
	case len(doc) == 0:
		return nil, "", usagef("file %s is empty; a printer would print nothing", args[0])
	}
	return doc, filepath.Base(args[0]), nil
}

// demo is one run of the demonstration.
type demo struct {
	out   io.Writer
	doc   []byte
	title string
	began time.Time

	dir  string
	sink *hosttest.Sink
	api  *demoAPI

	once   sync.Once
	killed chan struct{} // closed when the sink may take the rest
}

func (d *demo) say(format string, args ...any) {
	fmt.Fprintf(d.out, "%6.2fs  %s\n", time.Since(d.began).Seconds(), fmt.Sprintf(format, args...))
}

func (d *demo) letGo() { d.once.Do(func() { close(d.killed) }) }

// run does everything in order and takes it down again.
func (d *demo) run(ctx context.Context, keep bool) (retErr error) {
	const limit = 2 * time.Minute
	var err error
	if d.dir, err = os.MkdirTemp("", "spoolhost-demo-"); err != nil {
		return spoolerr.As(err, spoolerr.Unavailable, "temporary directory")
	}
	defer func() { _ = os.RemoveAll(d.dir) }()
	if d.sink, err = hosttest.NewSink(d.holdBack); err != nil {
		return spoolerr.As(err, spoolerr.Unavailable, "the demo's printer")
	}
	defer d.sink.Close()
	defer d.letGo()
	stop, err := d.startHost(ctx)
	if err != nil {
		return err
	}
	defer func() {
		d.letGo()
		if err := stop(); retErr == nil {
			retErr = err
		}
	}()
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := d.show(bounded); err != nil {
		return err
	}
	if keep {
		d.play(ctx)
	}
	return nil
}

// startHost starts a host in this process; its modules are processes of their own.
func (d *demo) startHost(ctx context.Context) (stop func() error, err error) {
	cfg := host.DefaultConfig()
	cfg.Data, cfg.Listen = filepath.Join(d.dir, "data"), []string{"unix:" + filepath.Join(d.dir, "api.sock")}
	cfg.Version, cfg.Logger = wire.BuildVersion(), hclog.NewNullLogger()
	if cfg.Builtins, err = builtins(cfg); err != nil {
		return nil, err
	}
	h, err := host.New(ctx, cfg)
	if err != nil {
		return nil, err
	}
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- h.Run(running) }()
	stop = func() error {
		d.api.close()
		end()
		err := <-done
		_ = h.Close()
		return err
	}
	select {
	case <-h.Ready():
	case err := <-done:
		end()
		_ = h.Close()
		return nil, err
	}
	d.api, err = dialDemo(h.Addrs()[0])
	d.say("A host is running. It keeps everything in %s.", cfg.Data)
	return stop, err
}

// holdBack makes the sink a slow printer: of the first document it takes a third, and no
// more until the monitor has been killed.
func (d *demo) holdBack(conn int, received int64) {
	if conn == 0 && received >= int64(len(d.doc))/3 {
		<-d.killed
	}
}

// show prints the document, kills the monitor in the middle, and compares.
func (d *demo) show(ctx context.Context) error {
	if err := d.api.setUp(ctx, d.sink.Port()); err != nil {
		return err
	}
	d.say("A network printer listens on 127.0.0.1:%d; port %s leads to it, printer %s prints to that port.", d.sink.Port(), demoPort, demoPrinter)
	before, err := d.api.process(ctx)
	if err != nil {
		return err
	}
	d.say("Port %s belongs to monitor %q, which is another process: pid %d.", demoPort, demoMonitor, before.GetPid())
	sent := sha256.Sum256(d.doc)
	job, err := d.api.submit(ctx, d.title, d.doc)
	if err != nil {
		return err
	}
	d.say("Job %d is accepted: %s, %s. Document and record are on disk.", job.GetId(), d.title, size(uint64(len(d.doc))))
	if err := d.kill(ctx, int(before.GetPid())); err != nil {
		return err
	}
	if job, err = waitJob(ctx, d.api.call, job); err != nil {
		return err
	}
	d.say("Job %d is %s. Its attempts:", job.GetId(), job.GetState())
	for _, a := range job.GetAttempts() {
		fmt.Fprintf(d.out, "           %d. incarnation %d: %s after %s of %s%s\n", a.GetNumber(), a.GetIncarnation(), a.GetOutcome(),
			size(a.GetBytesSent()), size(job.GetSize()), because(a.GetError()))
	}
	return d.compare(ctx, hex.EncodeToString(sent[:]))
}

// kill waits until a third of the document is at the printer, and kills the monitor.
func (d *demo) kill(ctx context.Context, pid int) error {
	third := int64(len(d.doc)) / 3
	err := d.sink.Wait(ctx, func(r []hosttest.Receipt) bool { return len(r) > 0 && r[0].Bytes >= third })
	if err != nil {
		return spoolerr.As(err, spoolerr.TimedOut, "the document did not reach the printer")
	}
	p, err := os.FindProcess(pid)
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		return spoolerr.As(err, spoolerr.Unavailable, "cannot kill the monitor")
	}
	d.say("%s have reached the printer: the monitor is killed now (kill -9 %d).", size(uint64(d.sink.Receipts()[0].Bytes)), pid)
	d.letGo()
	after, err := d.api.successor(ctx, int32(pid))
	if err != nil {
		return err
	}
	d.say("The host noticed and started it again: pid %d, incarnation %d. The job starts from its first byte.", after.GetPid(), after.GetIncarnation())
	return nil
}

// compare holds what was sent against the last connection that the printer saw.
func (d *demo) compare(ctx context.Context, sent string) error {
	err := d.sink.Wait(ctx, func(r []hosttest.Receipt) bool { return len(r) > 1 && !r[len(r)-1].Ended.IsZero() })
	if err != nil {
		return spoolerr.As(err, spoolerr.TimedOut, "the printer saw no second connection")
	}
	receipts := d.sink.Receipts()
	d.say("What the printer saw:")
	for i, r := range receipts {
		fmt.Fprintf(d.out, "           connection %d: %d bytes\n", i+1, r.Bytes)
	}
	last := receipts[len(receipts)-1]
	fmt.Fprintf(d.out, "         sent     %9d bytes  SHA-256 %s\n         arrived  %9d bytes  SHA-256 %s\n", len(d.doc), sent, last.Bytes, last.SHA256)
	if last.SHA256 != sent {
		return spoolerr.New(spoolerr.Corrupt, 0, "what arrived is not what was sent")
	}
	d.say("Equal: the document is whole, although its monitor died in the middle of it.")
	return nil
}

// play waits for Ctrl-C.
func (d *demo) play(ctx context.Context) {
	fmt.Fprintf(d.out, `
Everything keeps running until Ctrl-C. In another terminal:

  export SPOOLHOST_ADDR=unix:%s
  spoolhost status
  spoolhost job list --all
  spoolhost why job 1
  spoolhost monitor show %q
  echo hello | spoolhost print -p %s --wait
`, filepath.Join(d.dir, "api.sock"), demoMonitor, demoPrinter)
	<-ctx.Done()
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + clean(reason)
}
