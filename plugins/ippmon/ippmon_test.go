package ippmon_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/OpenPrinting/goipp"

	"github.com/spoolhost/spoolhost/plugins/internal/montest"
	"github.com/spoolhost/spoolhost/plugins/ippmon"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/monitortest"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// spooler remembers what the monitor reports.
type spooler struct {
	mu   sync.Mutex
	sent []uint64
	told []spool.PortStatus
}

func (s *spooler) SetJob(_ context.Context, id uint64, _ spool.JobControl) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, id)
	return nil
}

func (s *spooler) SetPort(_ context.Context, _ string, st spool.PortStatus) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = append(s.told, st)
	return nil
}

func (s *spooler) heard(code spool.PortStatusCode) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range s.told {
		if st.Code == code {
			return true
		}
	}
	return false
}

// bench is a monitor with one open port to a printer.
type bench struct {
	*testing.T
	spooler *spooler
	port    monitor.Port
}

func newBench(t *testing.T, uri string, more ...string) *bench {
	t.Helper()
	b := &bench{T: t, spooler: &spooler{}}
	m, err := ippmon.Initialize(t.Context(), monitor.Init{
		MonitorName: ippmon.Name, ServerName: "node", Local: true, Registry: montest.NewRegistry().Root(), Spooler: b.spooler, Logger: slog.New(slog.DiscardHandler),
	})
	b.ok(err)
	settings := map[string]string{"uri": uri, "timeout": "5s", "statusInterval": "0"}
	for i := 0; i+1 < len(more); i += 2 {
		settings[more[i]] = more[i+1]
	}
	x, err := m.XcvOpenPort(t.Context(), "", spool.ServerAccessAdminister)
	b.ok(err)
	_, err = x.Data(t.Context(), "AddPort", portconfig.Encode("P", settings))
	b.ok(err)
	b.port, err = m.OpenPort(t.Context(), "P")
	b.ok(err)
	t.Cleanup(func() {
		b.ok(b.port.Close(context.Background()))
		b.ok(m.Shutdown(context.Background()))
	})
	return b
}

func (b *bench) ok(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// print prints a document in pieces and gives how that ended.
func (b *bench) print(data []byte) error {
	ctx, cancel := context.WithTimeout(b.Context(), 30*time.Second)
	defer cancel()
	err := b.port.StartDoc(ctx, spool.Doc{JobID: 7, Title: "Größe", User: "ann", Datatype: "RAW", Size: int64(len(data)), Attempt: 1})
	for len(data) > 0 && err == nil {
		var n int
		n, err = b.port.Write(ctx, data[:min(len(data), 100_000)])
		data = data[n:]
	}
	if err != nil {
		_ = b.port.EndDoc(ctx, spool.JobStatusRestart)
		return err
	}
	return b.port.EndDoc(ctx, spool.JobStatusPrinting)
}

func document(n int) []byte { return append([]byte("%PDF-1.7 "), bytes.Repeat([]byte("x"), n)...) }

func TestPrints(t *testing.T) {
	for _, old := range []bool{false, true} {
		f := newFake(t, false)
		f.old = old
		b := newBench(t, f.uri())
		want := document(1 << 20)
		b.ok(b.print(want))
		b.ok(b.print(want))
		if got := f.got(); len(got) != 2 || !bytes.Equal(got[0], want) || f.saw(goipp.OpCreateJob) == old || f.saw(goipp.OpPrintJob) != old {
			t.Errorf("old %v: %d documents by %v", old, len(got), f.seen)
		}
		if len(b.spooler.sent) != 2 || b.spooler.sent[0] != 7 {
			t.Errorf("reported: %v", b.spooler.sent)
		}
	}
}

// What becomes of the job at the printer decides what becomes of it here.
func TestFollows(t *testing.T) {
	f := newFake(t, false)
	b := newBench(t, f.uri())
	for state, says := range map[int]string{7: "canceled at the printer after 3 sheets", 8: "given up by the printer after 3 sheets"} {
		f.end = state
		if err := b.print(document(10)); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "job-canceled-at-device") {
			t.Errorf("state %d: %v", state, err)
		}
	}
	if len(b.spooler.sent) != 0 {
		t.Error("a lost job was reported as sent")
	}
	f.end, f.reasons = 5, []string{"media-empty-error"}
	b = newBench(t, f.uri(), "followTimeout", "300ms")
	b.ok(b.print(document(10))) // it has the document and waits for paper
	if !b.spooler.heard(spool.PortStatusPaperOut) {
		t.Errorf("the spooler heard %v", b.spooler.told)
	}
}

