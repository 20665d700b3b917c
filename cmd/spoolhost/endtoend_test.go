package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/host/hosttest"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

// These tests use the program as its user does: a real "serve" in a process of its own,
// and the command line against it.

// shell runs command lines against one host.
type shell struct {
	t    *testing.T
	addr string
}

// run gives exit code, standard output and standard error of one command line.
func (s shell) run(args ...string) (code int, out, errOut string) {
	s.t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(s.t.Context(), append([]string{"--addr", s.addr}, args...), strings.NewReader(""), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

// ok runs a command line that must succeed.
func (s shell) ok(args ...string) string {
	s.t.Helper()
	code, out, errOut := s.run(args...)
	if code != 0 {
		s.t.Fatalf("spoolhost %s: exit %d\n%s%s", strings.Join(args, " "), code, out, errOut)
	}
	return out
}

// json runs a command line with -o json and reads what it prints.
func (s shell) json(to any, args ...string) {
	s.t.Helper()
	out := s.ok(append(args, "-o", "json")...)
	if err := json.Unmarshal([]byte(out), to); err != nil {
		s.t.Fatalf("spoolhost %s printed no JSON: %v\n%s", strings.Join(args, " "), err, out)
	}
}

type jsonJob struct {
	ID       uint64
	Printer  string
	State    string
	Size     uint64
	Attempts []struct {
		Outcome   string
		BytesSent uint64
	}
}

type jsonMonitor struct {
	Name, State string
	Processes   []struct {
		PID         int
		Spooler     string
		Incarnation uint64
	}
}

func (s shell) printer(name string, sink *hosttest.Sink) {
	s.t.Helper()
	s.ok("port", "add", "IP_"+name, "--monitor", demoMonitor, "--set", "host=127.0.0.1", "--set", "port="+strconv.Itoa(sink.Port()))
	s.ok("printer", "add", name, "--port", "IP_"+name)
}

func newSink(t *testing.T, gate func(int, int64)) *hosttest.Sink {
	t.Helper()
	sink, err := hosttest.NewSink(gate)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sink.Close)
	return sink
}

// holdFirst makes a gate that holds the first connection at half until open is called.
func holdFirst(half int64) (gate func(int, int64), open func()) {
	ctx, cancel := context.WithCancel(context.Background())
	return func(conn int, received int64) {
		if conn == 0 && received >= half {
			<-ctx.Done()
		}
	}, cancel
}

func writeDocument(t *testing.T, dir string, size int) (path, sum string) {
	t.Helper()
	doc := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	path = filepath.Join(dir, "document.prn")
	if err := os.WriteFile(path, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(doc)
	return path, hex.EncodeToString(digest[:])
}

func TestMonitorKilledInMidDocument(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	dir := shortDir(t)
	const size = 32 << 20
	gate, open := holdFirst(size / 2)
	slow, other := newSink(t, gate), newSink(t, nil)
	t.Cleanup(open)
	host := startServe(ctx, t, dir)
	t.Cleanup(host.kill)
	s := shell{t, host.addr}
	s.printer("Slow", slow)
	s.printer("Other", other)
	path, sum := writeDocument(t, dir, size)

	var job jsonJob
	s.json(&job, "print", "-p", "Slow", path)
	if err := slow.Wait(ctx, func(r []hosttest.Receipt) bool { return len(r) > 0 && r[0].Bytes >= size/2 }); err != nil {
		t.Fatal(err)
	}
	s.ok("print", "-p", "Other", "--wait", path) // another queue prints meanwhile
	var m jsonMonitor
	s.json(&m, "monitor", "show", demoMonitor)
	module, err := os.FindProcess(m.Processes[0].PID)
	if err == nil {
		err = module.Kill()
	}
	if err != nil {
		t.Fatal(err)
	}
	open()
	s.ok("print", "-p", "Other", "--wait", path) // and goes on at once
	if err := slow.Wait(ctx, func(r []hosttest.Receipt) bool { return len(r) == 2 && r[1].SHA256 == sum }); err != nil {
		t.Fatalf("the document did not arrive whole: %v; %+v", err, slow.Receipts())
	}
	if _, err := waitJob(ctx, testAPI(t, host.addr).call, &apiv1.Job{Id: job.ID}); err != nil {
		t.Fatal(err)
	}
	s.json(&job, "job", "show", strconv.FormatUint(job.ID, 10))
	if job.State != "printed" || len(job.Attempts) != 2 || job.Attempts[0].Outcome != "crashed" || job.Attempts[1].Outcome != "printed" ||
		job.Attempts[1].BytesSent != size || job.Size != size {
		t.Errorf("job: %+v", job)
	}
	before := m.Processes[0]
	s.json(&m, "monitor", "show", demoMonitor)
	if m.State != "running" || m.Processes[0].PID == before.PID || m.Processes[0].Incarnation <= before.Incarnation {
		t.Errorf("monitor after the kill: %+v, before: %+v", m, before)
	}
	if why := s.ok("why", "job", strconv.FormatUint(job.ID, 10)); !strings.Contains(why, "crashed") || !strings.Contains(why, "printed") {
		t.Errorf("why does not tell the story:\n%s", why)
	}
}

// halfway is a host with a document of which half is at its printer, until open.
type halfway struct {
	shell
	host           *serveProcess
	sink           *hosttest.Sink
	open           func()
	dir, path, sum string
}

func startHalfway(ctx context.Context, t *testing.T) *halfway {
	t.Helper()
	const size = 8 << 20
	h := &halfway{dir: shortDir(t)}
	gate, open := holdFirst(size / 2)
	h.sink, h.open = newSink(t, gate), open
	t.Cleanup(open)
	h.host = startServe(ctx, t, h.dir)
	h.shell = shell{t, h.host.addr}
	h.printer("Slow", h.sink)
	h.path, h.sum = writeDocument(t, h.dir, size)
	h.ok("print", "-p", "Slow", h.path)
	if err := h.sink.Wait(ctx, func(r []hosttest.Receipt) bool { return len(r) > 0 && r[0].Bytes >= size/2 }); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestSIGTERMFinishesTheRunningDocument(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	h := startHalfway(ctx, t)
	h.ok("print", "-p", "Slow", h.path) // waits behind the first
	if err := h.host.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	h.open()
	if err := h.host.cmd.Wait(); err != nil {
		t.Fatalf("serve: %v", err)
	}
	if r := h.sink.Receipts(); len(r) != 1 || r[0].SHA256 != h.sum {
		t.Fatalf("after SIGTERM the printer has %+v", r)
	}
	host := startServe(ctx, t, h.dir)
	t.Cleanup(host.kill)
	if err := h.sink.Wait(ctx, func(r []hosttest.Receipt) bool { return len(r) == 2 && r[1].SHA256 == h.sum }); err != nil {
		t.Errorf("the waiting job did not print after the restart: %v", err)
	}
}

func TestSecondSIGTERMEndsAtOnce(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	h := startHalfway(ctx, t)
	var m jsonMonitor
	h.json(&m, "monitor", "show", demoMonitor)
	_ = h.host.cmd.Process.Signal(syscall.SIGTERM)
	waitFor(ctx, t, "the host is stopping", func() bool {
		_, out, _ := h.run("status", "-o", "json")
		return strings.Contains(out, `"stopping"`)
	})
	_ = h.host.cmd.Process.Signal(syscall.SIGTERM)
	if err := h.host.cmd.Wait(); err == nil {
		t.Error("serve was cut short and yet ended with status 0")
	}
	waitFor(ctx, t, "the module is gone", func() bool { return gone(m.Processes[0].PID) })
}

func TestMistakesHaveNamesAndCodes(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dir := shortDir(t)
	host := startServe(ctx, t, dir)
	t.Cleanup(host.kill)
	s := shell{t, host.addr}
	s.printer("Office", newSink(t, nil))
	path, _ := writeDocument(t, dir, 16)
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string // separated by |
		code int
		say  string
	}{
		{"print|-p|Nowhere|" + path, exitNotFound, `"Nowhere"`},
		{"print|-p|Office|" + empty, exitUsage, "empty"},
		{"print|-p|Office|" + dir, exitUsage, "directory"},
		{"print|-p|Office|--priority|100|" + path, exitUsage, "100"},
		{"printer|add|OFFICE|--port|IP_Office", exitConflict, `"OFFICE"`},
		{"printer|add|a\\b|--port|IP_Office", exitUsage, "backslash"},
		{"printer|add|a\x01b|--port|IP_Office", exitUsage, "control"},
		{"printer|add|" + strings.Repeat("n", 300) + "|--port|IP_Office", exitUsage, "too long"},
		{"printer|add|New|--port|Nowhere", exitNotFound, `"Nowhere"`},
		{"port|add|ip_office|--monitor|" + demoMonitor + "|--set|host=h", exitConflict, `"ip_office"`},
		{"port|add|P|--monitor|Nobody|--set|host=h", exitNotFound, `"Nobody"`},
		{"port|add|P|--monitor|" + demoMonitor + "|--set|hots=h", exitUsage, `"hots"`},
		{"port|add|P|--monitor|Local Port|--set|path=/etc/passwd", exitDenied, "local_directories"},
		{"port|delete|IP_Office", exitConflict, `"Office"`},
		{"port|delete|Nowhere", exitNotFound, `"Nowhere"`},
		{"monitor|remove|" + demoMonitor, exitConflict, "in use"},
		{"monitor|add|M|--module|/does/not/exist", exitNotFound, "/does/not/exist"},
		{"monitor|add|M|--module|" + dir, exitUsage, "not a regular file"},
		{"monitor|add|M|--module|" + path, exitUsage, "not executable"},
		{"job|cancel|99", exitNotFound, "99"},
		{"why|job|99", exitNotFound, "99"},
		{"why|printer|Nobody", exitNotFound, `"Nobody"`},
		{"registry|list|No\\Such", exitNotFound, `No\Such`},
	} {
		code, _, errOut := s.run(strings.Split(c.args, "|")...)
		if code != c.code || !strings.Contains(errOut, c.say) || strings.Count(errOut, "\n") != 1 {
			t.Errorf("%s: exit %d (want %d), said %q (want it to name %s)", c.args, code, c.code, errOut, c.say)
		}
	}
	var list []jsonJob
	if s.json(&list, "job", "list", "--all"); len(list) != 0 {
		t.Errorf("mistakes left jobs: %+v", list)
	}
}

func TestDemo(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"demo"}, strings.NewReader(""), &stdout, &stderr); code != 0 {
		t.Fatalf("demo: exit %d\n%s%s", code, stdout.String(), stderr.String())
	}
	for _, want := range []string{"crashed", "printed", "Equal"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("the demo does not say %q:\n%s", want, stdout.String())
		}
	}
}

// waitFor polls until ok.
func waitFor(ctx context.Context, t *testing.T, what string, ok func() bool) {
	t.Helper()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for !ok() {
		select {
		case <-poll.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// gone says that a process has ended, though nobody may have taken notice of it yet.
func gone(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil || p.Signal(syscall.Signal(0)) != nil {
		return true
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(stat), ") Z ")
}
