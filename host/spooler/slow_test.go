package spooler_test

import (
	"strings"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/host"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/spooler"
)

// TestSlowIsNotHung: a device that takes nothing for several resource time-outs holds its
// document up and nothing else; the printer shows what the monitor says of it.
func TestSlowIsNotHung(t *testing.T) {
	const resource = 500 * time.Millisecond
	n := boot(t, func(c *host.Config) { c.Limits.Resource = resource })
	dev := newShutSink(t)
	n.port("A", "to", dev.to(), "status", "tray 2 is out of paper")
	n.printer("p", "A")
	data := paper("slow", big)
	id := n.submit("p", data)
	n.until("the printer shows the condition", func() bool {
		v, err := n.node().Printer("p")
		return err == nil && v.State == "printing" && strings.Contains(v.Reason, "tray 2 is out of paper")
	})
	n.await(id, "slow for long", func(j *job.Job) bool { return time.Since(j.Attempts[0].Started) > 4*resource })
	if j := n.job(id); j.State != job.Printing || len(j.Attempts) != 1 {
		t.Fatalf("%+v", j)
	}
	dev.open()
	n.printed(id)
	n.outcomes(id, job.Sent)
	dev.wantWhole(data, 1)
	n.until("the condition is gone", func() bool {
		v, err := n.node().Printer("p")
		return err == nil && !v.Paused && v.State == "idle" && v.Reason == ""
	})
}

// TestJobLimit: a printer's operator may say how long one document holds the port; the
// policy decides about it, and the next one prints.
func TestJobLimit(t *testing.T) {
	for policy, want := range map[string]job.State{"hold": job.Held, "cancel": job.Cancelled, "retry": job.Held} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			n, dev := boot(t, nil), newShutSink(t)
			n.port("A", "to", dev.to())
			n.printer("p", "A")
			n.set("p", spooler.Settings{JobLimit: ptr(200 * time.Millisecond), Policy: ptr(policy), MaxAttempts: ptr(uint32(2))})
			id := n.submit("p", paper("slow", big))
			j := n.state(id, want)
			for _, a := range j.Attempts {
				if a.Outcome != job.TimedOut || !strings.Contains(a.Error, "job limit of 200ms") {
					t.Errorf("%+v", a)
				}
			}
			if v, _ := n.node().Port("A"); v.State == "waiting" {
				t.Errorf("the port was blamed: %+v", v)
			}
			if v, _ := n.node().Printer("p"); v.Paused || v.JobLimit != 200*time.Millisecond {
				t.Errorf("%+v", v)
			}
			dev.open()
			n.set("p", spooler.Settings{JobLimit: ptr(time.Minute)})
			n.printed(n.submit("p", paper("next", 1000)))
		})
	}
}

func TestJobLimitTooShort(t *testing.T) {
	n := boot(t, nil)
	n.port("A")
	n.printer("p", "A")
	for _, limit := range []time.Duration{-time.Second, time.Millisecond} {
		if err := n.node().UpdatePrinter(t.Context(), "p", spooler.Settings{JobLimit: &limit}); err == nil {
			t.Errorf("%v was taken", limit)
		}
	}
}
