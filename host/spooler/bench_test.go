package spooler_test

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/spooler"
)

// BenchmarkAccept takes documents of 10 KB for a paused printer: both document and record
// are durable when Submit returns.
func BenchmarkAccept(b *testing.B) {
	for _, clients := range []int{1, 8, 32} {
		b.Run(fmt.Sprint("clients=", clients), func(b *testing.B) {
			n := bootBench(b)
			n.ok(n.node().PausePrinter(b.Context(), "p"))
			many(b, clients, func() error { return n.take(paper("x", 10_000)) })
		})
	}
}

// BenchmarkPrint prints documents of 10 KB one after the other, from Submit to the record
// of its end, through a module's process.
func BenchmarkPrint(b *testing.B) {
	n := bootBench(b)
	for b.Loop() {
		j, err := n.node().Submit(b.Context(), spooler.Submission{Printer: "p", User: "ann"}, bytes.NewReader(paper("x", 10_000)))
		n.ok(err)
		n.awaitFinal(j.ID)
	}
}

// BenchmarkPrintLarge prints a document of 64 MiB through a module's process: by descriptor
// (document-fd), and in chunks. The mock monitor reads what its descriptor names, and it and
// the sink have a SHA-256 of every byte, which is most of the time of both ways: this shows
// what changes in the host. How fast a descriptor is, to a real monitor's sendfile, is the
// row "port" of cmd/spoolhost/bench/compare.
func BenchmarkPrintLarge(b *testing.B) {
	for way, file := range map[string]string{"way=descriptor": "yes", "way=chunks": ""} {
		b.Run(way, func(b *testing.B) {
			n := boot(b, nil)
			n.port("A", "to", newSink(b).to(), "file", file)
			n.printer("p", "A")
			data := paper("x", 64<<20)
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				j, err := n.node().Submit(b.Context(), spooler.Submission{Printer: "p", User: "ann"}, bytes.NewReader(data))
				n.ok(err)
				n.awaitFinal(j.ID)
			}
		})
	}
}

func (n *node) take(data []byte) error {
	_, err := n.node().Submit(n.Context(), spooler.Submission{Printer: "p", User: "ann"}, bytes.NewReader(data))
	return err
}

func (n *node) awaitFinal(id uint64) {
	changed, stop := n.node().Queue().Watch(id)
	defer stop()
	for {
		j, err := n.node().Queue().Get(n.Context(), id)
		n.ok(err)
		if j.State.Final() {
			if j.State != job.Printed {
				n.Fatalf("job %d is %s: %s", id, j.State, j.Reason)
			}
			return
		}
		<-changed
	}
}

// many does something b.N times, so many at a time.
func many(b *testing.B, at int, do func() error) {
	b.Helper()
	var workers sync.WaitGroup
	b.ResetTimer()
	for w := range at {
		workers.Go(func() {
			for i := w; i < b.N; i += at {
				if err := do(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	workers.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
}

func bootBench(b *testing.B) *node {
	n := boot(b, nil)
	n.port("A", "to", newSink(b).to())
	n.printer("p", "A")
	return n
}
