package job

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/spoolhost/spoolhost/host/document"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

var t0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// event is an event with its name, as the tables have it.
type event struct {
	name string
	fn   func(*Job) (*Job, error)
}

func events() []event {
	ended := func(o Outcome, sent int64) func(*Job) (*Job, error) {
		return func(j *Job) (*Job, error) {
			return end(j, Result{Outcome: o, BytesSent: sent, Error: "why"}, Rules{Policy: Retry, MaxAttempts: 3}, t0)
		}
	}
	return []event{
		{"begin", func(j *Job) (*Job, error) { return begin(j, Attempt{Port: "P"}, t0) }},
		{"sent", ended(Sent, 100)},
		{"device failed early", ended(DeviceFailed, 0)},
		{"device failed", ended(DeviceFailed, 50)},
		{"crashed", ended(Crashed, 50)},
		{"interrupted", ended(Interrupted, 50)},
		{"unconfirmed", ended(Unconfirmed, 100)},
		{"stopped", ended(Stopped, 50)},
		{"cancel", func(j *Job) (*Job, error) { return cancel(j, "cancelled by ann", t0) }},
		{"hold", hold},
		{"release", release},
		{"restart", restart},
		{"move", func(j *Job) (*Job, error) { return move(j, "other") }},
		{"fail", func(j *Job) (*Job, error) { return fail(j, "damaged", t0) }},
	}
}

// states are the situations a job can be in, by name.
func states() map[string]*Job {
	doc := document.Ref{ID: "d", Size: 100}
	base := func(s State, i Intent) *Job {
		j := &Job{ID: 1, Printer: "p", Document: doc, State: s, Intent: i, Revision: 1}
		if s == Printing {
			j.Attempts = []Attempt{{Number: 1, Port: "P", Outcome: Running, Tries: 1, Started: t0}}
		}
		if i == IntentMove {
			j.MoveTo = "other"
		}
		if s.Final() {
			j.Ended, j.DocumentGone = t0, true
		}
		return j
	}
	all := map[string]*Job{
		"queued": base(Queued, ""), "held": base(Held, ""), "printing": base(Printing, ""),
		"cancelling": base(Printing, IntentCancel), "holding": base(Printing, IntentHold),
		"restarting": base(Printing, IntentRestart), "moving": base(Printing, IntentMove),
		"printed": base(Printed, ""), "kept": base(Printed, ""), "cancelled": base(Cancelled, ""), "failed": base(Failed, ""),
	}
	all["kept"].DocumentGone = false
	return all
}

// what a job is after an event: its state, and what is special about it.
func outcomeOf(j *Job, err error) string {
	if err != nil {
		return "-"
	}
	s := string(j.State)
	if j.Intent != NoIntent {
		s += "/" + string(j.Intent)
	}
	if j.Printer != "p" {
		s += " moved"
	}
	if j.Faults > 0 {
		s += fmt.Sprintf(" faults=%d", j.Faults)
	}
	if j.MayHavePrinted {
		s += " maybe"
	}
	return s
}

