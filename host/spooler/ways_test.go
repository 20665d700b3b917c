package spooler_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/host"
	"github.com/spoolhost/spoolhost/host/job"
)

// way is how a document gets to a module: its size and its monitor decide.
type way struct {
	size int
	file string // the mock monitor's setting
}

var ways = map[string]way{
	"in one call":   {size: 100_000},
	"in chunks":     {size: 3 << 20},
	"by descriptor": {size: 3 << 20, file: "yes"},
}

func eachWay(t *testing.T, test func(t *testing.T, w way, data []byte)) {
	for name, w := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, w, paper("x", w.size))
		})
	}
}

// port adds a port for documents that go this way.
func (w way) port(n *node, settings ...string) {
	n.Helper()
	n.port("A", append(settings, "file", w.file)...)
	n.printer("p", "A")
}

func TestWaysBringTheWholeDocument(t *testing.T) {
	eachWay(t, func(t *testing.T, w way, data []byte) {
		n, dev := boot(t, nil), newSink(t)
		w.port(n, "to", dev.to())
		id := n.submit("p", data)
		n.printed(id)
		n.outcomes(id, job.Sent)
		dev.wantWhole(data, 1)
		if a := n.job(id).Attempts[0]; a.BytesSent != int64(len(data)) {
			t.Errorf("%+v", a)
		}
	})
}

// TestWaysOfASlowDevice: short writes, none at all, and "not ready" delay a document and
// do no more.
func TestWaysOfASlowDevice(t *testing.T) {
	eachWay(t, func(t *testing.T, w way, data []byte) {
		n, dev := boot(t, nil), newSink(t)
		w.port(n, "to", dev.to(), "short", strconv.Itoa(w.size/7), "notready", "3")
		id := n.submit("p", data)
		n.printed(id)
		n.outcomes(id, job.Sent)
		dev.wantWhole(data, 1)
	})
}

// TestWaysOfACrash: a process that dies at a byte costs an attempt, whose record has the
// bytes of which the module had said that they are gone.
func TestWaysOfACrash(t *testing.T) {
	for _, call := range []string{"start", "write", "end", "sent"} {
		t.Run(call, func(t *testing.T) {
			eachWay(t, func(t *testing.T, w way, data []byte) {
				n, dev := boot(t, nil), newSink(t)
				w.port(n, "to", dev.to(), "crash", call, "at", strconv.Itoa(w.size/2), "only", "1")
				id := n.submit("p", data)
				n.printed(id)
				if call == "sent" { // the device has it, and the host was told
					n.outcomes(id, job.Sent)
				} else {
					n.outcomes(id, job.Crashed, job.Sent)
				}
				if a := n.job(id).Attempts[0]; call == "write" && w.size > 1<<20 && (a.BytesSent < int64(w.size/4) || a.BytesSent > int64(w.size/2)) {
					t.Errorf("died at byte %d: %+v", w.size/2, a)
				}
			})
		})
	}
}

// TestWaysOfAHang: a call that does not return ends at its deadline, and its process too.
func TestWaysOfAHang(t *testing.T) {
	eachWay(t, func(t *testing.T, w way, data []byte) {
		n := boot(t, func(c *host.Config) { c.Limits.Resource = time.Second })
		dev := newSink(t)
		w.port(n, "to", dev.to(), "hang", "write", "at", strconv.Itoa(w.size/2), "only", "1")
		pid, _ := n.process()
		id := n.submit("p", data)
		n.printed(id)
		n.outcomes(id, job.TimedOut, job.Sent)
		dev.wantWhole(data, 1)
		n.gone(pid)
	})
}

// TestWaysOfCancelling: a module that obeys goes on with the next document.
func TestWaysOfCancelling(t *testing.T) {
	eachWay(t, func(t *testing.T, w way, data []byte) {
		n := boot(t, func(c *host.Config) { c.Limits.Grace = time.Minute }) // for a machine that is busy
		dev := newSink(t)
		flag := filepath.Join(n.dir, "hang")
		n.ok(os.WriteFile(flag, nil, 0o600))
		w.port(n, "to", dev.to(), "hang", "write", "obeys", "yes", "at", strconv.Itoa(w.size/2), "while", flag)
		pid, _ := n.process()
		id := n.submit("p", data)
		n.state(id, job.Printing)
		n.ok(n.node().CancelJob(t.Context(), id, "ann"))
		n.state(id, job.Cancelled)
		n.ok(os.Remove(flag))
		next := n.submit("p", data)
		n.printed(next)
		n.outcomes(next, job.Sent)
		if now, _ := n.process(); now != pid {
			t.Errorf("process %d was ended though it obeyed", pid)
		}
	})
}

// TestWaysOfARefusal: a device that refuses is tried again.
func TestWaysOfARefusal(t *testing.T) {
	for _, call := range []string{"start", "write", "end"} {
		t.Run(call, func(t *testing.T) {
			eachWay(t, func(t *testing.T, w way, data []byte) {
				n, dev := boot(t, nil), newSink(t)
				flag := filepath.Join(n.dir, "refuse")
				n.ok(os.WriteFile(flag, nil, 0o600))
				w.port(n, "to", dev.to(), "fail", call, "while", flag)
				id := n.submit("p", data)
				j := n.await(id, "refused", func(j *job.Job) bool { return len(j.Attempts) > 0 && j.Attempts[0].Outcome == job.DeviceFailed })
				if first := j.Attempts[0]; (first.BytesSent == 0) != (call != "end") {
					t.Errorf("%+v", first)
				}
				n.ok(os.Remove(flag))
				n.printed(id)
			})
		})
	}
}
