package engine

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/host/trust"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// rosterWith makes the roster of a first node, whose cluster has an etcd of its own; the store stands
// for that.
func rosterWith(t *testing.T) *Roster {
	t.Helper()
	db, err := store.OpenBolt(filepath.Join(t.TempDir(), "db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	authority, err := trust.NewAuthority("print")
	if err != nil {
		t.Fatal(err)
	}
	r := &Roster{
		Cluster: "print", Kind: "external", Self: Node{Name: "n1", API: "n1:6312", Key: "first"}, Shared: t.TempDir(),
		Authority: authority, Store: db, Now: time.Now,
	}
	if err := r.Admit(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

// apply is what a node sends that wants to join.
func apply(t *testing.T, r *Roster, name, token string, identity *trust.Identity) Application {
	t.Helper()
	request, err := identity.Request(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	marker := MarkerName(name)
	if _, err := MakeMarker(r.Shared, marker, "text"); err != nil {
		t.Fatal(err)
	}
	return Application{Token: token, Node: Node{Name: name, API: name + ":6312"}, Request: request, Level: Level, Engine: "external", Marker: marker, MarkerText: "text", Time: r.Now()}
}

func newIdentity(t *testing.T) *trust.Identity {
	t.Helper()
	identity, err := trust.OpenIdentity(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return identity
}

func newToken(t *testing.T, r *Roster) string {
	t.Helper()
	token, _, err := r.Token(0)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func wantError(t *testing.T, what string, err error, kind spoolerr.Kind, text string) {
	t.Helper()
	if spoolerr.KindOf(err) != kind || !strings.Contains(err.Error(), text) {
		t.Errorf("%s: %v", what, err)
	}
}

// TestLevels: a binary that says other things than its cluster takes no part, and says which
// of the two is older.
func TestLevels(t *testing.T) {
	r := rosterWith(t)
	a := apply(t, r, "n2", newToken(t, r), newIdentity(t))
	for _, c := range []struct {
		level int
		text  string
	}{{Level - 1, "older"}, {Level + 1, "newer"}} {
		a.Level = c.level
		_, err := r.Join(t.Context(), a)
		wantError(t, "joining with level "+c.text, err, spoolerr.Precondition, c.text)
	}
	for _, c := range []struct {
		level int
		text  string
	}{{Level + 1, "older than its cluster"}, {Level - 1, "newer than its cluster"}} {
		err := r.Store.Update(t.Context(), func(tx store.Tx) error {
			return write(tx, clusterKey, clusterRecord{Name: "print", Level: c.level, Engine: "external"})
		})
		if err != nil {
			t.Fatal(err)
		}
		wantError(t, "a start", r.Admit(t.Context()), spoolerr.Precondition, c.text)
	}
}

// TestIdentities: a name belongs to the key that joined with it, a token to who has used it,
// and neither to a node that was removed.
func TestIdentities(t *testing.T) {
	r := rosterWith(t)
	ours, theirs, token := newIdentity(t), newIdentity(t), newToken(t, r)
	join := func(name, token string, identity *trust.Identity) error {
		_, err := r.Join(t.Context(), apply(t, r, name, token, identity))
		return err
	}
	for range 2 { // the first answer was lost
		if err := join("n2", token, ours); err != nil {
			t.Fatal(err)
		}
	}
	wantError(t, "another's token", join("n3", token, theirs), spoolerr.Denied, "used already")
	wantError(t, "another name with a used token", join("n3", token, ours), spoolerr.Denied, "used already")
	wantError(t, "another's name", join("N2", newToken(t, r), theirs), spoolerr.Exists, "another name")
	if err := join("n2", newToken(t, r), ours); err != nil {
		t.Error(err)
	}
	self := *r
	self.Self = Node{Name: "n2", Key: theirs.Fingerprint()}
	wantError(t, "a start under another identity", self.Admit(t.Context()), spoolerr.Exists, "another identity")
	self.Self.Key = ours.Fingerprint()
	if err := self.Admit(t.Context()); err != nil {
		t.Error(err)
	}
	if err := r.Remove(t.Context(), "n2"); err != nil {
		t.Fatal(err)
	}
	wantError(t, "a start after the removal", self.Admit(t.Context()), spoolerr.Precondition, "was removed")
	wantError(t, "the token of a node that was removed", join("n2", token, ours), spoolerr.Denied, "used already")
}

// TestStoreFails: a join that is not written down leaves nothing.
func TestStoreFails(t *testing.T) {
	r := rosterWith(t)
	a := apply(t, r, "n2", newToken(t, r), newIdentity(t))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Join(gone, a); err == nil {
		t.Error("a join without a store succeeded")
	}
	if nodes, err := r.Nodes(t.Context()); err != nil || len(nodes) != 1 {
		t.Errorf("%v, %v", nodes, err)
	}
	if _, err := r.Join(t.Context(), a); err != nil {
		t.Errorf("the same again: %v", err)
	}
}