// TestEveryEventInEveryState: "-" is a refusal.
func TestEveryEventInEveryState(t *testing.T) {
	order := []string{"queued", "held", "printing", "cancelling", "holding", "restarting", "moving", "printed", "kept", "cancelled", "failed"}
	cannot := []string{"-", "-", "-", "-"} // in the final states
	table := map[string][]string{
		"begin": append([]string{"printing", "-", "-", "-", "-", "-", "-"}, cannot...),
		"sent":  append([]string{"-", "-", "printed", "printed", "printed", "printed", "printed"}, cannot...),
		"device failed early": append([]string{"-", "-", "queued", "cancelled", "held", "queued", "queued moved"},
			cannot...),
		"device failed": append([]string{"-", "-", "queued faults=1", "cancelled", "held", "queued", "queued moved"}, cannot...),
		"crashed":       append([]string{"-", "-", "queued faults=1", "cancelled", "held", "queued", "queued moved"}, cannot...),
		"interrupted":   append([]string{"-", "-", "queued", "cancelled", "held", "queued", "queued moved"}, cannot...),
		"unconfirmed": append([]string{"-", "-", "held maybe", "cancelled maybe", "held maybe", "queued maybe",
			"queued moved maybe"}, cannot...),
		"stopped": append([]string{"-", "-", "queued faults=1", "cancelled", "held", "queued", "queued moved"}, cannot...),
		"cancel": append([]string{"cancelled", "cancelled", "printing/cancel", "printing/cancel", "printing/cancel",
			"printing/cancel", "printing/cancel"}, cannot...),
		"hold":    append([]string{"held", "held", "printing/hold", "-", "printing/hold", "printing/hold", "printing/hold"}, cannot...),
		"release": append([]string{"queued", "queued", "printing", "-", "printing/restart", "-", "-"}, cannot...),
		"restart": {"queued", "queued", "printing/restart", "-", "printing/restart", "printing/restart", "printing/restart",
			"-", "queued", "-", "-"},
		"move": append([]string{"queued moved", "held moved", "printing/move", "-", "printing/move", "printing/move", "printing/move"},
			cannot...),
		"fail": append([]string{"failed", "failed", "failed", "failed", "failed", "failed", "failed"}, cannot...),
	}
	for _, e := range events() {
		for i, name := range order {
			j := states()[name]
			before := fmt.Sprintf("%+v", j)
			got, err := e.fn(j)
			if want := table[e.name][i]; outcomeOf(got, err) != want {
				t.Errorf("%s of a job that is %s: %s (%v), want %s", e.name, name, outcomeOf(got, err), err, want)
			}
			if err != nil && !errors.Is(err, spoolerr.Precondition) {
				t.Errorf("%s of a job that is %s: %v", e.name, name, err)
			}
			if fmt.Sprintf("%+v", j) != before {
				t.Errorf("%s of a job that is %s changed the old job", e.name, name)
			}
		}
	}
}

func printing(rules Rules) (*Job, func(Result) *Job) {
	j := states()["printing"]
	return j, func(r Result) *Job {
		next, _ := end(j, r, rules, t0)
		return next
	}
}

func TestPolicies(t *testing.T) {
	crash := Result{Outcome: Crashed, BytesSent: 10, Error: "it died"}
	cases := []struct {
		rules  Rules
		result Result
		want   string
		reason string
	}{
		{Rules{Policy: Retry}, crash, "queued faults=1", "it died"},
		{Rules{Policy: Retry, MaxAttempts: 1}, crash, "held faults=1", "too many failed attempts: it died"},
		{Rules{Policy: Hold}, crash, "held faults=1", "policy: the attempt crashed: it died"},
		{Rules{Policy: Cancel}, crash, "cancelled faults=1", "policy: the attempt crashed: it died"},
		{Rules{Policy: Cancel}, Result{Outcome: DeviceFailed}, "queued", ""},
		{Rules{Policy: Hold}, Result{Outcome: Interrupted, Lost: true}, "held maybe", "interrupted"},
		{Rules{Policy: Retry, MaxAttempts: 1}, Result{Outcome: Interrupted, Lost: true}, "queued maybe", ""},
		{Rules{Policy: Retry}, Result{Outcome: TimedOut, BytesSent: 100}, "queued faults=1 maybe", ""},
		{Rules{Policy: Retry}, Result{Outcome: Crashed, Offered: 100}, "queued faults=1 maybe", ""},
		// The host ended the module for another document's sake: this one has done nothing.
		{Rules{Policy: Retry, MaxAttempts: 1}, Result{Outcome: Interrupted, BytesSent: 10, Error: "port A hung"}, "queued", "port A hung"},
		{Rules{Policy: Hold}, Result{Outcome: Interrupted}, "queued", ""},
		{Rules{Policy: Hold}, Result{Outcome: Interrupted, BytesSent: 10}, "held", "policy: the attempt interrupted"},
		{Rules{Policy: Hold}, Result{Outcome: Interrupted, Offered: 10}, "held", "policy: the attempt interrupted"},
		{Rules{Policy: Cancel}, Result{Outcome: Interrupted, BytesSent: 10}, "queued", ""},
		{Rules{Policy: Cancel}, Result{Outcome: Interrupted, BytesSent: 10, Offered: 100}, "held maybe", "may have been printed"},
		{Rules{Policy: Cancel}, Result{Outcome: Interrupted, Lost: true}, "cancelled maybe", "interrupted"},
		{Rules{Policy: Cancel}, Result{Outcome: Unconfirmed, BytesSent: 100}, "held maybe", "never reported"},
	}
	for _, c := range cases {
		_, finish := printing(c.rules)
		j := finish(c.result)
		if outcomeOf(j, nil) != c.want || !strings.Contains(j.Reason, c.reason) {
			t.Errorf("%+v %+v: %s (%s), want %s", c.rules, c.result, outcomeOf(j, nil), j.Reason, c.want)
		}
		if j.State.Final() != !j.Ended.IsZero() {
			t.Errorf("%+v: ended %v", c, j.Ended)
		}
	}
}

