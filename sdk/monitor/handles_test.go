package monitor

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

type nothing struct{}

func (nothing) StartDoc(context.Context, spool.Doc) error     { return nil }
func (nothing) Write(context.Context, []byte) (int, error)    { return 0, nil }
func (nothing) EndDoc(context.Context, spool.JobStatus) error { return nil }
func (nothing) Close(context.Context) error                   { return nil }

// TestTakeClosedMeanwhile: a call that waited for its turn while the port was closed must
// not reach an author who has let go of the port.
func TestTakeClosedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h handles
		port := h.add(1, nothing{})
		_, _, leave, err := take[Port](t.Context(), &h, port)
		if err != nil {
			t.Fatal(err)
		}
		waited := make(chan error, 1)
		go func() {
			_, _, _, err := take[Port](t.Context(), &h, port)
			waited <- err
		}()
		synctest.Wait() // the second call is in the queue
		h.remove(port)
		leave()
		if err := spoolgrpc.FromStatus(<-waited); spoolerr.KindOf(err) != spoolerr.BadHandle {
			t.Errorf("error %v", err)
		}
	})
}

func TestHandlesAreNeverReused(t *testing.T) {
	var h handles
	seen := map[uint64]bool{0: true}
	for range 100 {
		m := h.add(0, nothing{})
		p := h.add(m, nothing{})
		if seen[m] || seen[p] {
			t.Fatalf("handles %d and %d were given before", m, p)
		}
		seen[m], seen[p] = true, true
		h.remove(m)
		h.remove(m)
		if len(h.entries) != 0 {
			t.Fatalf("left after the monitor: %v", h.entries)
		}
	}
}
