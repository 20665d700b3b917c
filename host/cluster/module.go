package cluster

import (
	"context"
	"time"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Module is an installed module whose executable is stored in the cluster, so that other
// nodes may fetch it. What a node does with it is the node's own decision.
type Module struct {
	Name string `json:"name"`
	// Kind is as in sdk/wire: a monitor, or one that others name.
	Kind string `json:"kind"`
	// Digest is the SHA-256 of the executable, in hex; its content lies under it.
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
	// Platform is what it runs on, as "linux/amd64".
	Platform string   `json:"platform"`
	Args     []string `json:"args,omitempty"`
	// Options are a monitor's, without the user: users are each node's own.
	Options   catalog.Options `json:"options,omitzero"`
	Version   string          `json:"version,omitempty"`
	Published time.Time       `json:"published"`
	By        string          `json:"by"`   // who
	From      string          `json:"from"` // which node
}

// ModuleID is by what a module is known in a View.
func ModuleID(kind, name string) string { return kind + "/" + spool.Fold(name) }

// maxModules bounds how many are stored in a cluster: every node reads the list.
const maxModules = 256

// PutModule writes a module down, in the place of one of that kind and name; unused is the
// digest of that one, if no other has the same content.
func (n *Node) PutModule(ctx context.Context, m Module) (unused string, err error) {
	err = n.cfg.Store.Update(ctx, func(tx store.Tx) error {
		v, err := readView(tx)
		if err != nil {
			return err
		}
		id := ModuleID(m.Kind, m.Name)
		before, known := v.Modules[id]
		if v.Modules[id] = m; v.used(before.Digest) {
			before.Digest = ""
		}
		unused = before.Digest
		if !known && len(v.Modules) > maxModules {
			return spoolerr.New(spoolerr.Exhausted, 0, "%d modules are stored in this cluster already; withdraw one first, see spoolhost module list --cluster", maxModules)
		}
		return putJSON(tx, modulePrefix+id, m)
	})
	return unused, err
}

// used says whether a module has a digest.
func (v View) used(digest string) bool {
	for _, m := range v.Modules {
		if m.Digest == digest {
			return true
		}
	}
	return false
}

// RemoveModule forgets a module. used says that another one has the same content.
func (n *Node) RemoveModule(ctx context.Context, kind, name string) (m Module, used bool, err error) {
	err = n.cfg.Store.Update(ctx, func(tx store.Tx) error {
		v, err := readView(tx)
		if err != nil {
			return err
		}
		id := ModuleID(kind, name)
		found, known := v.Modules[id]
		if !known {
			return unknownModule(kind, name)
		}
		m = found
		delete(v.Modules, id)
		used = v.used(m.Digest)
		return tx.Delete(modulePrefix + id)
	})
	return m, used, err
}

// Module gives one, as the store has it now.
func (n *Node) Module(ctx context.Context, kind, name string) (m Module, err error) {
	err = n.cfg.Store.View(ctx, func(tx store.Tx) error {
		found, err := getJSON(tx, modulePrefix+ModuleID(kind, name), &m)
		if err == nil && !found {
			err = unknownModule(kind, name)
		}
		return err
	})
	return m, err
}

func unknownModule(kind, name string) error {
	return spoolerr.New(spoolerr.NotFound, 0, "the cluster has no module %s of kind %s; see spoolhost module list --cluster", spool.Quote(name), kind)
}

// Refresh has the node tell the others anew what it has.
func (n *Node) Refresh() { n.tenancy.refresh() }