func TestKeepPrinted(t *testing.T) {
	_, finish := printing(Rules{KeepPrinted: true})
	j := finish(Result{Outcome: Sent, BytesSent: 100})
	if j.DocumentGone || j.State != Printed {
		t.Errorf("%+v", j)
	}
	again, err := restart(j)
	if err != nil || again.State != Queued || !again.Ended.IsZero() {
		t.Errorf("%+v %v", again, err)
	}
}

// A device that is not reached makes one record of all its tries in a row.
func TestTriesWithoutABytes(t *testing.T) {
	j := states()["queued"]
	try := func(port string, incarnation uint64, r Result) {
		t.Helper()
		var err error
		if j, err = begin(j, Attempt{Port: port, Incarnation: incarnation}, t0); err != nil {
			t.Fatal(err)
		}
		if j, err = end(j, r, Rules{Policy: Retry}, t0); err != nil {
			t.Fatal(err)
		}
	}
	refused := Result{Outcome: DeviceFailed, Error: "refused"}
	try("A", 1, refused)
	try("A", 1, refused)
	try("A", 1, refused)
	try("B", 1, refused)
	try("B", 2, refused)
	try("B", 2, Result{Outcome: Crashed, BytesSent: 5})
	try("B", 2, Result{Outcome: Crashed})
	var got []string
	for _, a := range j.Attempts {
		got = append(got, fmt.Sprintf("%d %s%d %s x%d", a.Number, a.Port, a.Incarnation, a.Outcome, a.Tries))
	}
	want := "1 A1 failed x3, 2 B1 failed x1, 3 B2 crashed x2, 4 B2 crashed x1"
	if strings.Join(got, ", ") != want {
		t.Errorf("%s\nwant %s", strings.Join(got, ", "), want)
	}
}

func TestAttemptsAreBounded(t *testing.T) {
	j := states()["queued"]
	for range 100 {
		j, _ = begin(j, Attempt{Port: "P"}, t0)
		j, _ = end(j, Result{Outcome: Crashed, BytesSent: 1}, Rules{Policy: Retry}, t0)
	}
	last := j.Attempts[len(j.Attempts)-1]
	if len(j.Attempts) != maxAttemptRecords || last.Number != 100 || j.Attempts[0].Number != 69 || j.Earlier != 68 || j.Faults != 100 {
		t.Errorf("%d records, %d to %d, %d earlier, %d faults", len(j.Attempts), j.Attempts[0].Number, last.Number, j.Earlier, j.Faults)
	}
}

// TestMachine drives random events and checks what must hold whatever happens.
func TestMachine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{T: t, job: &Job{ID: 1, Printer: "p0", State: Queued, Document: document.Ref{ID: "d", Size: 100}}}
		now := t0
		for range rapid.IntRange(1, 60).Draw(t, "length") {
			now = now.Add(time.Second)
			m.step(now)
		}
	})
}

type machine struct {
	*rapid.T
	job *Job
}

func (m *machine) step(now time.Time) {
	var name string
	var err error
	next, old := m.job, m.job
	switch k := rapid.IntRange(0, 9).Draw(m.T, "event"); k {
	case 0, 1, 2:
		name = "begin"
		next, err = begin(old, Attempt{Port: rapid.SampledFrom([]string{"A", "B"}).Draw(m.T, "port")}, now)
	case 3, 4:
		name = "end"
		next, err = m.end(now)
	case 5:
		name = "restart"
		next, err = restart(old)
	case 6:
		name = "move"
		next, err = move(old, rapid.SampledFrom([]string{"p0", "p1"}).Draw(m.T, "printer"))
	case 7:
		name = rapid.SampledFrom([]string{"cancel", "fail"}).Draw(m.T, "final")
		if name == "cancel" {
			next, err = cancel(old, "x", now)
		} else {
			next, err = fail(old, "x", now)
		}
	case 8:
		name = "hold"
		next, err = hold(old)
	case 9:
		name = "release"
		next, err = release(old)
	}
	if err != nil {
		return
	}
	m.check(name, old, next)
	m.job = next
}

