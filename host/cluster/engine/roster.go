package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/host/trust"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Level is what nodes say to each other and keep in etcd. A binary takes part in clusters of
// its own level only.
const Level = 1

// MaxSkew is by how much clocks may differ before it is said.
const MaxSkew = 2 * time.Second

// The keys of the store.
const (
	prefix      = "engine/"
	clusterKey  = prefix + "cluster"
	nodePrefix  = prefix + "node/"
	tokenPrefix = prefix + "token/"
)

// Node is what is kept of a node.
type Node struct {
	Name    string    `json:"name"`
	Peer    string    `json:"peer,omitempty"`
	API     string    `json:"api"`
	Version string    `json:"version"`
	Joined  time.Time `json:"joined"`
	// Key is the fingerprint of the node's identity.
	Key string `json:"key"`
}

type clusterRecord struct {
	Name   string `json:"name"`
	Level  int    `json:"level"`
	Engine string `json:"engine"`
}

// Roster is the list of the cluster's nodes: who joins, who is removed.
type Roster struct {
	// Cluster is the cluster's name, Kind "embedded" or "external", Self this node.
	Cluster, Kind string
	Self          Node
	// Dir is where this node keeps what it has of the cluster, Shared what all share.
	Dir, Shared string
	Authority   *trust.Authority
	Engine      *Engine
	Store       store.Store
	Now         func() time.Time
}

// Admit writes this node down, and the cluster if it is the first. spoolerr.Precondition:
// this binary is too old for the cluster, or too new, or the node was removed.
func (r *Roster) Admit(ctx context.Context) error {
	return r.Store.Update(ctx, func(tx store.Tx) error {
		var c clusterRecord
		switch err := read(tx, clusterKey, &c); {
		case errors.Is(err, spoolerr.NotFound):
			if err := write(tx, clusterKey, clusterRecord{Name: r.Cluster, Level: Level, Engine: r.Kind}); err != nil {
				return err
			}
			return write(tx, nodeKey(r.Self.Name), r.Self)
		case err != nil:
			return err
		}
		if err := r.checkCluster(c); err != nil {
			return err
		}
		var known Node
		err := read(tx, nodeKey(r.Self.Name), &known)
		switch {
		case errors.Is(err, spoolerr.NotFound):
			return r.Removed()
		case err != nil:
			return err
		case known.Key != r.Self.Key:
			return spoolerr.New(spoolerr.Exists, 0, "cluster %s has another node %s, with another identity; give this one another name, or remove that one (spoolhost cluster remove)", spool.Quote(r.Cluster), spool.Quote(r.Self.Name))
		}
		self := r.Self
		self.Joined = known.Joined
		if self == known {
			return nil
		}
		return write(tx, nodeKey(self.Name), self)
	})
}

// Removed is the error of a node that is not in the cluster any more.
func (r *Roster) Removed() error { return removed(r.Self.Name, r.Cluster, r.Dir) }

func (r *Roster) checkCluster(c clusterRecord) error {
	switch {
	case c.Name != r.Cluster:
		return spoolerr.New(spoolerr.Precondition, 0, "etcd has the cluster %s and not %s; correct the cluster block, or give this cluster an etcd of its own", spool.Quote(c.Name), spool.Quote(r.Cluster))
	case c.Level > Level:
		return tooOld(c.Level, Level)
	case c.Level < Level:
		return spoolerr.New(spoolerr.Precondition, 0, "this spoolhost is newer than its cluster (level %d, the cluster has %d); use the version that the other nodes have", Level, c.Level)
	}
	return nil
}

func tooOld(cluster, binary int) error {
	return spoolerr.New(spoolerr.Precondition, 0, "this spoolhost is older than its cluster (level %d, the cluster has %d); install the version that the other nodes have", binary, cluster)
}

// Nodes gives all nodes, by folded name.
func (r *Roster) Nodes(ctx context.Context) (nodes map[string]Node, err error) {
	err = r.Store.View(ctx, func(tx store.Tx) error {
		nodes = make(map[string]Node)
		for item, err := range tx.Scan(nodePrefix, "") {
			if err != nil {
				return err
			}
			var n Node
			if err := json.Unmarshal(item.Value, &n); err != nil {
				return spoolerr.As(err, spoolerr.Corrupt, "entry %s", item.Key)
			}
			nodes[strings.TrimPrefix(item.Key, nodePrefix)] = n
		}
		return nil
	})
	return nodes, err
}

