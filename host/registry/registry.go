// Package registry keeps the hives of the host's spoolers: keys and typed values on a
// store.Store, with the behaviour of ClusterReg*. A Hive is the host's own way in; a Root
// is the part of it that one monitor instance sees as MONITORREG.
//
// The host's job, catalog, spooler, cluster and front-end packages import it. It does no
// access control: who holds a Hive may change all of it, who holds a Root only what lies
// below the root.
package registry

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// Options are the options of New. The zero value is good.
type Options struct {
	// Now is the clock of LastWrite; nil stands for time.Now.
	Now func() time.Time
}

// Registry is every hive of a store.
type Registry struct {
	store   store.Store
	now     func() time.Time
	handles atomic.Uint64 // the key handle given out last, of all roots
}

// New makes the registry in s. Every name it stores begins with "registry/".
func New(s store.Store, opts Options) *Registry {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Registry{store: s, now: opts.Now}
}

// Hive gives the hive of a spooler. Hives need not be created. A name that no spooler may
// have makes every call on the hive fail with spoolerr.Invalid.
func (r *Registry) Hive(spooler string) *Hive {
	return &Hive{
		registry: r,
		spooler:  spooler,
		prefix:   Prefix(spooler),
		invalid:  spool.CheckName("spooler", spooler),
	}
}

// Prefix is below which the store has a spooler's hive.
func Prefix(spooler string) string { return "registry/" + spool.Fold(spooler) + "/" }

// The store's names of a hive. Beneath the hive's prefix:
//
//	k/PARENT \x00 NAME   a key, listed under its parent's folded path
//	v/PATH \x00 NAME     a value, listed under its key's folded path
//	u/PATH               the usage of the root at PATH
//
// The direct children of a key lie together without its grandchildren between them, and
// a whole subtree is four ranges: PATH\x00 and PATH\ in k/ and in v/. NUL cannot occur in
// a name.
func (h *Hive) keyName(p path) string {
	return h.prefix + "k/" + p.parent().folded() + "\x00" + p.base().folded
}
func (h *Hive) keysUnder(p path) string { return h.prefix + "k/" + p.folded() + "\x00" }
func (h *Hive) valueName(p path, value string) string {
	return h.valuesOf(p) + spool.Fold(value)
}
func (h *Hive) valuesOf(p path) string  { return h.prefix + "v/" + p.folded() + "\x00" }
func (h *Hive) usageName(p path) string { return h.prefix + "u/" + p.folded() }

// subtree gives the ranges of everything below p, its own values included.
func (h *Hive) subtree(p path) []string {
	if len(p) == 0 {
		return []string{h.prefix + "k/", h.prefix + "v/"}
	}
	deeper := p.folded() + `\`
	return []string{h.keysUnder(p), h.prefix + "k/" + deeper, h.valuesOf(p), h.prefix + "v/" + deeper}
}

// name is one element of a path, as written and folded.
type name struct{ written, folded string }

// path is a parsed path; the empty one is the hive's root.
type path []name

func (p path) parent() path { return p[:max(len(p)-1, 0)] }

func (p path) base() name {
	if len(p) == 0 {
		return name{}
	}
	return p[len(p)-1]
}

func (p path) folded() string {
	return p.join(func(n name) string { return n.folded })
}

func (p path) String() string {
	return p.join(func(n name) string { return n.written })
}

func (p path) join(part func(name) string) string {
	var b strings.Builder
	for i, n := range p {
		if i > 0 {
			b.WriteByte('\\')
		}
		b.WriteString(part(n))
	}
	return b.String()
}

func (p path) append(more path) path { return append(p[:len(p):len(p)], more...) }
