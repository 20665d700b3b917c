package cluster

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// cluster makes a view with members n1 to n3, whose sessions are their names.
func threeNodes() View {
	v := View{
		Spoolers: map[string]Spooler{}, Owners: map[string]Owner{}, States: map[string]State{},
		Moves: map[string]Move{}, Members: map[string]Member{}, Drained: map[string]bool{},
	}
	for _, n := range []string{"n1", "n2", "n3"} {
		v.Members[n] = Member{Name: n, Session: n, Monitors: map[string]string{"Acme": "sha256:aaaa"}}
	}
	return v
}

func TestPlacement(t *testing.T) {
	tests := []struct {
		name string
		view func(v View)
		want string // of spooler "s"
	}{
		{"the least loaded", func(v View) {
			v.Spoolers["a"], v.Owners["a"] = Spooler{}, Owner{Node: "n1", Session: "n1"}
			v.Spoolers["b"], v.Owners["b"] = Spooler{}, Owner{Node: "n2", Session: "n2"}
		}, "n3 n1 n2"},
		{"the preferred, in order", func(v View) { v.Spoolers["s"] = Spooler{Preferred: []string{"N3", "n2"}} }, "n3 n2 n1"},
		{"not a draining one", func(v View) {
			v.Spoolers["s"] = Spooler{Preferred: []string{"n3"}}
			v.Drained["n3"] = true
		}, "n1 n2"},
		{"not one that leaves", func(v View) {
			m := v.Members["n1"]
			m.Leaving = true
			v.Members["n1"] = m
		}, "n2 n3"},
		{"the lack of a monitor outweighs preference", func(v View) {
			v.Spoolers["s"] = Spooler{Preferred: []string{"n1"}}
			v.Members["n1"] = Member{Name: "n1", Session: "n1"}
			v.States["s"] = State{Report: Report{Needs: map[string]string{"Acme": "sha256:aaaa"}}}
		}, "n2 n3 n1"},
		{"a returning owner does not get it back by itself", func(v View) {
			v.Spoolers["s"] = Spooler{Preferred: []string{"n1"}}
			v.Owners["s"] = Owner{Node: "n2", Session: "n2"}
		}, ""},
		{"an owner of an earlier session is none", func(v View) { v.Owners["s"] = Owner{Node: "n2", Session: "old"} }, "n1 n2 n3"},
		{"nobody is left", func(v View) { clear(v.Members) }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := threeNodes()
			v.Spoolers["s"] = Spooler{}
			tt.view(v)
			if got := strings.Join(v.ranking()["s"], " "); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// TestManyAreSpread: what a node had goes to all others alike.
func TestManyAreSpread(t *testing.T) {
	v := threeNodes()
	for i := range 99 {
		name := fmt.Sprintf("s%02d", i)
		v.Spoolers[name], v.Owners[name] = Spooler{}, Owner{Node: "n1", Session: "dead"}
	}
	delete(v.Members, "n1")
	count := map[string]int{}
	for _, nodes := range v.ranking() {
		count[nodes[0]]++
	}
	if d := count["n2"] - count["n3"]; d < -1 || d > 1 || count["n2"]+count["n3"] != 99 {
		t.Errorf("%v", count)
	}
}

func TestLacks(t *testing.T) {
	v := threeNodes()
	v.States["s"] = State{Report: Report{
		Needs: map[string]string{"Acme": "sha256:bbbb", "Other": "builtin"}, Uses: map[string]int{"Acme": 3, "Other": 2},
	}}
	reasons, printers := v.lacks("S", v.Members["n1"])
	want := []string{
		`monitor "Acme" has another digest on n1: aaaa instead of bbbb (3 printers)`,
		`monitor "Other" is not installed on n1 (2 printers)`,
	}
	if !slices.Equal(reasons, want) || printers != 5 {
		t.Errorf("%q, %d printers", reasons, printers)
	}
}

// TestLightest: the lead goes where the least is, and stays where nothing is gained.
func TestLightest(t *testing.T) {
	own := func(v View, name, node string) {
		v.Spoolers[name], v.Owners[name] = Spooler{}, Owner{Node: node, Session: node}
	}
	tests := []struct {
		name string
		view func(v View)
		want string // instead of n1
	}{
		{"nobody owns anything", func(View) {}, ""},
		{"this node owns one", func(v View) { own(v, "a", "n1") }, "n2"},
		{"all own one", func(v View) { own(v, "a", "n1"); own(v, "b", "n2"); own(v, "c", "n3") }, ""},
		{"the one with the fewest", func(v View) { own(v, "a", "n1"); own(v, "b", "n1"); own(v, "c", "n2") }, "n3"},
		{"not to one that is drained", func(v View) { own(v, "a", "n1"); v.Drained["n2"] = true }, "n3"},
		{"away from one that is drained", func(v View) { own(v, "a", "n2"); own(v, "b", "n3"); v.Drained["n1"] = true }, "n2"},
		{"away from one that leaves", func(v View) { v.Members["n1"] = Member{Name: "n1", Session: "n1", Leaving: true} }, "n2"},
		{"nobody else is there", func(v View) { own(v, "a", "n1"); delete(v.Members, "n2"); delete(v.Members, "n3") }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := threeNodes()
			tt.view(v)
			if got := v.lightest("n1"); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
