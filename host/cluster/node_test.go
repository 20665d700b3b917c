package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func (n *testNode) create(name string, preferred ...string) {
	n.w.Helper()
	if err := n.Create(n.w.Context(), name, preferred); err != nil {
		n.w.Fatal(err)
	}
}

func (n *testNode) lastMove(name string) (m Move, steps []string) {
	v, _ := n.View()
	m = v.Moves[strings.ToLower(name)]
	for _, s := range m.Steps {
		steps = append(steps, s.Name)
	}
	return m, steps
}

func TestLifeOfASpooler(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n1, n2 := w.join("n1"), w.join("n2")
	w.met()
	n1.create("NTPRINT", "n2")
	w.until("the preferred owner has it", func() bool { return w.at("NTPRINT") == "n2" })
	w.until("its state is known", func() bool { v, _ := n1.View(); return v.States["ntprint"].State == "online" })
	if _, err := n1.Move(t.Context(), "ntprint", "n1", "root", false); err != nil {
		t.Fatal(err)
	}
	w.until("it is online at n1, and the move is over", func() bool {
		m, _ := n1.lastMove("NTPRINT")
		return w.at("NTPRINT") == "n1" && m.Done
	})
	m, steps := n1.lastMove("NTPRINT")
	want := []string{"checked", "stopped", "documents ended", "shut down", "handed over", "opened", "online"}
	for _, s := range want {
		if !slices.Contains(steps, s) {
			t.Errorf("the steps are %v: %s is missing", steps, s)
		}
	}
	if m.Failure != "" || m.From != "n2" || m.To != "n1" {
		t.Errorf("%+v", m)
	}

	n1.stop() // in order: it goes to n2 at once, not after the lease
	w.until("it is at n2 again", func() bool { return w.at("NTPRINT") == "n2" })
	if m, _ := n2.lastMove("NTPRINT"); !strings.Contains(m.Reason, "stops") {
		t.Errorf("%+v", m)
	}

	if err := n2.Delete(t.Context(), "NTPRINT", false); err != nil {
		t.Fatal(err)
	}
	w.until("nothing is left of it", func() bool {
		left := 0
		err := w.store.View(t.Context(), func(tx store.Tx) error {
			for item := range tx.Scan("", "") {
				if strings.Contains(item.Key, "ntprint") {
					left++
				}
			}
			return nil
		})
		return err == nil && left == 0 && w.at("NTPRINT") == ""
	})
}

// TestCutOff: a node that cannot renew its lease has ended its spoolers before another
// takes them (fakeInstance.Run looks), and comes back as a node without spoolers.
func TestCutOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n1, n2 := w.join("n1"), w.join("n2")
	w.met()
	for i := range 10 {
		n1.create(fmt.Sprintf("s%d", i), "n1")
	}
	w.until("all are at n1", func() bool { return len(w.openNow()) == 10 && n1.count() == 10 })
	n1.cutOff(true)
	w.until("all are at n2", func() bool { return n2.count() == 10 })
	n1.mu.Lock()
	if len(n1.killed) < 10 {
		t.Errorf("killed at n1: %v", n1.killed)
	}
	n1.mu.Unlock()
	n1.cutOff(false)
	w.until("n1 is a member again", func() bool { return n1.tenancy.current() != "" })
	if n := n1.count(); n != 0 {
		t.Errorf("%d spoolers went back by themselves", n)
	}
}

func (n *testNode) count() (c int) {
	for _, e := range n.w.openNow() {
		if strings.Contains(e, "="+n.cfg.Name+"@") {
			c++
		}
	}
	return c
}