func TestRefusals(t *testing.T) {
	f := newFake(t, false)
	f.formats = []string{"image/urf"}
	b := newBench(t, f.uri())
	if err := b.print(document(10)); err == nil || !strings.Contains(err.Error(), "does not take application/pdf") {
		t.Errorf("a format: %v", err)
	}
	f.formats = nil
	for _, op := range []goipp.Op{goipp.OpGetPrinterAttributes, goipp.OpCreateJob, goipp.OpSendDocument} {
		f.before = func(o goipp.Op) goipp.Status {
			if o == op {
				return goipp.StatusErrorNotAuthorized
			}
			return goipp.StatusOk
		}
		if err := b.print(document(5 << 20)); !errors.Is(err, spoolerr.Denied) || !strings.Contains(err.Error(), op.String()) {
			t.Errorf("%v refused: %v", op, err)
		}
	}
	f.before = nil
	b.ok(b.print(document(10)))
	b = newBench(t, "ipp://127.0.0.1:1/ipp/print")
	if err := b.print(document(10)); !errors.Is(err, spoolerr.Unavailable) {
		t.Errorf("nobody there: %v", err)
	}
}

// A document that is given up is cancelled at the printer, which gets no whole one.
func TestGivenUp(t *testing.T) {
	f := newFake(t, false)
	b := newBench(t, f.uri())
	ctx := t.Context()
	b.ok(b.port.StartDoc(ctx, spool.Doc{JobID: 1, Size: 100}))
	_, err := b.port.Write(ctx, document(10))
	b.ok(err)
	b.ok(b.port.EndDoc(ctx, spool.JobStatusDeleting))
	if len(f.got()) != 0 || !f.saw(goipp.OpCancelJob) {
		t.Errorf("the printer has %d documents and saw %v", len(f.got()), f.seen)
	}
	b.ok(b.print(document(10)))
}

// A printer that takes no data makes Write say so, and goes on when it does.
func TestStalled(t *testing.T) {
	f := newFake(t, false)
	f.stalled = make(chan struct{})
	b := newBench(t, f.uri(), "writeTimeout", "50ms")
	ctx := t.Context()
	data := document(32 << 20)
	b.ok(b.port.StartDoc(ctx, spool.Doc{JobID: 1, Size: int64(len(data))}))
	rest, waited := data, false
	for len(rest) > 0 {
		n, err := b.port.Write(ctx, rest[:min(len(rest), 512<<10)])
		rest = rest[n:]
		if errors.Is(err, spoolerr.NotReady) && !waited {
			waited = true
			close(f.stalled)
		} else if err != nil && !errors.Is(err, spoolerr.NotReady) {
			t.Fatal(err)
		}
	}
	b.ok(b.port.EndDoc(ctx, spool.JobStatusPrinting))
	if got := f.got(); !waited || len(got) != 1 || !bytes.Equal(got[0], data) {
		t.Errorf("waited %v, %d documents", waited, len(got))
	}
}

func TestPins(t *testing.T) {
	f := newFake(t, true)
	sum := sha256.Sum256(f.Certificate().Raw)
	pin := hex.EncodeToString(sum[:])
	b := newBench(t, f.uri())
	if err := b.print(document(10)); !errors.Is(err, spoolerr.Denied) || !strings.Contains(err.Error(), "pin="+pin) {
		t.Errorf("an unknown certificate: %v", err)
	}
	b = newBench(t, f.uri(), "pin", strings.ToUpper(pin))
	b.ok(b.print(document(10)))
	b = newBench(t, f.uri(), "pin", strings.Repeat("ab", 32))
	if err := b.print(document(10)); !errors.Is(err, spoolerr.Denied) || !strings.Contains(err.Error(), pin) {
		t.Errorf("another certificate: %v", err)
	}
}

func TestState(t *testing.T) {
	f := newFake(t, false)
	f.reasons = []string{"toner-low-report", "media-jam-error", "other"}
	b := newBench(t, f.uri(), "statusInterval", "10s")
	montest.Until(t, "the spooler hears of the jam", func() bool { return b.spooler.heard(spool.PortStatusPaperJam) })
}

// kitDevice is the fake printer as the conformance kit sees it.
type kitDevice struct{ *fake }

func (d *kitDevice) Vars() map[string]string { return map[string]string{"printer": d.uri()} }

func (d *kitDevice) Take() (data []byte, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	data = bytes.Join(d.documents, nil)
	d.documents, d.seen = nil, nil
	return data, nil
}

func (d *kitDevice) Stall(bool) bool { return false }

func (d *kitDevice) Close() error {
	d.Server.Close()
	return nil
}

func TestConformance(t *testing.T) {
	monitortest.Run(t, monitortest.Serve(ippmon.Initialize), monitortest.Options{
		Settings: map[string]string{"uri": "{{printer}}", "timeout": "3s", "writeTimeout": "1s", "statusInterval": "0"},
		Device:   func(string) (monitortest.Device, error) { return &kitDevice{newFake(t, false)}, nil },
	})
}
