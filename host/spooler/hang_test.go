package spooler_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/host"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/spooler"
)

func (n *node) pid() int {
	if v, _ := n.node().Monitor(monitorName); v.Process != nil {
		return v.Process.PID
	}
	return 0
}

// replaced waits until the monitor runs in another process than this one.
func (n *node) replaced(pid int) {
	n.Helper()
	n.until("a new incarnation runs", func() bool {
		now := n.pid()
		return now != 0 && now != pid
	})
	if alive(pid) {
		n.Errorf("process %d was not ended", pid)
	}
}

// TestHungWriteSparesTheInnocent: a hung document costs the others of its process a new
// start at most, whatever the policy of their printers, and counts nothing against them.
func TestHungWriteSparesTheInnocent(t *testing.T) {
	n := boot(t, func(c *host.Config) { c.Limits.Resource = 2 * time.Second })
	dev := newSink(t)
	n.port("A", "to", dev.to(), "hang", "write", "only", "1")
	n.printer("guilty", "A")
	ids := make(map[string]uint64)
	sinks := make(map[string]*sink)
	for _, policy := range []string{"retry", "hold", "cancel"} {
		sinks[policy] = newShutSink(t)
		n.port(policy, "to", sinks[policy].to())
		n.printer(policy, policy)
		n.set(policy, spooler.Settings{Policy: ptr(policy)})
	}
	before := n.pid()
	hung := n.submit("guilty", paper("hung", 1000))
	n.state(hung, job.Printing)
	for policy := range sinks {
		ids[policy] = n.submit(policy, paper(policy, big))
		n.sending(ids[policy])
	}
	n.printed(hung)
	n.outcomes(hung, job.TimedOut, job.Sent)
	n.replaced(before)
	for _, s := range sinks {
		s.open()
	}
	n.printed(ids["retry"], ids["cancel"])
	for _, policy := range []string{"retry", "cancel"} {
		n.outcomes(ids[policy], job.Interrupted, job.Sent)
		sinks[policy].wantWhole(paper(policy, big), 1)
	}
	held := n.state(ids["hold"], job.Held)
	if !strings.Contains(held.Reason, "policy") || !strings.Contains(held.Reason, `port "A"`) {
		t.Errorf("held for %q", held.Reason)
	}
	for policy, id := range ids {
		if j := n.job(id); j.Faults != 0 {
			t.Errorf("%s: %d faults of a job that did nothing", policy, j.Faults)
		}
	}
}

// TestHungControlCall: a control call that does not return fails at its deadline, and a
// module that does not let go of it within the grace is ended. One that does lives on.
func TestHungControlCall(t *testing.T) {
	for call, provoke := range map[string]func(n *node){
		"open": func(n *node) {
			n.printer("p", "A")
			n.until("the port cannot be opened", func() bool {
				v, _ := n.node().Port("A")
				return strings.Contains(v.Status, "cannot be opened")
			})
		},
		"enum": func(n *node) { n.port("B") }, // after which the monitor is asked for its ports
	} {
		for name, obeys := range map[string]string{"deaf": "no", "obeys": "yes"} {
			t.Run(call+" "+name, func(t *testing.T) {
				t.Parallel()
				n := boot(t, func(c *host.Config) { c.Limits.Call = 2 * time.Second })
				dev, flag := newSink(t), filepath.Join(n.dir, "hang")
				n.port("A", "to", dev.to(), "hang", call, "while", flag, "obeys", obeys)
				before := n.pid()
				n.ok(os.WriteFile(flag, nil, 0o600))
				provoke(n)
				if obeys == "no" {
					n.until("the module is ended", func() bool { return !alive(before) })
				}
				n.ok(os.Remove(flag))
				if call == "enum" {
					n.printer("p", "A")
				}
				n.printed(n.submit("p", paper("x", 1000)))
				if obeys == "yes" && n.pid() != before {
					t.Error("a module that obeys was ended")
				}
			})
		}
	}
}
