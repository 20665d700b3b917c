//go:build linux

package chaos

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/spoolhost/spoolhost/host/cluster"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// spoil is one thing that a broken cluster would have left in what was written down.
type spoil struct {
	name string
	// rare spoils need what not every run has.
	rare bool
	// by changes the evidence, and is false if there is nothing to change.
	by   func(e *evidence) bool
	want string // what a judge says then
}

// spoil shows the judges what they have found good once more, each time with one thing
// spoilt: they have to find it, in evidence that is as large and as manifold as a real one.
func (w *world) spoil(good evidence) {
	w.Helper()
	found := 0
	for _, s := range slices.Concat(spoiltJobs(), spoiltPaper(), spoiltOwners(), spoiltHistories()) {
		e := good.clone()
		switch {
		case !s.by(&e) && s.rare:
			w.Logf("nothing in this run can be spoilt by %q", s.name)
			continue
		case !slices.ContainsFunc(e.problems(), func(p string) bool { return strings.Contains(p, s.want) }):
			w.Errorf("no judge finds %q: want %q among %q", s.name, s.want, e.problems())
		default:
			found++
		}
	}
	w.Logf("%8.3fs the judges have found %d things that were spoilt", time.Since(w.began).Seconds(), found)
}

func (e evidence) clone() evidence {
	e.asked, e.found, e.conns = slices.Clone(e.asked), slices.Clone(e.found), slices.Clone(e.conns)
	e.ops, e.revisions, e.lists = slices.Clone(e.ops), slices.Clone(e.revisions), slices.Clone(e.lists)
	return e
}

// printedOnce gives a job that was printed at the first attempt and of whose end a client was
// told, with its connection.
func (e *evidence) printedOnce() (o *outcome, c connection) {
	for i := range e.found {
		o = &e.found[i]
		at := slices.IndexFunc(e.conns, func(c connection) bool { return c.Key == o.Key && c.Whole })
		if o.State == "printed" && o.Seen > 0 && at >= 0 && len(o.Attempts) == 1 {
			return o, e.conns[at]
		}
	}
	return nil, c
}

func spoiltJobs() []spoil {
	change := func(how func(e *evidence, o *outcome)) func(*evidence) bool {
		return func(e *evidence) bool {
			o, _ := e.printedOnce()
			if o != nil {
				how(e, o)
			}
			return o != nil
		}
	}
	return []spoil{
		{"a job that was acknowledged and is lost", false, change(func(e *evidence, o *outcome) {
			gone := o.Key
			e.found = slices.DeleteFunc(e.found, func(o outcome) bool { return o.Key == gone })
		}), "is lost"},
		{"a job that is there twice", false, change(func(e *evidence, o *outcome) { twin := *o; twin.ID += 1e6; e.found = append(e.found, twin) }), "is there 2 times"},
		{"a job with another id", false, change(func(_ *evidence, o *outcome) { o.ID += 1e6 }), "was acknowledged as"},
		{"a job at another printer", false, change(func(_ *evidence, o *outcome) { o.Printer += "x" }), "is at"},
		{"a job that never ends", false, change(func(_ *evidence, o *outcome) { o.State = "held" }), "is held at the end"},
		{"a job that nobody submitted", false, change(func(e *evidence, o *outcome) { twin := *o; twin.Key += "x"; e.found = append(e.found, twin) }), "nobody submitted"},
		{"a job that nobody cancelled", false, func(e *evidence) bool {
			at := slices.IndexFunc(e.asked, func(s submitted) bool { return !s.Cancelled && s.ID != 0 })
			i := slices.IndexFunc(e.found, func(o outcome) bool { return at >= 0 && o.Key == e.asked[at].Key })
			if i >= 0 {
				e.found[i].State = "cancelled"
			}
			return i >= 0
		}, "nobody had asked"},
		{"a list without a printer", false, func(e *evidence) bool {
			for i, l := range e.lists {
				e.lists[i].Printers = l.Printers[1:]
			}
			return len(e.lists) > 0
		}, "without"},
		{"a question that is never answered", false, func(e *evidence) bool {
			for i := range e.lists {
				e.lists[i].Hung = true
			}
			return len(e.lists) > 0
		}, "no answer"},
	}
}

func spoiltPaper() []spoil {
	more := func(how func(c *connection, o *outcome)) func(*evidence) bool {
		return func(e *evidence) bool {
			o, c := e.printedOnce()
			if o == nil {
				return false
			}
			how(&c, o)
			e.conns = append(e.conns, c)
			return true
		}
	}
	read := func(text []byte) (r reading) { r.take(text); return r }
	return []spoil{
		{"a job that is recorded as finished and printed again", false, more(func(c *connection, o *outcome) {
			c.First, o.Attempts = o.Seen+time.Millisecond, []string{"interrupted", "printed"} // the excuse comes too late
		}), "had been told printed"},
		{"a job that is printed again after the power cut", false, more(func(c *connection, o *outcome) {
			c.First, c.Whole, o.Attempts = o.Seen+time.Hour, false, []string{"crashed", "printed"}
		}), "had been told printed"},
		{"a duplicate without an interrupted attempt", false, more(func(*connection, *outcome) {}), "whole 2 times"},
		{"an attempt that is not recorded", false, more(func(c *connection, _ *outcome) { c.Whole = false }), "1 attempts are recorded"},
		{"bytes that are missing", false, more(func(c *connection, _ *outcome) {
			text := paperOf(c.Key, 5000)
			c.reading = read(append(text[:2000:2000], text[2005:]...))
		}), "not the document's"},
		{"another document on the same connection", false, more(func(c *connection, _ *outcome) {
			c.reading = read(slices.Concat(paperOf(c.Key, 5000), paperOf("other-1", 5000)))
		}), "follow the end"},
		{"another owner's bytes in the middle", false, more(func(c *connection, _ *outcome) {
			c.reading = read(append(paperOf(c.Key, 5000)[:2000:2000], paperOf("other-1", 5000)[2000:]...))
		}), "not the document's"},
		{"paper that never came", false, func(e *evidence) bool {
			o, _ := e.printedOnce()
			if o != nil {
				e.conns = slices.DeleteFunc(e.conns, func(c connection) bool { return c.Key == o.Key })
			}
			return o != nil
		}, "never came out whole"},
	}
}

