package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench"
)

// The command as its user runs it, against a host in a process of its own.
func TestBench(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	dir := shortDir(t)
	host := startServe(ctx, t, dir)
	s := shell{t, host.addr}
	page := filepath.Join(dir, "report.html")

	text := s.ok("bench", "--setup", "--queues", "3", "--count", "30", "--clients", "4", "--html", page)
	for _, want := range []string{"4 clients, 3 queues", "30 documents", "nothing lost, nothing twice", "p99.9", "end to end", "a document, with all its processes"} {
		if !strings.Contains(text, want) {
			t.Errorf("the report does not say %q:\n%s", want, text)
		}
	}
	if html, err := os.ReadFile(page); err != nil || !strings.Contains(string(html), "<svg") {
		t.Errorf("no page with plots: %v", err)
	}
	if left := s.ok("printer", "list") + s.ok("port", "list"); strings.Contains(left, "bench-") {
		t.Errorf("queues are left behind:\n%s", left)
	}

	// Ctrl-C: the report is of what was done, and the queues are gone.
	interrupted, interrupt := context.WithCancel(ctx)
	var out, errOut bytes.Buffer
	time.AfterFunc(2*time.Second, interrupt)
	code := run(interrupted, []string{"--addr", host.addr, "bench", "--setup", "--duration", "1h", "--rate", "20", "-o", "json"}, strings.NewReader(""), &out, &errOut)
	var r bench.Result
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v\n%s%s", err, out.String(), errOut.String())
	}
	if code != exitInterrupted || !r.Interrupted || r.Counts.Faults() > 0 || r.Server == nil {
		t.Errorf("exit %d, %+v\n%s", code, r.Counts, errOut.String())
	}
	if left := s.ok("printer", "list"); strings.Contains(left, "bench-") {
		t.Errorf("queues are left behind:\n%s", left)
	}

	// Two results in one page.
	one := filepath.Join(dir, "one.json")
	if err := os.WriteFile(one, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	s.ok("bench", "report", one, one, "--html", page)
	host.kill()
}

func TestBenchSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	nothing := filepath.Join(dir, "nothing.json")
	if err := os.WriteFile(nothing, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{}, exitUsage, "--setup"},
		{[]string{"--setup", "--queue", "x"}, exitUsage, "use one of them"},
		{[]string{"--setup", "--size", "big"}, exitUsage, "lognormal"},
		{[]string{"--setup", "--wait", "paper"}, exitUsage, "accepted or printed"},
		{[]string{"--setup", "--queues", "0"}, exitUsage, "--queues 0"},
		{[]string{"--setup", "--clients", "-1"}, exitUsage, "-1 clients"},
		{[]string{"--setup", "--rate", "-1"}, exitUsage, "rate"},
		{[]string{"--setup", "--rate", "1", "--wait", "printed"}, exitUsage, "rate"},
		{[]string{"--setup", "--drain", "0s"}, exitUsage, "--drain"},
		{[]string{"--queue", "x", "--wait", "printed"}, exitUsage, "--sink"},
		{[]string{"--setup", "--ipp", "http://x"}, exitUsage, "ipp://HOST:PORT"},
		{[]string{"--setup", "--sink", "nowhere"}, exitUnavailable, "nowhere"},
		{[]string{"--setup", "--html", filepath.Join(dir, "no", "report.html")}, exitDenied, "report"},
		{[]string{"--setup"}, exitUnavailable, "spoolhost serve"},
		{[]string{"--setup", "--ipp", "ipp://127.0.0.1:1"}, exitUnavailable, "refused"},
		{[]string{"report", nothing}, exitUsage, "no result"},
		{[]string{"report", filepath.Join(dir, "none")}, exitNotFound, "does not exist"},
	} {
		got := runCLI(t.Context(), strings.NewReader(""), append([]string{"--addr", "unix:" + filepath.Join(dir, "s"), "bench"}, c.args...)...)
		if got.code != c.code || !strings.Contains(got.stderr, c.says) || strings.Count(strings.TrimSpace(got.stderr), "\n") > 0 {
			t.Errorf("bench %v: exit %d, %q; want %d and a line with %q", c.args, got.code, got.stderr, c.code, c.says)
		}
	}
}
