//go:build linux

package chaos

import (
	numbers "encoding/binary"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/spoolhost/spoolhost/host/cluster"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/registry"
	"github.com/spoolhost/spoolhost/host/share"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// etcd keeps what was written, in the order in which it was: who owned a spooler when
// somebody wrote for it is a matter of revisions, and of nobody's clock.

// revision is one transaction.
type revision struct {
	Number int64
	Writer string // the node; empty for leases and beats
	Writes []written
}

type written struct {
	Key     string // without what begins all keys
	Value   []byte
	Deleted bool
}

// revisions reads what a member of etcd has; it is killed for that.
func (w *world) revisions() []revision {
	w.Helper()
	member, dir := &w.nodes[1].process, w.path("d1/cluster/etcd")
	if w.external {
		member, dir = w.etcd[0], w.path("e0")
	}
	member.signal(syscall.SIGKILL)
	member.gone(patience)
	list, err := readRevisions(filepath.Join(dir, "member", "snap", "db"), "/spoolhost/chaos/")
	w.ok(err)
	return list
}

// readRevisions reads the file of a member: keys are revisions, values are entries.
func readRevisions(path, prefix string) (list []revision, err error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Minute})
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("key")).ForEach(func(k, v []byte) error {
			var kv mvccpb.KeyValue
			if err := kv.Unmarshal(v); err != nil {
				return err
			}
			number := int64(numbers.BigEndian.Uint64(k)) //nolint:gosec // as etcd counts
			if len(list) == 0 || list[len(list)-1].Number != number {
				list = append(list, revision{Number: number})
			}
			last := &list[len(list)-1]
			if node, marker := strings.CutPrefix(string(kv.Key), prefix+"w/"); marker {
				last.Writer = node
			} else if key, data := strings.CutPrefix(string(kv.Key), prefix+"k/"); data {
				last.Writes = append(last.Writes, written{key, append([]byte(nil), kv.Value...), strings.HasSuffix(string(k), "t")})
			}
			return nil
		})
	})
	return list, err
}

// jobAttempts is what is looked at of a job's record.
type jobAttempts struct {
	Attempts []struct {
		Number  uint32 `json:"number"`
		Epoch   uint64 `json:"epoch"`
		Outcome string `json:"outcome"`
	} `json:"attempts"`
}

// checkWrites: what is written for a spooler is written by its owner, and an attempt under
// the owner's epoch. Any node may take a job: then the record is new, without an attempt.
func checkWrites(spoolers []string, list []revision) (problems []string) {
	for _, name := range spoolers {
		a := audit{name: name, known: make(map[string]jobAttempts)}
		for _, r := range list {
			a.take(r)
		}
		problems = append(problems, a.problems...)
	}
	return problems
}

// audit follows one spooler through the revisions.
type audit struct {
	name     string
	now      cluster.Owner
	known    map[string]jobAttempts // by id
	problems []string
}

func (a *audit) take(r revision) {
	folded := spool.Fold(a.name)
	for _, w := range r.Writes {
		if w.Key == "cluster/owner/"+folded {
			a.now = cluster.Owner{}
			_ = json.Unmarshal(w.Value, &a.now) // of one that has none, nothing
		}
	}
	for _, w := range r.Writes {
		key, ofJobs := strings.CutPrefix(w.Key, job.Prefix(a.name))
		switch {
		case ofJobs && a.intake(w, key):
		case ofJobs, w.Key == "cluster/state/"+folded, strings.HasPrefix(w.Key, registry.Prefix(a.name)), strings.HasPrefix(w.Key, share.Prefix(a.name)):
			if r.Writer != a.now.Node {
				a.problem(r, "%s is written by %q", w.Key, r.Writer)
			}
		}
		if ofJobs {
			a.attempts(r, w, key)
		}
	}
}

func (a *audit) problem(r revision, format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	a.problems = append(a.problems, fmt.Sprintf("revision %d: %s, and the owner of %s is %q with epoch %d", r.Number, what, a.name, a.now.Node, a.now.Epoch))
}

// intake says whether a node that is not the owner may write that.
func (a *audit) intake(w written, key string) bool {
	kind, id, _ := strings.Cut(key, "/")
	switch kind {
	case "active":
		_, known := a.known[id]
		return !known && !w.Deleted
	case "next", "submission", "submitted":
		return true
	case "document":
		return !w.Deleted
	}
	return false
}

// attempts looks at those that are new, or have changed. The next owner says of those that it
// finds that they were interrupted.
func (a *audit) attempts(r revision, w written, key string) {
	kind, id, _ := strings.Cut(key, "/")
	var after jobAttempts
	if kind != "active" && kind != "done" || w.Deleted || json.Unmarshal(w.Value, &after) != nil {
		return
	}
	before := a.known[id]
	a.known[id] = after
	for i, t := range after.Attempts {
		if i < len(before.Attempts) && before.Attempts[i] == t || t.Epoch == a.now.Epoch {
			continue
		}
		if t.Outcome != "interrupted" || t.Epoch > a.now.Epoch {
			a.problem(r, "attempt %d of %s is written as %q under epoch %d", t.Number, w.Key, t.Outcome, t.Epoch)
		}
	}
}