func spoiltOwners() []spoil {
	return []spoil{
		{"bytes of an old owner after the first of the next", true, func(e *evidence) bool {
			for i, c := range e.conns {
				next := slices.IndexFunc(e.conns[i:], func(o connection) bool { return o.Spooler == c.Spooler && o.Source != c.Source && o.Total > 0 })
				if next >= 0 && c.Total > 0 {
					e.conns[i].Limit, e.conns[i].By = c.Total-1, e.conns[i+next].Number
					return true
				}
			}
			return false
		}, "came after the first byte"},
		{"an attempt that an old owner begins", false, func(e *evidence) bool {
			for i, o := range e.found {
				if len(o.Begun) > 0 {
					o.Begun = append(slices.Clone(o.Begun), begun{o.Begun[0].At.Add(time.Hour), o.Begun[0].Epoch - 1})
					e.found[i] = o
					return true
				}
			}
			return false
		}, " s after attempt"},
		{"a write of a node that is not the owner", false, func(e *evidence) bool {
			at := e.endOfAttempt()
			if at >= 0 {
				e.revisions[at].Writer = "n9"
			}
			return at >= 0
		}, `is written by "n9"`},
		{"a write of an owner that is none any more", false, func(e *evidence) bool {
			return e.ownedBefore(func(o *cluster.Owner) { o.Node, o.Epoch = "n9", o.Epoch+1 })
		}, `is "n9"`},
		{"a write of an owner under its earlier epoch", false, func(e *evidence) bool { return e.ownedBefore(func(o *cluster.Owner) { o.Epoch++ }) }, "under epoch"},
	}
}

// endOfAttempt gives a revision by which an owner records that a job is done.
func (e *evidence) endOfAttempt() int {
	return slices.IndexFunc(e.revisions, func(r revision) bool {
		return slices.ContainsFunc(r.Writes, func(w written) bool {
			return strings.HasPrefix(w.Key, job.Prefix(spoolerNames()[0])+"done/") && bytes.Contains(w.Value, []byte(`"outcome":"printed"`))
		})
	})
}

// ownedBefore has somebody else own a spooler before an owner writes: what a transaction
// without its guard would let happen.
func (e *evidence) ownedBefore(change func(*cluster.Owner)) bool {
	at, key := e.endOfAttempt(), "cluster/owner/"+spool.Fold(spoolerNames()[0])
	for i := at; i >= 0; i-- {
		for _, w := range e.revisions[i].Writes {
			var o cluster.Owner
			if w.Key != key || json.Unmarshal(w.Value, &o) != nil {
				continue
			}
			change(&o)
			value, _ := json.Marshal(o)
			e.revisions = slices.Insert(e.revisions, at, revision{Number: e.revisions[at].Number, Writes: []written{{Key: key, Value: value}}})
			return true
		}
	}
	return false
}

// spoiltHistories are what no order of requests explains.
func spoiltHistories() []spoil {
	after := func(more ...porcupine.Operation) func(*evidence) bool {
		return func(e *evidence) bool {
			seen := slices.IndexFunc(e.ops, func(o porcupine.Operation) bool {
				return o.Input.(request).Op == "get" && o.Output.(answer).State == printed
			})
			if seen < 0 {
				return false
			}
			last := slices.MaxFunc(e.ops, func(a, b porcupine.Operation) int { return int(a.Return - b.Return) }).Return
			for i, o := range more {
				r := o.Input.(request)
				r.Key = e.ops[seen].Input.(request).Key
				o.Input, o.Call, o.Return = r, last+int64(10*i)+1, last+int64(10*i)+2
				e.ops = append(e.ops, o)
			}
			return true
		}
	}
	op := func(name string, a answer) porcupine.Operation {
		return porcupine.Operation{Input: request{Op: name}, Output: a}
	}
	const none = "no order explains"
	return []spoil{
		{"a job that was printed and is queued again", false, after(op("get", answer{Verdict: done, State: "queued"})), none},
		{"a job that was printed and is not there any more", false, after(op("get", answer{Verdict: missing})), none},
		{"a job that was printed and is cancelled", false, after(op("cancel", answer{Verdict: done})), none},
		{"a second job of one key", false, after(op("submit", answer{Verdict: done, ID: 1e9, State: "queued"})), none},
		{"a job that is seen before it is submitted", false, func(e *evidence) bool {
			first := slices.IndexFunc(e.ops, func(o porcupine.Operation) bool {
				return o.Input.(request).Op == "submit" && o.Output.(answer).Verdict == done
			})
			if first < 0 {
				return false
			}
			e.ops = append(e.ops, porcupine.Operation{Input: request{Op: "get", Key: e.ops[first].Input.(request).Key}, Output: answer{Verdict: done, State: "queued"}, Return: 1})
			return true
		}, none},
	}
}
