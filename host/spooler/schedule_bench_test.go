package spooler

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/host/document"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/registry"
	"github.com/spoolhost/spoolhost/host/store"
)

// BenchmarkSchedule is the decision what a port prints next, beside many printers that
// have nothing to do.
func BenchmarkSchedule(b *testing.B) {
	for _, printers := range []int{1, 10_000} {
		b.Run(fmt.Sprint("printers=", printers), func(b *testing.B) {
			db, err := store.OpenBolt(filepath.Join(b.TempDir(), "db"), store.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			q, _, err := job.Open(b.Context(), db, NodeName, time.Now)
			if err != nil {
				b.Fatal(err)
			}
			s := newSpooler(Config{Name: NodeName, Queue: q, Registry: registry.New(db, registry.Options{}), Now: time.Now})
			for i := range printers {
				r := newRecord(fmt.Sprint("p", i), time.Now())
				r.Ports = []string{fmt.Sprint("port", i)}
				s.adopt(&printer{record: r})
			}
			j, err := q.Accept(b.Context(), job.Job{Printer: "p0", Document: document.Ref{ID: "d", Size: 1}})
			if err != nil {
				b.Fatal(err)
			}
			p := s.port("port0")
			for b.Loop() {
				s.mu.Lock()
				_, next := s.next(p)
				s.mu.Unlock()
				if next == nil || !q.Take(next.ID) {
					b.Fatal("there is no job")
				}
				q.Return(j.ID)
			}
		})
	}
}
