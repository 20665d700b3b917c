package metrics_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/spoolhost/spoolhost/host"
	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/hosttest"
	"github.com/spoolhost/spoolhost/host/hosttest/unraced"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/spooler"
)

func TestMain(m *testing.M) {
	hosttest.ServeMonitor()
	unraced.Main(m)
}

// TestMetrics asks a real host over HTTP after it has printed, failed and timed out.
func TestMetrics(t *testing.T) {
	node, url := boot(t)
	ctx := t.Context()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ok(node.AddPort(ctx, "A", "Test", nil))
	ok(node.AddPort(ctx, "B", "Test", map[string]string{"hang": "write", "only": "1"}))
	for printer, port := range map[string]string{"Good": "A", "Slow": "B", "Silent": "A", "Old": "A"} {
		ok(node.AddPrinter(ctx, printer, spooler.Settings{Ports: []string{port}}))
	}
	print(t, node, "Good", 1000)
	print(t, node, "Slow", 10)
	print(t, node, "Old", 10)
	ok(node.DeletePrinter(ctx, "Old"))
	ok(node.PausePrinter(ctx, "Good"))
	_, err := node.Submit(ctx, spooler.Submission{Printer: "Good", User: "ann"}, strings.NewReader("waits"))
	ok(err)
	text := get(t, url+"/metrics")
	for _, want := range []string{
		`spoolhost_build_info{version="1.2"} 1`,
		`spoolhost_jobs{spooler="node",state="queued"} 1`,
		`spoolhost_printers{spooler="node"} 3`,
		`spoolhost_printer_jobs{printer="Good",spooler="node",state="queued"} 1`,
		`spoolhost_printer_documents_printed_total{printer="Good",spooler="node"} 1`,
		`spoolhost_printer_sent_bytes_total{printer="Good",spooler="node"} 1000`,
		`spoolhost_printer_attempts_total{outcome="timed-out",printer="Slow",spooler="node"} 1`,
		`spoolhost_printer_attempts_total{outcome="printed",printer="Slow",spooler="node"} 1`,
		`spoolhost_monitor_call_timeouts_total{method="PrintDocPort",monitor="Test"} 1`,
		`spoolhost_monitor_up{monitor="Test",spooler="node"} 1`,
		`spoolhost_monitor_state{monitor="Test",spooler="node",state="running"} 1`,
		`spoolhost_monitor_restarts_total{monitor="Test",spooler="node"} 1`,
		`spoolhost_job_accept_duration_seconds_count 4`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("lacks %s", want)
		}
	}
	for _, want := range []string{
		`spoolhost_monitor_call_duration_seconds_count\{method="PrintDocPort",monitor="Test"\} [4-9]`,
		`spoolhost_monitor_resident_memory_bytes\{monitor="Test",spooler="node"\} [0-9.e+]{5}`,
		`spoolhost_store_commit_duration_seconds_count [1-9]`, `go_goroutines [1-9]`, `process_open_fds [1-9]`,
	} {
		if !regexp.MustCompile(`(?m)^` + want).MatchString(text) {
			t.Errorf("lacks %s", want)
		}
	}
	for _, not := range []string{`printer="Silent"`, `printer="Old"`} {
		if strings.Contains(text, not) {
			t.Errorf("has figures of %s", not)
		}
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v %v", problems, err)
	}
	if t.Failed() {
		t.Log(text)
	}
}

func boot(t *testing.T) (*spooler.Spooler, string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "sh") // t.TempDir is too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	cfg := host.DefaultConfig()
	cfg.Data, cfg.Listen, cfg.HTTP, cfg.Version = filepath.Join(dir, "data"), []string{"unix:" + filepath.Join(dir, "api")}, freeAddr(t), "1.2"
	cfg.Builtins = []catalog.Monitor{hosttest.Monitor("Test")}
	cfg.Limits.Resource, cfg.Limits.Grace = 2*time.Second, 200*time.Millisecond
	h, err := host.New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		_ = h.Close()
		_ = os.RemoveAll(dir)
	})
	select {
	case <-h.Ready():
	case <-time.After(time.Minute):
		t.Fatal("the host is not ready")
	}
	return h.Node(), "http://" + cfg.HTTP
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// print prints a document to its end.
func print(t *testing.T, node *spooler.Spooler, printer string, size int) {
	t.Helper()
	j, err := node.Submit(t.Context(), spooler.Submission{Printer: printer, User: "ann"}, bytes.NewReader(make([]byte, size)))
	if err != nil {
		t.Fatal(err)
	}
	changed, stop := node.Queue().Watch(j.ID)
	defer stop()
	limit := time.After(time.Minute)
	for j.State != job.Printed {
		select {
		case <-changed:
		case <-limit:
			t.Fatalf("%+v", j)
		}
		if j, err = node.Queue().Get(t.Context(), j.ID); err != nil {
			t.Fatal(err)
		}
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatal(fmt.Errorf("%s: %s: %w", url, r.Status, err))
	}
	return string(text)
}