func TestDrain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n1, n2 := w.join("n1"), w.join("n2")
	w.met()
	n1.create("a", "n1")
	w.until("it is at n1", func() bool { return w.at("a") == "n1" })
	if err := n2.Drain(t.Context(), "N1", true); err != nil {
		t.Fatal(err)
	}
	w.until("it is at n2", func() bool { return w.at("a") == "n2" })
	w.until("its state is known", func() bool { v, _ := n1.View(); return v.States["a"].Node == "n2" })
	_, err := n1.Move(t.Context(), "a", "n1", "root", false)
	if !errors.Is(err, spoolerr.Precondition) || !strings.Contains(err.Error(), "node resume n1") {
		t.Errorf("a move to a drained node: %v", err)
	}
	if err := n2.Drain(t.Context(), "n2", true); err != nil {
		t.Fatal(err)
	}
	w.until("nobody has it", func() bool {
		v, _ := n1.View()
		_, _, owned := v.OwnerOf("a")
		return w.at("a") == "" && !owned
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := n1.WaitOwner(ctx, "a"); !errors.Is(err, spoolerr.Unavailable) || !strings.Contains(err.Error(), "node list") {
		t.Errorf("no owner: %v", err)
	}
	if err := n2.Drain(t.Context(), "n1", false); err != nil {
		t.Fatal(err)
	}
	w.until("n1 takes it", func() bool { return w.at("a") == "n1" })
}

// TestRefusals: what an operator gets wrong is said in one line with the remedy.
func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n1, n2 := w.join("n1"), w.join("n2")
	w.met()
	n1.create("a", "n1")
	n2.mu.Lock()
	n2.monitors = map[string]string{"Acme": "sha256:bbbb"}
	n2.mu.Unlock()
	w.until("it is online", func() bool { v, _ := n1.View(); return v.States["a"].State == "online" })
	w.until("n2's monitors are known", func() bool { v, _ := n1.View(); return v.Members["n2"].Monitors["Acme"] == "sha256:bbbb" })
	move := func(name, to string, force bool) error {
		_, err := n1.Move(t.Context(), name, to, "root", force)
		return err
	}
	tests := []struct {
		what string
		err  error
		kind spoolerr.Kind
		says string
	}{
		{"unknown spooler", move("b", "n2", false), spoolerr.NotFound, "spooler list"},
		{"unknown node", move("a", "n9", false), spoolerr.NotFound, "node list"},
		{"the same node", move("a", "N1", false), spoolerr.Precondition, "already"},
		{"another digest", move("a", "n2", false), spoolerr.Precondition, "bbbb instead of aaaa"},
		{"another digest, no node named", move("a", "", false), spoolerr.Precondition, "--force"},
		{"the name of the node's own", n1.Create(t.Context(), "Node", nil), spoolerr.Exists, "own spooler"},
		{"twice", n1.Create(t.Context(), "A", nil), spoolerr.Exists, "already"},
		{"a bad name", n1.Create(t.Context(), "a/b", nil), spoolerr.Invalid, "spooler name"},
		{"a node twice", n1.Create(t.Context(), "x", []string{"n1", "N1"}), spoolerr.Invalid, "twice"},
		{"drain of an unknown node", n1.Drain(t.Context(), "n9", true), spoolerr.NotFound, "node list"},
		{"delete of an unknown one", n1.Delete(t.Context(), "b", true), spoolerr.NotFound, "spooler list"},
		{"forced", move("a", "n2", true), 0, ""},
	}
	for _, tt := range tests {
		switch {
		case tt.says == "" && tt.err != nil:
			t.Errorf("%s: %v", tt.what, tt.err)
		case tt.says != "" && (spoolerr.KindOf(tt.err) != tt.kind || !strings.Contains(tt.err.Error(), tt.says)):
			t.Errorf("%s: %v, want %v with %q", tt.what, tt.err, tt.kind, tt.says)
		}
	}
	w.until("the forced move is carried out", func() bool { return w.at("a") == "n2" })
}

// TestOpenFails: a spooler that cannot be opened is tried again, and can be moved away.
func TestOpenFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n1 := w.join("n1")
	n1.mu.Lock()
	n1.failing = errors.New("the registry is damaged")
	n1.mu.Unlock()
	n1.create("a")
	w.until("it is n1's, and fails", func() bool { v, _ := n1.View(); return v.Owners["a"].Node == "n1" })
	n2 := w.join("n2")
	w.met()
	w.until("n2 is known", func() bool { v, _ := n1.View(); return v.Members["n2"].Name != "" })
	if _, err := n2.Move(t.Context(), "a", "n2", "root", false); err != nil {
		t.Fatal(err)
	}
	w.until("it is at n2", func() bool { return w.at("a") == "n2" })
}
