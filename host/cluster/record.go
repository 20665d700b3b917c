package cluster

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// The keys, below "cluster/". Names are folded.
//
//	epoch          the last epoch that was given out, of all spoolers
//	spooler/NAME   a cluster spooler: what an operator said of it
//	owner/NAME     who owns it, since which epoch; written by claims and by handing over only,
//	               because every write of the owner is bound to its exact value
//	state/NAME     what the owner says of it
//	move/NAME      its last move, with its steps
//	member/NODE    a node that is there; under the node's lease
//	drain/NODE     a node that is to own nothing
//	module/KIND/NAME  a module whose executable is on the shared storage
const (
	prefix        = "cluster/"
	epochKey      = prefix + "epoch"
	spoolerPrefix = prefix + "spooler/"
	ownerPrefix   = prefix + "owner/"
	statePrefix   = prefix + "state/"
	movePrefix    = prefix + "move/"
	memberPrefix  = prefix + "member/"
	drainPrefix   = prefix + "drain/"
	modulePrefix  = prefix + "module/"
)

func spoolerKey(name string) string { return spoolerPrefix + spool.Fold(name) }
func ownerKey(name string) string   { return ownerPrefix + spool.Fold(name) }
func stateKey(name string) string   { return statePrefix + spool.Fold(name) }
func moveKey(name string) string    { return movePrefix + spool.Fold(name) }
func memberKey(node string) string  { return memberPrefix + spool.Fold(node) }
func drainKey(node string) string   { return drainPrefix + spool.Fold(node) }

// Spooler is what an operator said of a cluster spooler.
type Spooler struct {
	Name      string    `json:"name"`
	Preferred []string  `json:"preferred,omitempty"`
	Created   time.Time `json:"created"`
	// Deleting: its owner ends it and removes all that it has.
	Deleting bool `json:"deleting,omitempty"`
}

// Owner says who owns a spooler. It holds while the node's member record has the session.
type Owner struct {
	Node    string `json:"node"` // empty: nobody, on purpose
	Session string `json:"session"`
	// Epoch is never used twice, also not by another spooler.
	Epoch uint64    `json:"epoch"`
	Since time.Time `json:"since"`
	// Moved is the number of the last move that was over when it came: by that move, or, if it
	// was taken over, whatever had become of that one. Times would not do: clocks differ.
	Moved uint64 `json:"moved,omitempty"`
}

// Member is a node that is there.
type Member struct {
	Name string `json:"name"`
	// Session tells one lease of a node from the next.
	Session string `json:"session"`
	// Address is where other nodes reach its API; IPP, if not empty, its printers.
	Address string `json:"address"`
	Version string `json:"version"`
	// Leaving: it gives up what it has, and takes nothing.
	Leaving bool `json:"leaving,omitempty"`
	// Monitors are the digests of its monitors by name, or "builtin".
	Monitors map[string]string `json:"monitors,omitempty"`
	// Unfetched says why it does not have monitors that are stored in the cluster, by name.
	Unfetched map[string]string `json:"unfetched,omitempty"`
	// Storage says why it cannot write to the shared directory; empty: it can.
	Storage string `json:"storage,omitempty"`
}

// Report is what an owner says of its spooler.
type Report struct {
	// State is as spooler.Spooler's.
	State    string   `json:"state"`
	Problems []string `json:"problems,omitempty"` // the first few
	Printers int      `json:"printers"`
	Missing  int      `json:"missing,omitempty"` // of the printers
	Jobs     int      `json:"jobs"`
	// Needs are the digests of the monitors that its printers use, by name; Uses is how many
	// printers use each.
	Needs map[string]string `json:"needs,omitempty"`
	Uses  map[string]int    `json:"uses,omitempty"`
}

// State is a Report and who made it.
type State struct {
	Report
	Node  string    `json:"node"`
	Epoch uint64    `json:"epoch"`
	At    time.Time `json:"at"`
}

