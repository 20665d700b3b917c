package cluster

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// TestGotReadyForATakeOver: what a node has got ready while another was silent is what it
// opens when the lease of that one has ended.
func TestGotReadyForATakeOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.endless.Store(true) // so that a silent node is removed by those who look whether it is silent
	nodes := map[string]*testNode{"n1": w.join("n1"), "n2": w.join("n2")}
	w.met()
	nodes["n1"].create("a", "n1")
	w.until("it is at n1", func() bool { return w.at("a") == "n1" })
	w.until("a take-over has used what was got ready", func() bool {
		owner := w.at("a")
		nodes[owner].cutOff(true)
		w.until("the other has it", func() bool { at := w.at("a"); return at != "" && at != owner })
		nodes[owner].cutOff(false)
		w.met()
		_, used, _ := w.gotReady()
		return used > 0 // unless the machine was too busy for a look in time
	})
}

// TestGotReadyInVain: a node that is heard again keeps its spooler, and what another has got
// ready is discarded; or else it is used.
func TestGotReadyInVain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n1, _ := w.join("n1"), w.join("n2")
	w.met()
	n1.create("a", "n1")
	w.until("it is at n1", func() bool { return w.at("a") == "n1" })
	n1.cutOff(true)
	w.until("n2 gets it ready", func() bool { made, _, _ := w.gotReady(); return made > 0 })
	n1.cutOff(false)
	w.until("it is used or discarded", func() bool {
		made, used, discarded := w.gotReady()
		return made == used+discarded && w.at("a") != ""
	})
}

func TestComing(t *testing.T) {
	now := 100 * time.Second
	v := View{
		Spoolers: map[string]Spooler{"a": {Name: "A", Preferred: []string{"self"}}, "b": {Name: "B", Preferred: []string{"self"}}, "c": {Name: "C"}, "free": {Name: "free"}},
		Owners: map[string]Owner{
			"a": {Node: "n1", Session: "s1", Epoch: 1}, "b": {Node: "n1", Session: "s1", Epoch: 2}, "c": {Node: "n2", Session: "s2", Epoch: 3},
		},
		States:  map[string]State{"b": {Report: Report{Printers: 9}}},
		Members: map[string]Member{"n1": {Name: "n1", Session: "s1"}, "n2": {Name: "n2", Session: "s2"}, "self": {Name: "self", Session: "s"}},
		Moves:   map[string]Move{},
		Drained: map[string]bool{},
	}
	for name, c := range map[string]struct {
		change func(v *View, heard map[string]heard)
		want   []string
	}{
		"all beat": {func(*View, map[string]heard) {}, nil},
		"one is silent, and the larger spooler comes first": {func(_ *View, h map[string]heard) {
			h[beatKey("n1", "s1")] = heard{since: now - 3*time.Second}
		}, []string{"b", "a"}},
		"not yet silent": {func(_ *View, h map[string]heard) {
			h[beatKey("n1", "s1")] = heard{since: now - 2*time.Second}
		}, nil},
		"it does not beat, as older versions do not": {func(_ *View, h map[string]heard) { delete(h, beatKey("n1", "s1")) }, nil},
		"another is preferred": {func(v *View, h map[string]heard) {
			h[beatKey("n1", "s1")] = heard{since: now - 3*time.Second}
			v.Spoolers["a"] = Spooler{Name: "A", Preferred: []string{"n2"}}
			v.Spoolers["b"] = Spooler{Name: "B", Preferred: []string{"n2"}}
		}, nil},
		"moved here": {func(v *View, _ map[string]heard) {
			v.Moves["c"] = Move{Number: 1, From: "n2", To: "self"}
		}, []string{"c"}},
		"moved elsewhere": {func(v *View, _ map[string]heard) { v.Moves["c"] = Move{Number: 1, From: "n2", To: "n1"} }, nil},
		"moved to whom it is best": {func(v *View, _ map[string]heard) {
			v.Moves["c"] = Move{Number: 1, From: "n2"}
		}, []string{"c"}},
		"the move is over": {func(v *View, _ map[string]heard) {
			v.Moves["c"] = Move{Number: 1, From: "n2", To: "self", Done: true}
		}, nil},
		"this node is drained": {func(v *View, _ map[string]heard) {
			v.Moves["c"] = Move{Number: 1, From: "n2", To: "self"}
			v.Drained["self"] = true
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := New(Config{Name: "self", TTL: DefaultTTL, Clock: func() time.Duration { return now }, Logger: hclog.NewNullLogger()})
			if err != nil {
				t.Fatal(err)
			}
			n.tenancy.fence, n.tenancy.session = fence{ttl: DefaultTTL, standing: sound, renewed: now}, "s"
			n.heard = map[string]heard{beatKey("n1", "s1"): {since: now}, beatKey("n2", "s2"): {since: now}}
			view := v
			view.Spoolers, view.Drained, view.Moves = maps.Clone(v.Spoolers), maps.Clone(v.Drained), maps.Clone(v.Moves)
			c.change(&view, n.heard)
			if got := n.coming(view); !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}
