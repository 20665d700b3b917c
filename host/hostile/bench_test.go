//go:build linux

package hostile

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/host"
	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/hosttest"
	"github.com/spoolhost/spoolhost/host/hosttest/poll"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/spooler"
)

// BenchmarkHungMonitor prints on four queues, by turns with and without a monitor beside
// them that hangs in every call: its calls time out, it is ended and started again all the
// while. The metric ratio is the throughput with it by that without; one iteration is a
// turn of each.
func BenchmarkHungMonitor(b *testing.B) {
	const queues, documents, size = 4, 40, 64 << 10
	node := hungHost(b, queues)
	var took [2]time.Duration
	turn := func(hung bool) {
		if hung {
			_ = node.ResumeMonitor("Hung") // if it waits, or is quarantined
			check(b, node.ResumePrinter(b.Context(), "hung"))
		}
		began := time.Now()
		printMany(b, node, queues, documents, size)
		if hung {
			took[1] += time.Since(began)
			check(b, node.PausePrinter(b.Context(), "hung"))
			quiet(b, node)
			return
		}
		took[0] += time.Since(began)
	}
	turn(false) // warms up
	took[0] = 0
	for i := range b.N { // not Loop: a turn is long, and what is between the turns counts for nothing
		for _, hung := range []bool{i%2 == 0, i%2 == 1} {
			turn(hung)
		}
	}
	printed := float64(b.N * queues * documents)
	b.ReportMetric(printed/took[0].Seconds(), "docs/s-alone")
	b.ReportMetric(printed/took[1].Seconds(), "docs/s-beside-hung")
	b.ReportMetric(took[0].Seconds()/took[1].Seconds(), "ratio")
	b.ReportMetric(0, "ns/op")
}

func hungHost(b *testing.B, queues int) *spooler.Spooler {
	dir, err := os.MkdirTemp("", "sh")
	check(b, err)
	cfg := host.DefaultConfig()
	cfg.Data, cfg.Listen = filepath.Join(dir, "data"), []string{"unix:" + filepath.Join(dir, "api")}
	hung := hosttest.Monitor("Hung")
	hung.Options.CallTimeout, hung.Options.ResourceTimeout = time.Second, time.Second
	cfg.Builtins = []catalog.Monitor{hosttest.Monitor(goodName), hung}
	cfg.Limits.Grace = 200 * time.Millisecond
	h, err := host.New(context.Background(), cfg)
	check(b, err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	b.Cleanup(func() {
		stop()
		check(b, <-done)
		check(b, h.Close())
		_ = os.RemoveAll(dir)
	})
	<-h.Ready()
	node := h.Node()
	for i := range queues {
		addQueue(b, node, goodName, fmt.Sprint(goodName, i), nil)
	}
	addQueue(b, node, "Hung", "hung", map[string]string{"hang": "write"})
	unlimited := uint32(0)
	check(b, node.UpdatePrinter(b.Context(), "hung", spooler.Settings{MaxAttempts: &unlimited}))
	check(b, node.PausePrinter(b.Context(), "hung"))
	_, err = node.Submit(b.Context(), spooler.Submission{Printer: "hung", User: "ann"}, bytes.NewReader(make([]byte, 1000)))
	check(b, err)
	return node
}

func addQueue(b *testing.B, node *spooler.Spooler, monitor, name string, settings map[string]string) {
	check(b, node.AddPort(b.Context(), name, monitor, settings))
	check(b, node.AddPrinter(b.Context(), name, spooler.Settings{Ports: []string{name}}))
}

// printMany prints documents on each queue, one after the other, all queues at once.
func printMany(b *testing.B, node *spooler.Spooler, queues, documents, size int) {
	data := make([]byte, size)
	var all sync.WaitGroup
	for q := range queues {
		all.Go(func() {
			for range documents {
				j, err := node.Submit(b.Context(), spooler.Submission{Printer: fmt.Sprint(goodName, q), User: "ann"}, bytes.NewReader(data))
				if err != nil {
					b.Error(err)
					return
				}
				changed, stop := node.Queue().Watch(j.ID)
				for !j.State.Final() && err == nil {
					<-changed
					j, err = node.Queue().Get(b.Context(), j.ID)
				}
				stop()
			}
		})
	}
	all.Wait()
}

// quiet waits until the hung document is out of its port.
func quiet(b *testing.B, node *spooler.Spooler) {
	poll.Until(b, "the hung attempt ends", func() bool {
		for _, j := range node.Queue().Active("hung") {
			if j.State == job.Printing {
				return false
			}
		}
		return true
	})
}