func (m *machine) end(now time.Time) (*Job, error) {
	outcome := rapid.SampledFrom([]Outcome{Sent, DeviceFailed, Crashed, TimedOut, Interrupted, Stopped, Unconfirmed}).Draw(m.T, "outcome")
	r := Result{Outcome: outcome, BytesSent: rapid.SampledFrom([]int64{0, 50, 100}).Draw(m.T, "sent"), Lost: rapid.Bool().Draw(m.T, "lost")}
	rules := Rules{
		Policy:      rapid.SampledFrom([]Policy{Retry, Hold, Cancel}).Draw(m.T, "policy"),
		MaxAttempts: rapid.Uint32Range(0, 3).Draw(m.T, "max"), KeepPrinted: rapid.Bool().Draw(m.T, "keep"),
	}
	old := m.job
	next, err := end(old, r, rules, now)
	if err != nil {
		return nil, err
	}
	m.checkEnd(old, next, r, rules)
	return next, nil
}

func (m *machine) checkEnd(old, next *Job, r Result, rules Rules) {
	faulty := r.Outcome != Sent && r.Outcome != Interrupted && r.Outcome != Unconfirmed && (r.Outcome != DeviceFailed || r.BytesSent > 0)
	switch {
	case r.Outcome == Sent:
		if next.State != Printed || next.MayHavePrinted {
			m.Fatalf("sent, but %+v", next)
		}
	case old.Intent == IntentCancel:
		m.demand(next.State == Cancelled, "cancel was not carried out")
	case old.Intent == IntentHold:
		m.demand(next.State == Held, "hold was not carried out")
	case old.Intent == IntentRestart:
		m.demand(next.State == Queued && next.Printer == old.Printer, "restart was not carried out")
	case old.Intent == IntentMove:
		m.demand(next.State == Queued && next.Printer == old.MoveTo, "move was not carried out")
	case r.Outcome == Interrupted && !r.Lost:
		m.demand(next.State == Queued || next.State == Held, "a job that did nothing was given up")
		m.demand(next.Faults == old.Faults, "a fault was counted")
	case faulty:
		m.demand(next.Faults == old.Faults+1, "a fault was not counted")
		m.demand(rules.MaxAttempts == 0 || next.Faults < rules.MaxAttempts || next.State != Queued, "too many faults, and still queued")
	default:
		m.demand(next.Faults == old.Faults, "a fault was counted")
	}
	if r.Outcome != Sent && (r.Lost || r.BytesSent >= 100) {
		m.demand(next.MayHavePrinted, "it may have been printed")
	}
}

func (m *machine) demand(ok bool, text string) {
	if !ok {
		m.Fatalf("%s: %+v", text, m.job)
	}
}

// check holds after every event.
func (m *machine) check(name string, old, next *Job) {
	running := 0
	for i, a := range next.Attempts {
		if a.Outcome == Running {
			running++
		}
		m.demand((a.Outcome == Running) == a.Ended.IsZero(), "a running attempt has no end, and only that")
		m.demand(a.Number == next.Earlier+uint32(i)+1, "attempts are not numbered in a row")
	}
	m.demand(running <= 1 && (running == 1) == (next.State == Printing), "one attempt runs while the job prints, and only then")
	m.demand(next.State.Final() == !next.Ended.IsZero(), "a final job has an end, and only that")
	m.demand(next.State == Printing || next.Intent == NoIntent, "an intent outlived its attempt")
	m.demand((next.Intent == IntentMove) == (next.MoveTo != ""), "a move has a target, and only that")
	if old.State.Final() {
		m.demand(name == "restart" && !old.DocumentGone, "a finished job changed by "+name)
	}
	m.demand(next.Faults <= old.Faults || name == "end", "faults grew by "+name)
}
