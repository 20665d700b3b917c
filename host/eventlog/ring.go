package eventlog

import "slices"

// ring holds the newest events, at most size.
type ring struct {
	size   int
	events []Event
	next   int // where the next goes once events is full: the oldest
}

func (r *ring) add(e Event) {
	if len(r.events) < r.size {
		r.events = append(r.events, e)
		return
	}
	r.events[r.next] = e
	r.next = (r.next + 1) % r.size
}

// find gives the matching events, oldest first. It looks from the newest back, so that
// asking for a few, or for those after a recent one, is cheap.
func (r *ring) find(f Filter) []Event {
	var found []Event
	n := len(r.events)
	for i := range n {
		e := r.events[(r.next+n-1-i)%n]
		if e.Seq <= f.AfterSeq || f.Limit > 0 && len(found) == f.Limit {
			break
		}
		if f.match(e) {
			e.Related = slices.Clone(e.Related)
			found = append(found, e)
		}
	}
	slices.Reverse(found)
	return found
}
