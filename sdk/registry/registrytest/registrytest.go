// Package registrytest is MONITORREG in memory, for the tests of monitors and for the
// conformance kit. It has no limits, stores nothing, and is no part of the host.
package registrytest

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Registry is a tree of keys in memory.
type Registry struct {
	mu    sync.Mutex
	root  *node
	open  int
	fault func(op, path string) error
}

type node struct {
	name   string
	subs   []*node
	values []registry.Value
	gone   bool
}

// New makes an empty one.
func New() *Registry { return &Registry{root: &node{}} }

// Root is the instance's root key. It does not count as open.
func (r *Registry) Root() registry.Key { return &key{reg: r, node: r.root} }

// Open says how many keys below the root are open: what a monitor forgot to close.
func (r *Registry) Open() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open
}

// Fail asks f before each operation (the method's name, and the path or value name it
// got) whether it should fail.
func (r *Registry) Fail(f func(op, path string) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fault = f
}

func (n *node) find(path string) *node {
	for part := range strings.SplitSeq(path, `\`) {
		if part == "" {
			continue
		}
		if n = n.sub(part); n == nil {
			return nil
		}
	}
	return n
}

func (n *node) sub(name string) *node {
	i := slices.IndexFunc(n.subs, func(s *node) bool { return spool.Fold(s.name) == spool.Fold(name) })
	if i < 0 {
		return nil
	}
	return n.subs[i]
}

func (n *node) add(path string) (sub *node, created bool) {
	for part := range strings.SplitSeq(path, `\`) {
		if part == "" {
			continue
		}
		next := n.sub(part)
		if created = next == nil; created {
			next = &node{name: part}
			n.subs = append(n.subs, next)
			slices.SortFunc(n.subs, func(a, b *node) int { return strings.Compare(spool.Fold(a.name), spool.Fold(b.name)) })
		}
		n = next
	}
	return n, created
}

func (n *node) value(name string) int {
	return slices.IndexFunc(n.values, func(v registry.Value) bool { return spool.Fold(v.Name) == spool.Fold(name) })
}

func (n *node) set(v registry.Value) {
	v.Data = slices.Clone(v.Data)
	if i := n.value(v.Name); i >= 0 {
		n.values[i] = v
		return
	}
	n.values = append(n.values, v)
	slices.SortFunc(n.values, func(a, b registry.Value) int { return strings.Compare(spool.Fold(a.Name), spool.Fold(b.Name)) })
}

func (r *Registry) begin(ctx context.Context, k *key, op, path string) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case k.closed || k.node.gone:
		return spoolerr.New(spoolerr.BadHandle, 0, "registry key is closed")
	case r.fault != nil:
		return r.fault(op, path)
	}
	return nil
}

func missing(what, name string) error {
	return spoolerr.New(spoolerr.NotFound, spoolerr.CodeFileNotFound, "registry %s %s does not exist", what, spool.Quote(name))
}
