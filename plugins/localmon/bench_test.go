package localmon

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/spoolhost/spoolhost/plugins/internal/montest"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a monitor instance with its host and a directory it may print below.
type bench struct {
	*testing.T
	host *montest.Host
	mon  monitor.Monitor
	dir  string
}

// newBench allows a new directory, and others besides.
func newBench(t *testing.T, others ...string) *bench {
	t.Helper()
	b := &bench{T: t, host: montest.NewHost(), dir: filepath.Join(t.TempDir(), "print")}
	if err := os.Mkdir(b.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b.mon = b.instance(append(others, b.dir)...)
	t.Cleanup(func() {
		if n := b.host.Registry.Open(); n != 0 {
			t.Errorf("%d registry keys left open", n)
		}
	})
	return b
}

func (b *bench) instance(allowed ...string) monitor.Monitor {
	b.Helper()
	mon, err := New(allowed)(b.Context(), b.host.Init(Name))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { mon.Shutdown(context.Background()) })
	return mon
}

func (b *bench) xcv(granted spool.Access, object, name string, in []byte) ([]byte, error) {
	b.Helper()
	x, err := b.mon.XcvOpenPort(b.Context(), object, granted)
	if err != nil {
		return nil, err
	}
	defer x.Close(b.Context())
	return x.Data(b.Context(), name, in)
}

func (b *bench) add(name, path string, more ...string) error {
	b.Helper()
	s := map[string]string{"path": path}
	for i := 0; i+1 < len(more); i += 2 {
		s[more[i]] = more[i+1]
	}
	_, err := b.xcv(spool.ServerAccessAdminister, "", portconfig.AddPort, portconfig.Encode(name, s))
	return err
}

func (b *bench) open(name, path string, more ...string) *port {
	b.Helper()
	if err := b.add(name, path, more...); err != nil {
		b.Fatal(err)
	}
	p, err := b.mon.OpenPort(b.Context(), name)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { p.Close(context.Background()) })
	return p.(*port)
}

// print sends a whole document.
func (b *bench) print(p *port, doc spool.Doc, data string) error {
	b.Helper()
	if err := p.StartDoc(b.Context(), doc); err != nil {
		return err
	}
	n, err := p.Write(b.Context(), []byte(data))
	if err == nil && n != len(data) {
		b.Errorf("%d of %d bytes taken", n, len(data))
	}
	return errors.Join(err, p.EndDoc(b.Context(), spool.JobStatusPrinting))
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

// files gives name=content of everything in the directory.
func (b *bench) files() string {
	b.Helper()
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		b.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		data, _ := os.ReadFile(b.path(e.Name()))
		all = append(all, e.Name()+"="+string(data))
	}
	return strings.Join(all, " ")
}

func (b *bench) noJobs() {
	b.Helper()
	if jobs := b.host.Jobs(); len(jobs) != 0 {
		b.Errorf("reported as sent: %v", jobs)
	}
}
