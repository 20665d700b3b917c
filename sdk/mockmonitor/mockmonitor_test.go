package mockmonitor_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spoolhost/spoolhost/sdk/mockmonitor"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/registry/registrytest"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// reports is the spooler's side.
type reports struct {
	mu    sync.Mutex
	jobs  []uint64
	ports []string
}

func (r *reports) SetJob(_ context.Context, job uint64, _ spool.JobControl) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.jobs = append(r.jobs, job)
	return nil
}

func (r *reports) SetPort(_ context.Context, _ string, s spool.PortStatus) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ports = append(r.ports, s.String())
	return nil
}

// port makes an instance with one port, and opens it.
func port(t *testing.T, mock *mockmonitor.Mock, settings map[string]string) (monitor.Port, *reports, *strings.Builder) {
	t.Helper()
	r, log := &reports{}, &strings.Builder{}
	m, err := mock.Initialize(t.Context(), monitor.Init{
		ServerName: "S", Registry: registrytest.New().Root(), Spooler: r, Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	check(t, err)
	x, err := m.XcvOpenPort(t.Context(), "", spool.ServerAccessAdminister)
	check(t, err)
	_, err = x.Data(t.Context(), portconfig.AddPort, portconfig.Encode("P", settings))
	check(t, err)
	p, err := m.OpenPort(t.Context(), "p")
	check(t, err)
	return p, r, log
}

func TestFaults(t *testing.T) {
	record := filepath.Join(t.TempDir(), "calls")
	mock := mockmonitor.New(mockmonitor.Options{Settings: map[string]string{"record": record}})
	p, r, log := port(t, mock, map[string]string{
		"notready": "2", "short": "4", "status": "paper out", "noise": "3", "fail": "write", "at": "6", "kind": "no space", "only": "1",
	})
	check(t, p.StartDoc(t.Context(), spool.Doc{JobID: 7, Attempt: 1}))
	for _, want := range []struct {
		n   int
		err error
	}{{0, spoolerr.NotReady}, {0, spoolerr.NotReady}, {4, nil}, {2, nil}, {0, spoolerr.NoSpace}} {
		if n, err := p.Write(t.Context(), []byte("0123456789")); n != want.n || !errors.Is(err, want.err) {
			t.Errorf("Write: %d, %v, want %d, %v", n, err, want.n, want.err)
		}
	}
	check(t, p.EndDoc(t.Context(), spool.JobStatusRestart))
	if len(r.jobs) != 0 || strings.Join(r.ports, ",") != "paper out,ready" || strings.Count(log.String(), "noise") != 3 {
		t.Errorf("jobs %v, ports %q, log %q", r.jobs, r.ports, log)
	}
	check(t, p.StartDoc(t.Context(), spool.Doc{JobID: 7, Attempt: 2}))
	for left := 10; left > 0; {
		n, err := p.Write(t.Context(), make([]byte, left))
		if left -= n; err != nil && !errors.Is(err, spoolerr.NotReady) {
			t.Fatal(err)
		}
	}
	check(t, p.EndDoc(t.Context(), spool.JobStatusPrinting))
	docs := mock.Documents()
	if len(docs) != 2 || docs[0].Bytes != 6 || docs[0].Sent || docs[1].Bytes != 10 || !docs[1].Sent || len(r.jobs) != 1 {
		t.Errorf("documents %+v, jobs %v", docs, r.jobs)
	}
	text, err := os.ReadFile(record)
	check(t, err)
	if !strings.Contains(string(text), `"Method":"end","Port":"P"`) || strings.Count(string(text), "\n") < 10 {
		t.Errorf("recorded %s", text)
	}
}

func TestHangObeys(t *testing.T) {
	p, _, _ := port(t, mockmonitor.New(mockmonitor.Options{}), map[string]string{"hang": "start", "obeys": "yes", "delay": "1ms"})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := p.StartDoc(ctx, spool.Doc{JobID: 1}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a hanging StartDoc that was cancelled: %v", err)
	}
}

func TestBefore(t *testing.T) {
	broken := errors.New("as scripted")
	mock := mockmonitor.New(mockmonitor.Options{Before: func(_ context.Context, c mockmonitor.Call) error {
		if c.Method == "end" && c.Job == 3 {
			return broken
		}
		return nil
	}})
	p, r, _ := port(t, mock, nil)
	for job := range uint64(4) {
		check(t, p.StartDoc(t.Context(), spool.Doc{JobID: job}))
		if err := p.EndDoc(t.Context(), spool.JobStatusPrinting); errors.Is(err, broken) != (job == 3) {
			t.Errorf("EndDoc of job %d: %v", job, err)
		}
	}
	if len(r.jobs) != 3 {
		t.Errorf("jobs %v", r.jobs)
	}
	var methods []string
	for _, c := range mock.Calls()[:5] {
		methods = append(methods, c.Method)
	}
	if got := strings.Join(methods, " "); got != "init xcv open start end" {
		t.Errorf("calls %s", got)
	}
}

func TestSettingsAreRefused(t *testing.T) {
	m, err := mockmonitor.New(mockmonitor.Options{}).Initialize(t.Context(), monitor.Init{Registry: registrytest.New().Root(), Logger: slog.New(slog.DiscardHandler)})
	check(t, err)
	x, err := m.XcvOpenPort(t.Context(), "", spool.ServerAccessAdminister)
	check(t, err)
	for key, value := range map[string]string{
		"crash": "never", "hang": "often", "fail": "?", "kind": "sad", "confirm": "perhaps", "short": "0", "at": "-1", "delay": "1", "other": "x",
	} {
		_, err := x.Data(t.Context(), portconfig.AddPort, portconfig.Encode("P", map[string]string{key: value}))
		if !errors.Is(err, spoolerr.Invalid) || !strings.Contains(err.Error(), key) {
			t.Errorf("%s=%s: %v", key, value, err)
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
