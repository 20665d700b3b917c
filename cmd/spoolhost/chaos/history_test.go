//go:build linux

package chaos

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// request is what a client asked of one job. Jobs are told apart by the key of their
// submission: an id is known only when one has been answered.
type request struct {
	Op   string // submit, get, hold, release, cancel
	Key  string
	Held bool // of submit: the job is to be held
}

// answer is what came of it.
type answer struct {
	// Verdict is done, refused (the job's state does not allow it), missing (there is no such
	// job) or unknown: no answer, or one that leaves open whether it was done.
	Verdict string
	ID      uint64
	State   string // of the job, if the answer shows it at one moment: submit and get
	ByHost  bool   // it is held, and nobody had asked for that
	Err     string
	Node    int
}

const (
	done    = "done"
	refused = "refused"
	missing = "missing"
	unknown = "unknown"
)

// history is all that clients saw.
type history struct {
	began time.Time
	mu    sync.Mutex
	ops   []porcupine.Operation
}

// note writes down one request, which was sent at call and is answered now.
func (h *history) note(client int, call time.Duration, r request, a answer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: r, Output: a, Call: int64(call), Return: int64(h.now())})
}

func (h *history) now() time.Duration { return time.Since(h.began) }

func (h *history) operations() []porcupine.Operation {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.ops)
}

// life is a job as a client can know it.
type life struct {
	ID    uint64
	Phase string
}

// The phases. A job goes from open to printed by itself, and from a wish to its end. It may
// be held by the host too, which then says so.
const (
	absent      = "absent"
	open        = "open"
	wishHeld    = "to be held"      // asked for while it printed
	held        = "held"            // nothing but a request ends that
	wishCancel  = "to be cancelled" // asked for while it printed
	printed     = "printed"
	cancelledIs = "cancelled"
)

// jobModel is a job's life. What the spooler does by itself is seen only by what a client
// is told next.
func jobModel() porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{life{Phase: absent}} },
		Step: func(state, in, out any) []any {
			var next []any
			for _, l := range stepLife(state.(life), in.(request), out.(answer)) {
				next = append(next, l)
			}
			return next
		},
		DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v -> %+v", in, out) },
	}
	return m.ToModel()
}

func stepLife(l life, r request, a answer) []life {
	switch {
	case r.Op == "submit":
		return l.submit(r, a)
	case a.Verdict == unknown && r.Op == "get":
		return []life{l}
	case a.Verdict == unknown:
		return append(l.change(r.Op), l)
	case l.Phase == absent || a.Verdict == missing: // ids are asked for only once they were given
		return nil
	case r.Op == "get":
		return l.see(a)
	case a.Verdict == refused:
		return l.refuse(r.Op)
	}
	return l.change(r.Op)
}

// submit makes the job, or gives the one that there is.
func (l life) submit(r request, a answer) []life {
	made := life{ID: a.ID, Phase: open}
	if r.Held {
		made.Phase = held
	}
	switch {
	case a.Verdict == unknown && l.Phase == absent:
		return []life{l, made}
	case a.Verdict == unknown:
		return []life{l}
	case a.Verdict != done:
		return []life{l} // it was not taken
	case l.Phase == absent:
		return made.see(a)
	case l.ID == 0:
		l.ID = a.ID
	case l.ID != a.ID:
		return nil // one key, two jobs
	}
	return l.see(a)
}

// see is what a look at the job says; none if the job cannot look so.
func (l life) see(a answer) []life {
	to := func(phase string) []life { l.Phase = phase; return []life{l} }
	if l.Phase == printed || l.Phase == cancelledIs {
		if a.State == l.Phase {
			return []life{l}
		}
		return nil
	}
	switch a.State {
	case "queued":
		if l.Phase == open {
			return to(open)
		}
	case "printing":
		if l.Phase != held {
			return to(l.Phase)
		}
	case "held":
		if l.Phase == held || l.Phase == wishHeld || l.Phase == open && a.ByHost {
			return to(held)
		}
	case "printed":
		if l.Phase != held {
			return to(printed)
		}
	case "cancelled":
		if l.Phase == wishCancel {
			return to(cancelledIs)
		}
	}
	return nil
}

// change is a request that was carried out, in each way that is possible.
func (l life) change(op string) []life {
	to := func(phases ...string) (next []life) {
		for _, p := range phases {
			next = append(next, life{ID: l.ID, Phase: p})
		}
		return next
	}
	switch op {
	case "hold":
		switch l.Phase {
		case open, wishHeld:
			return to(wishHeld, held)
		case held:
			return to(held)
		}
	case "release":
		if l.Phase == open || l.Phase == wishHeld || l.Phase == held {
			return to(open)
		}
	case "cancel":
		switch l.Phase {
		case open, wishHeld, wishCancel:
			return to(wishCancel, cancelledIs)
		case held:
			return to(cancelledIs)
		}
	}
	return nil
}

// refuse is a request that the job's state did not allow: it has ended, or is about to.
func (l life) refuse(op string) []life {
	to := func(phase string) []life { return []life{{ID: l.ID, Phase: phase}} }
	switch l.Phase {
	case printed, cancelledIs:
		return []life{l}
	case open, wishHeld: // it has printed, unseen
		return to(printed)
	case wishCancel:
		if op == "cancel" {
			return append(to(printed), to(cancelledIs)...)
		}
		return []life{l}
	}
	return nil
}

// checkHistory says for which jobs no order of the requests explains what clients saw.
func checkHistory(ops []porcupine.Operation, patience time.Duration) (problems []string) {
	jobs := make(map[string][]porcupine.Operation)
	var last int64
	for _, o := range ops {
		last = max(last, o.Return)
	}
	for _, o := range ops {
		if o.Output.(answer).Verdict == unknown {
			o.Return = last + 1 // it may come about at any time
		}
		jobs[o.Input.(request).Key] = append(jobs[o.Input.(request).Key], o)
	}
	model := jobModel()
	for key, list := range jobs {
		switch result := porcupine.CheckOperationsTimeout(model, list, patience); result {
		case porcupine.Ok:
		case porcupine.Unknown:
			problems = append(problems, fmt.Sprintf("job %s: whether its history of %d requests is possible was not found out in %v", key, len(list), patience))
		default:
			problems = append(problems, "job "+key+": no order explains\n"+tell(list))
		}
	}
	slices.Sort(problems)
	return problems
}

func tell(list []porcupine.Operation) string {
	slices.SortFunc(list, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	var b strings.Builder
	for _, o := range list {
		r, a := o.Input.(request), o.Output.(answer)
		fmt.Fprintf(&b, "    %9.3fs to %9.3fs, client %d at node %d: %s held=%t -> %s id=%d state=%s byhost=%t %s\n",
			time.Duration(o.Call).Seconds(), time.Duration(o.Return).Seconds(), o.ClientId, a.Node, r.Op, r.Held, a.Verdict, a.ID, a.State, a.ByHost, a.Err)
	}
	return b.String()
}
