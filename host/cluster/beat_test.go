package cluster

import (
	"testing"

	"github.com/spoolhost/spoolhost/host/store"
)

// TestSilentNode: a node that is cut off while leases do not run out, as after the death of
// etcd's leader, has fenced itself when another takes over; and it comes back.
func TestSilentNode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n1, n2 := w.join("n1"), w.join("n2")
	w.met()
	w.until("n2 knows n1", func() bool {
		v, _ := n2.View()
		_, there := v.Members["n1"]
		return there && n1.tenancy.current() != ""
	})
	n1.create("a", "n1")
	w.until("it is at n1", func() bool { return w.at("a") == "n1" })
	w.endless.Store(true)
	n1.cutOff(true)
	w.until("it is at n2", func() bool { return w.at("a") == "n2" })
	n1.mu.Lock()
	if len(n1.killed) == 0 {
		t.Errorf("killed at n1: %v", n1.killed)
	}
	n1.mu.Unlock()
	n1.cutOff(false)
	w.until("n1 is a member again", func() bool {
		v, _ := n2.View()
		_, there := v.Members["n1"]
		return there && n1.tenancy.current() != ""
	})
}

// TestRemoveSilent: a node that has beaten since is not removed, and one that was removed
// learns it with its next beat.
func TestRemoveSilent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n1, n2 := w.join("n1"), w.join("n2")
	w.met()
	var m Member
	w.until("n2 knows n1", func() bool {
		v, _ := n2.View()
		m = v.Members["n1"]
		return m.Session != "" && n1.tenancy.current() == m.Session
	})
	if removed, err := n2.removeSilent(t.Context(), m, []byte("0")); removed || err != nil {
		t.Errorf("a node that has beaten since: %v, %v", removed, err)
	}
	w.until("it is removed with its last beat", func() bool {
		var last []byte
		err := w.store.View(t.Context(), func(tx store.Tx) (err error) {
			last, err = tx.Get(beatKey("n1", m.Session))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		removed, err := n2.removeSilent(t.Context(), m, last)
		if err != nil {
			t.Fatal(err)
		}
		return removed
	})
	w.until("n1 is a member under another lease", func() bool {
		v, _ := n2.View()
		now := v.Members["n1"]
		return now.Session != "" && now.Session != m.Session && n1.tenancy.current() == now.Session
	})
}