// Watch tells of changes of the nodes.
func (r *Roster) Watch() *store.Watcher { return r.Store.Watch(nodePrefix) }

// Token makes a join token.
func (r *Roster) Token(valid time.Duration) (string, time.Time, error) {
	const usual, longest = time.Hour, 7 * 24 * time.Hour
	if valid == 0 {
		valid = usual
	}
	if valid < 0 || valid > longest {
		return "", time.Time{}, spoolerr.New(spoolerr.Invalid, 0, "a token valid for %v is not possible; use up to %v", valid, longest)
	}
	expires := r.Now().Add(valid)
	token, err := r.Authority.Token(r.Cluster, r.Self.API, expires)
	return token, expires, err
}

// Application is a node that wants to join.
type Application struct {
	Token   string
	Node    Node
	Request []byte
	Level   int
	Engine  string
	// Marker is a file that it has made in the shared directory, with MarkerText in it.
	Marker, MarkerText string
	Time               time.Time
}

// Admission is what it is given.
type Admission struct {
	Certificate, Authority []byte
	Members                map[string]string
	Notices                []string
}

// nodeName is what names of nodes look like: they are DNS names in certificates.
var nodeName = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$`)

// CheckName refuses names that nodes cannot have.
func CheckName(name string) error {
	if !nodeName.MatchString(name) {
		return spoolerr.New(spoolerr.Invalid, 0, "node name %s is not usable; use 1 to 63 letters, digits and hyphens, such as print1", spool.Quote(name))
	}
	return nil
}

// Join lets a node in. One that is in already, by its identity, is let in anew: the answer
// may have been lost, or what it kept of the cluster.
func (r *Roster) Join(ctx context.Context, a Application) (_ *Admission, err error) {
	token, err := r.Authority.Check(a.Token, r.Now())
	if err != nil {
		return nil, err
	}
	if err := r.checkApplication(a); err != nil {
		return nil, err
	}
	adm := &Admission{Notices: skewNotice(a.Time.Sub(r.Now()))}
	if adm.Certificate, err = r.Authority.Sign(a.Node.Name, a.Request); err != nil {
		return nil, err
	}
	if adm.Authority, err = r.Authority.Marshal(); err != nil {
		return nil, err
	}
	if a.Node.Key, err = trust.RequestFingerprint(a.Request); err != nil {
		return nil, err
	}
	a.Node.Joined = r.Now()
	before, err := r.enter(ctx, token, a.Node)
	if err != nil {
		return nil, err
	}
	if r.Kind == "embedded" {
		if adm.Members, err = r.addMember(ctx, before, a.Node); err != nil {
			return nil, errors.Join(err, r.forget(ctx, token, a.Node, before))
		}
	}
	return adm, nil
}

// addMember gives a node a member of etcd. What an earlier one knew it has lost, and etcd
// counts on a member's memory: so it goes.
func (r *Roster) addMember(ctx context.Context, before, n Node) (map[string]string, error) {
	if before.Name != "" {
		if err := r.Engine.Remove(ctx, before.Name, before.Peer); err != nil {
			return nil, err
		}
	}
	return r.Engine.Add(ctx, n.Name, n.Peer)
}

func (r *Roster) checkApplication(a Application) error {
	if err := CheckName(a.Node.Name); err != nil {
		return err
	}
	switch {
	case a.Level < Level:
		return tooOld(Level, a.Level)
	case a.Level > Level:
		return spoolerr.New(spoolerr.Precondition, 0, "the node's spoolhost is newer than the cluster (level %d, the cluster has %d); install the version that the other nodes have", a.Level, Level)
	case a.Engine != r.Kind:
		return spoolerr.New(spoolerr.Precondition, 0, "cluster %s has the engine %s; set engine = %q in the node's cluster block", spool.Quote(r.Cluster), r.Kind, r.Kind)
	}
	return AnswerMarker(r.Shared, a.Marker, a.MarkerText)
}

// usedToken is a token, and who has used it.
type usedToken struct {
	trust.Token
	By string `json:"by"` // the fingerprint of the node's identity
}

// enter writes a node down, and its token as used. It gives what was known of the node
// before, under the same identity.
func (r *Roster) enter(ctx context.Context, token trust.Token, n Node) (before Node, err error) {
	err = r.Store.Update(ctx, func(tx store.Tx) error {
		before = Node{}
		if err := read(tx, nodeKey(n.Name), &before); err != nil && !errors.Is(err, spoolerr.NotFound) {
			return err
		}
		if err := r.checkEntry(tx, token, before, n); err != nil {
			return err
		}
		if err := r.dropTokens(tx); err != nil {
			return err
		}
		return errors.Join(write(tx, tokenPrefix+token.ID, usedToken{token, n.Key}), write(tx, nodeKey(n.Name), n))
	})
	return before, err
}

// checkEntry refuses a token that another node has used, or a node that was removed since,
// and the name of another node.
func (r *Roster) checkEntry(tx store.Tx, token trust.Token, before, n Node) error {
	again := before.Name != "" && before.Key == n.Key
	var used usedToken
	switch err := read(tx, tokenPrefix+token.ID, &used); {
	case errors.Is(err, spoolerr.NotFound):
	case err != nil:
		return err
	case !again || used.By != n.Key:
		return spoolerr.New(spoolerr.Denied, 0, "the join token was used already; make another with spoolhost cluster token")
	}
	if before.Name != "" && !again {
		return spoolerr.New(spoolerr.Exists, 0, "cluster %s has a node %s already; give this one another name, or remove that one with spoolhost cluster remove %s", spool.Quote(r.Cluster), spool.Quote(before.Name), before.Name)
	}
	return nil
}

// dropTokens forgets the used tokens that have run out.
func (r *Roster) dropTokens(tx store.Tx) error {
	for item, err := range tx.Scan(tokenPrefix, "") {
		if err != nil {
			return err
		}
		var t trust.Token
		if json.Unmarshal(item.Value, &t) != nil || r.Now().Sub(t.Expires) > time.Hour {
			if err := tx.Delete(item.Key); err != nil {
				return err
			}
		}
	}
	return nil
}

// forget undoes enter.
func (r *Roster) forget(ctx context.Context, token trust.Token, n, before Node) error {
	return r.Store.Update(ctx, func(tx store.Tx) error {
		if before.Name != "" {
			return write(tx, nodeKey(n.Name), before)
		}
		return errors.Join(tx.Delete(tokenPrefix+token.ID), tx.Delete(nodeKey(n.Name)))
	})
}

// Remove takes a node out for good.
func (r *Roster) Remove(ctx context.Context, name string) error {
	if spool.Fold(name) == spool.Fold(r.Self.Name) {
		return spoolerr.New(spoolerr.Precondition, 0, "node %s is the one that you ask; ask another node to remove it", spool.Quote(name))
	}
	var known Node
	err := r.Store.View(ctx, func(tx store.Tx) error { return read(tx, nodeKey(name), &known) })
	if errors.Is(err, spoolerr.NotFound) {
		return spoolerr.New(spoolerr.NotFound, 0, "cluster %s has no node %s; see spoolhost cluster status", spool.Quote(r.Cluster), spool.Quote(name))
	}
	if err != nil {
		return err
	}
	if r.Kind == "embedded" {
		if err := r.Engine.Remove(ctx, known.Name, known.Peer); err != nil {
			return err
		}
	}
	return r.Store.Update(ctx, func(tx store.Tx) error { return tx.Delete(nodeKey(name)) })
}

func skewNotice(ahead time.Duration) []string {
	if ahead.Abs() <= MaxSkew {
		return nil
	}
	return []string{SkewText("this node", ahead)}
}

// SkewText says that a clock is wrong.
func SkewText(who string, ahead time.Duration) string {
	word := "ahead"
	if ahead < 0 {
		word = "behind"
	}
	return fmt.Sprintf("the clock of %s is %v %s; ownership does not depend on clocks, but times of jobs and events do: set up NTP", who, ahead.Abs().Round(100*time.Millisecond), word)
}

func nodeKey(name string) string { return nodePrefix + spool.Fold(name) }

func read(tx store.Tx, key string, to any) error {
	data, err := tx.Get(key)
	if err != nil {
		return err
	}
	return spoolerr.As(json.Unmarshal(data, to), spoolerr.Corrupt, "entry %s of the cluster", key)
}

func write(tx store.Tx, key string, from any) error {
	data, err := json.Marshal(from)
	if err != nil {
		return spoolerr.As(err, spoolerr.Internal, "entry %s of the cluster", key)
	}
	return tx.Put(key, data)
}
