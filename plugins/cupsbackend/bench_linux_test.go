package cupsbackend

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/spoolhost/spoolhost/plugins/internal/montest"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a monitor whose backends are shell scripts.
type bench struct {
	*montest.Bench
	dir string // of the backends
	out string // where they leave what they got
}

// newBench makes the backends: scheme to script. A script finds a directory for its
// results in $OUT.
func newBench(t *testing.T, scripts map[string]string) *bench {
	t.Helper()
	b := &bench{dir: filepath.Join(t.TempDir(), "backend"), out: t.TempDir()}
	if err := os.Mkdir(b.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for scheme, script := range scripts {
		b.write(t, scheme, script, 0o755)
	}
	b.Bench = montest.NewBench(t, Name, New([]string{b.dir}, ""))
	return b
}

func (b *bench) write(t *testing.T, name, script string, mode os.FileMode) {
	t.Helper()
	path := filepath.Join(b.dir, name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\nOUT="+b.out+"\n"+script), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// result waits for what a script leaves in $OUT.
func (b *bench) result(name string) string {
	b.Helper()
	var data []byte
	montest.Until(b, "the backend leaves "+name, func() bool {
		var err error
		data, err = os.ReadFile(filepath.Join(b.out, name))
		return err == nil
	})
	return string(data)
}

func (b *bench) open(uri string, more ...string) monitor.Port {
	b.Helper()
	settings := map[string]string{"uri": uri}
	for i := 0; i+1 < len(more); i += 2 {
		settings[more[i]] = more[i+1]
	}
	return b.Open("lp1", settings)
}

func doc() spool.Doc {
	return spool.Doc{JobID: 7, Attempt: 1, Printer: "Office", Title: "A  \n title", User: "ann"}
}

func lastStatus(b *bench) spool.PortStatus {
	reports := b.Host.Ports()
	if len(reports) == 0 {
		return spool.PortStatus{}
	}
	return reports[len(reports)-1].Status
}

// waitStatus waits for a report.
func (b *bench) waitStatus(ok func(spool.PortStatus) bool) spool.PortStatus {
	b.Helper()
	var s spool.PortStatus
	montest.Until(b, "the report comes", func() bool {
		s = lastStatus(b)
		return ok(s)
	})
	return s
}

func environ(text string) map[string]string {
	env := map[string]string{}
	for l := range strings.Lines(text) {
		k, v, _ := strings.Cut(strings.TrimSuffix(l, "\n"), "=")
		env[k] = v
	}
	return env
}
