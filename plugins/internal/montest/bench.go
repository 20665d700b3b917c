package montest

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Bench is a monitor instance with its host. The test's end shuts the instance down, and
// looks that it left no registry key open.
type Bench struct {
	*testing.T
	Host    *Host
	Monitor monitor.Monitor
}

// NewBench initialises a monitor.
func NewBench(t *testing.T, name string, initialize monitor.Initialize) *Bench {
	t.Helper()
	b := &Bench{T: t, Host: NewHost()}
	mon, err := initialize(t.Context(), b.Host.Init(name))
	if err != nil {
		t.Fatal(err)
	}
	b.Monitor = mon
	t.Cleanup(func() {
		if err := mon.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if n := b.Host.Registry.Open(); n != 0 {
			t.Errorf("%d registry keys left open", n)
		}
	})
	return b
}

// Xcv carries one command out.
func (b *Bench) Xcv(granted spool.Access, object, name string, in []byte) ([]byte, error) {
	b.Helper()
	x, err := b.Monitor.XcvOpenPort(b.Context(), object, granted)
	if err != nil {
		return nil, err
	}
	defer func() { _ = x.Close(b.Context()) }()
	return x.Data(b.Context(), name, in)
}

// Admin carries a command out on the monitor, as an administrator.
func (b *Bench) Admin(name string, in []byte) error {
	b.Helper()
	_, err := b.Xcv(spool.ServerAccessAdminister, "", name, in)
	return err
}

// Add adds a port.
func (b *Bench) Add(name string, settings map[string]string) error {
	b.Helper()
	return b.Admin(portconfig.AddPort, portconfig.Encode(name, settings))
}

// Open adds a port and opens it.
func (b *Bench) Open(name string, settings map[string]string) monitor.Port {
	b.Helper()
	if err := b.Add(name, settings); err != nil {
		b.Fatal(err)
	}
	p, err := b.Monitor.OpenPort(b.Context(), name)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = p.Close(context.Background()) })
	return p
}

// Settings asks for a port's settings.
func (b *Bench) Settings(name string) map[string]string {
	b.Helper()
	out, err := b.Xcv(0, "", portconfig.GetConfigInfo, portconfig.Encode(name, nil))
	var c portconfig.Config
	if err == nil {
		err = json.Unmarshal(out, &c)
	}
	if err != nil {
		b.Fatal(err)
	}
	return c.Settings
}

// Print prints a whole document, and asks again while the device is not ready.
func Print(ctx context.Context, p monitor.Port, doc spool.Doc, data string) error {
	doc.Size = int64(len(data))
	if err := p.StartDoc(ctx, doc); err != nil {
		return err
	}
	for rest := []byte(data); len(rest) > 0; {
		n, err := p.Write(ctx, rest)
		rest = rest[n:]
		if err != nil && !errors.Is(err, spoolerr.NotReady) {
			return errors.Join(err, p.EndDoc(ctx, spool.JobStatusDeleting))
		}
	}
	return p.EndDoc(ctx, spool.JobStatusPrinting)
}

// WantError demands an error's kind, words, and code if it is not 0.
func WantError(t *testing.T, err error, kind spoolerr.Kind, code spoolerr.Code, words ...string) {
	t.Helper()
	if !errors.Is(err, kind) || code != 0 && !errors.Is(err, code) {
		t.Fatalf("got %v (%v, %v), want %v, %v", err, spoolerr.KindOf(err), spoolerr.CodeOf(err), kind, code)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not say %q", err, w)
		}
	}
}
