//go:build linux

package chaos

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// fault is one thing that goes wrong for a while.
type fault struct {
	Kind string
	// Node is whom it hits, and Other who else; numbers from 1.
	Node, Other int
	// Hold is how long it lasts, Gap how long nothing new happens after it.
	Hold, Gap time.Duration
	// Overlap has the next begin while it lasts.
	Overlap bool
	// Owner has it hit the node that owns a spooler when it begins, whichever that is.
	Owner bool
}

func (f fault) String() string {
	return fmt.Sprintf("%-9s node %d, other %d, for %.1fs", f.Kind, f.Node, f.Other, f.Hold.Seconds())
}

// kinds gives the faults that there are, the frequent ones several times.
func kinds(external bool) []string {
	list := []string{
		"kill", "kill", "kill", "term", "stop", "stop", "stop", "module", "module", "modules", "guard", "both-stop", "module-stop", "modules-stop", "guard-stop",
		"cut", "cut", "cut-in", "cut-out", "pair", "pair-in", "island",
		"readonly", "readonly-all", "full", "move", "move", "move", "drain",
	}
	if external {
		return append(list, "etcd", "etcd", "etcd", "etcd-two", "etcd-stop")
	}
	return append(list, "kill-two")
}

// planned draws faults. Those of one seed are always the same, and a shorter plan begins
// like a longer one.
func planned(seed uint64, count int, list []string) []fault {
	r := rand.New(rand.NewPCG(seed, 1))
	between := func(least, most time.Duration) time.Duration {
		return least + time.Duration(r.Int64N(int64(most-least)))
	}
	plan := make([]fault, 0, count)
	for len(plan) < count {
		f := fault{Kind: list[r.IntN(len(list))], Node: 1 + r.IntN(nodes), Hold: between(300*time.Millisecond, 3*lease), Gap: between(0, lease), Overlap: r.IntN(4) == 0, Owner: r.IntN(3) > 0}
		f.Other = 1 + (f.Node+r.IntN(nodes-1))%nodes
		plan = append(plan, f)
	}
	return plan
}

func TestPlansRepeat(t *testing.T) {
	long := planned(7, 100, kinds(true))
	if !reflect.DeepEqual(long[:30], planned(7, 30, kinds(true))) || reflect.DeepEqual(long, planned(8, 100, kinds(true))) {
		t.Error("a plan does not follow from its seed")
	}
	for _, f := range long {
		if f.Node == f.Other || f.Node < 1 || f.Other < 1 || f.Node > nodes || f.Other > nodes {
			t.Errorf("%v", f)
		}
	}
}