// Move is a planned move of a spooler, under way or done.
type Move struct {
	Number uint64 `json:"number"`
	From   string `json:"from,omitempty"`
	// To is the node that it goes to; empty until placement has chosen one.
	To     string    `json:"to,omitempty"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	Asked  time.Time `json:"asked"`
	Steps  []Step    `json:"steps,omitempty"`
	// Waits is what the step under way waits for.
	Waits string `json:"waits,omitempty"`
	Done  bool   `json:"done,omitempty"`
	// Failure says why it did not come to its end.
	Failure string `json:"failure,omitempty"`
}

// Step is one of a move's.
type Step struct {
	Name string    `json:"name"`
	Node string    `json:"node"`
	At   time.Time `json:"at"`
	Text string    `json:"text,omitempty"`
}

// maxSteps bounds a move's record.
const maxSteps = 64

func getJSON(tx store.Tx, key string, to any) (found bool, err error) {
	data, err := tx.Get(key)
	switch {
	case errors.Is(err, spoolerr.NotFound):
		return false, nil
	case err != nil:
		return false, err
	}
	return true, decode(key, data, to)
}

func decode(key string, data []byte, to any) error {
	if err := json.Unmarshal(data, to); err != nil {
		return spoolerr.As(err, spoolerr.Corrupt, "entry %s of the cluster is damaged; restore the store from a backup", key)
	}
	return nil
}

func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil { // every record is plain
		panic("cluster: " + err.Error())
	}
	return data
}

func putJSON(tx store.Tx, key string, v any) error { return tx.Put(key, encode(v)) }

// nextEpoch gives a number that no owner had before.
func nextEpoch(tx store.Tx) (n uint64, err error) {
	if _, err = getJSON(tx, epochKey, &n); err != nil {
		return 0, err
	}
	return n + 1, putJSON(tx, epochKey, n+1)
}

// View is the cluster as its store has it. Its maps are by folded name.
type View struct {
	Spoolers map[string]Spooler
	Owners   map[string]Owner
	States   map[string]State
	Moves    map[string]Move
	Members  map[string]Member
	Drained  map[string]bool
	Modules  map[string]Module // by ModuleID
}

// readView reads all of it.
func readView(tx store.Tx) (View, error) {
	v := View{
		Spoolers: map[string]Spooler{}, Owners: map[string]Owner{}, States: map[string]State{},
		Moves: map[string]Move{}, Members: map[string]Member{}, Drained: map[string]bool{},
		Modules: map[string]Module{},
	}
	for item, err := range tx.Scan(prefix, "") {
		if err == nil {
			err = v.take(item)
		}
		if err != nil {
			return v, err
		}
	}
	return v, nil
}

func (v *View) take(item store.Item) error {
	kind, name, _ := strings.Cut(strings.TrimPrefix(item.Key, prefix), "/")
	switch kind + "/" {
	case strings.TrimPrefix(spoolerPrefix, prefix):
		return into(v.Spoolers, name, item)
	case strings.TrimPrefix(ownerPrefix, prefix):
		return into(v.Owners, name, item)
	case strings.TrimPrefix(statePrefix, prefix):
		return into(v.States, name, item)
	case strings.TrimPrefix(movePrefix, prefix):
		return into(v.Moves, name, item)
	case strings.TrimPrefix(memberPrefix, prefix):
		return into(v.Members, name, item)
	case strings.TrimPrefix(drainPrefix, prefix):
		v.Drained[name] = true
	case strings.TrimPrefix(modulePrefix, prefix):
		return into(v.Modules, name, item)
	}
	return nil
}

func into[T any](m map[string]T, name string, item store.Item) error {
	var record T
	if err := decode(item.Key, item.Value, &record); err != nil {
		return err
	}
	m[name] = record
	return nil
}

// OwnerOf gives the living owner of a spooler; false if it has none now.
func (v View) OwnerOf(name string) (Owner, Member, bool) {
	o := v.Owners[spool.Fold(name)]
	m, ok := v.Members[spool.Fold(o.Node)]
	return o, m, ok && o.Node != "" && m.Session == o.Session
}
