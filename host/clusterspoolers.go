package host

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/host/cluster"
	"github.com/spoolhost/spoolhost/host/cluster/engine"
	"github.com/spoolhost/spoolhost/host/cluster/modulefile"
	"github.com/spoolhost/spoolhost/host/document"
	"github.com/spoolhost/spoolhost/host/frontend/api"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/registry"
	"github.com/spoolhost/spoolhost/host/share"
	"github.com/spoolhost/spoolhost/host/spooler"
	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Membership makes a host a node of a cluster. What is in it is the giver's, and must
// outlive Run.
type Membership struct {
	// Node is the node's name, Address where other nodes reach its API.
	Node, Address string
	// Store is what all nodes share, with its leases.
	Store  store.Store
	Leases cluster.Leases
	// TTL is the lease's; 0 is cluster.DefaultTTL.
	TTL time.Duration
	// Shared is the directory that all nodes share, for documents; Storage looks after it, nil
	// for nobody.
	Shared  string
	Storage *engine.Storage
	// Modules are those that the node fetches by itself, see modulefile.Config.
	Modules []string
	// Dial gives a connection to another node's API; it is kept by the giver.
	Dial func(m cluster.Member) (grpc.ClientConnInterface, error)
	// FromNode says that the other end of a connection is a node of the cluster.
	FromNode func(ctx context.Context) bool
}

// sweepGrace is how long a document without a job is left alone: its submission may go on
// through another node.
const sweepGrace = time.Hour

// registryWrites keeps a chatty monitor from taking etcd for itself: changes a second.
const registryWrites = 200

// clusterSpoolers are the cluster's spoolers as this host has them.
type clusterSpoolers struct {
	host   *Host
	node   *cluster.Node
	by     *Membership
	keeper *modulefile.Keeper
	// storage watches the shared directory; nil does not.
	storage *storageWatch

	work sync.WaitGroup // what was got ready in vain is given back

	mu    sync.Mutex
	api   *api.Server // once it serves
	owned map[*ownedSpooler]bool
	docs  map[string]*document.Store // of jobs taken for others, by folded spooler name
}

// openCluster makes the host a member; it starts nothing.
func (h *Host) openCluster() error {
	by := h.cfg.Membership
	if by == nil {
		return nil
	}
	c := &clusterSpoolers{host: h, by: by, owned: make(map[*ownedSpooler]bool), docs: make(map[string]*document.Store)}
	c.watchStorage()
	var err error
	c.node, err = cluster.New(cluster.Config{
		Name: by.Node, Address: by.Address, Version: h.cfg.Version, Store: by.Store, Leases: by.Leases, TTL: by.TTL,
		Open: c.open, Prepare: c.prepare, Wipe: c.wipe, Monitors: c.monitors, Events: h.events, Logger: h.cfg.Logger, Now: h.cfg.Now,
		Guard: h.cfg.ClusterGuard, Unfetched: func() map[string]string { return c.keeper.Unfetched() }, Storage: c.storage.problem,
	})
	c.keeper = h.newKeeper(c.node)
	h.cluster = c
	return err
}

// runCluster is a member until ctx ends.
func (h *Host) runCluster(ctx context.Context) error {
	if h.cluster == nil {
		<-ctx.Done()
		return nil
	}
	fetching, stop := context.WithCancel(ctx)
	var helpers sync.WaitGroup
	helpers.Go(func() { h.cluster.keeper.Run(fetching) })
	helpers.Go(func() { h.cluster.storage.run(fetching) })
	err := h.cluster.node.Run(ctx)
	h.cluster.work.Wait()
	stop()
	helpers.Wait()
	return err
}

// spoolers gives the node's own spooler and the cluster's that this host owns.
func (h *Host) spoolers() []*spooler.Spooler {
	list := []*spooler.Spooler{h.node}
	if h.cluster == nil {
		return list
	}
	h.cluster.mu.Lock()
	defer h.cluster.mu.Unlock()
	for o := range h.cluster.owned {
		list = append(list, o.Spooler)
	}
	return list
}

// Cluster is the host as a member of its cluster; nil if it is in none.
func (h *Host) Cluster() *cluster.Node {
	if h.cluster == nil {
		return nil
	}
	return h.cluster.node
}

func (h *Host) apiCluster() *api.Cluster {
	if h.cluster == nil {
		return nil
	}
	return &api.Cluster{Node: h.cluster.node, Dial: h.cluster.by.Dial, FromNode: h.cluster.by.FromNode, Intake: h.cluster.Intake, Modules: h.cluster.keeper, StorageProblem: h.cluster.storage.problem}
}

// monitors are the digests of the monitors that are installed here.
func (c *clusterSpoolers) monitors() map[string]string {
	list := make(map[string]string)
	for _, m := range c.host.catalog.List() {
		list[m.Name] = m.Digest
		if m.Builtin {
			list[m.Name] = "builtin" // it comes with the host, and another version of that will do
		}
	}
	return list
}

// directory is where a spooler has its files on the shared storage.
func (c *clusterSpoolers) directory(name string) string {
	return filepath.Join(c.by.Shared, "spoolers", url.PathEscape(spool.Fold(name)))
}

func (c *clusterSpoolers) openDocuments(name string) (*document.Store, error) {
	if c.by.Storage != nil {
		if err := c.by.Storage.Check(); err != nil { // else they would go where nobody else finds them
			c.storage.failed(err)
			return nil, err
		}
	}
	return document.Open(filepath.Join(c.directory(name), "documents"), document.Options{Shared: true, Grace: sweepGrace, Failed: c.storage.failed})
}

func (c *clusterSpoolers) config(name string, s store.Store, queue *job.Queue, docs *document.Store) spooler.Config {
	h := c.host
	return spooler.Config{
		Name: name, Node: c.by.Node, Catalog: h.catalog, Registry: registry.New(s, registry.Options{}), Queue: queue, Documents: docs,
		Events: h.events, Logger: h.cfg.Logger, Limits: h.cfg.Limits, Retention: h.cfg.Retention,
		RegistryLimit: h.cfg.RegistryLimit, RegistryWrites: registryWrites, Guarded: c.node.Guarded, Watcher: h.metrics.For(name), Now: h.cfg.Now,
	}
}

// wipe removes what a deleted spooler has.
func (c *clusterSpoolers) wipe(ctx context.Context, o cluster.Ownership) error {
	name := o.Spooler.Name
	for _, below := range []string{job.Prefix(name), registry.Prefix(name), share.Prefix(name)} {
		if err := o.DeleteBelow(ctx, below); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(c.directory(name)); err != nil {
		return spoolerr.As(err, spoolerr.Unavailable, "the files of spooler %s cannot be removed", spool.Quote(name))
	}
	return nil
}

// Intake gives a spooler that takes jobs for a printer of one that is not open here.
func (c *clusterSpoolers) Intake(ctx context.Context, name, printer string) (*spooler.Spooler, error) {
	s, err := c.node.Find(ctx, name)
	if err != nil {
		return nil, err
	}
	if s.Deleting {
		return nil, spoolerr.New(spoolerr.NotFound, 0, "spooler %s does not exist; see spoolhost spooler list", spool.Quote(name))
	}
	docs, err := c.documents(s.Name)
	if err != nil {
		return nil, err
	}
	return spooler.Intake(ctx, c.config(s.Name, c.by.Store, job.Intake(c.by.Store, s.Name, c.host.cfg.Now), docs), printer)
}

func (c *clusterSpoolers) documents(name string) (*document.Store, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := spool.Fold(name)
	if c.docs[key] == nil {
		docs, err := c.openDocuments(name)
		if err != nil {
			return nil, err
		}
		c.docs[key] = docs
	}
	return c.docs[key], nil
}

// Close gives back what was opened for others.
func (c *clusterSpoolers) Close() error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, d := range c.docs {
		errs = append(errs, d.Close())
	}
	return errors.Join(errs...)
}

// Run implements cluster.Instance.
func (o *ownedSpooler) Run(ctx context.Context) error {
	helping, stop := context.WithCancel(ctx)
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer stop()
	helpers.Go(func() {
		if err := o.queue.Follow(helping, o.Came); err != nil {
			o.by.host.cfg.Logger.Error("jobs that other nodes take are not seen", "spooler", o.Name(), "error", err)
		}
	})
	helpers.Go(func() {
		if _, err := o.docs.Sweep(helping, o.queue.Documents(helping)); err != nil && helping.Err() == nil {
			o.by.host.cfg.Logger.Warn("documents without a job were not removed", "spooler", o.Name(), "error", err)
		}
	})
	helpers.Go(func() {
		if err := o.share.Sweep(helping); err != nil && helping.Err() == nil {
			o.by.host.cfg.Logger.Warn("files of PRINT$ that no record names were not removed", "spooler", o.Name(), "error", err)
		}
	})
	return o.Spooler.Run(ctx)
}

// Kill implements cluster.Instance. From now on nobody is answered by it: its end may take
// long, and what it remembers may be of yesterday while another node prints on.
func (o *ownedSpooler) Kill(reason string) {
	o.disown()
	o.Spooler.Kill(reason)
}

func (o *ownedSpooler) disown() {
	o.by.mu.Lock()
	defer o.by.mu.Unlock()
	delete(o.by.owned, o)
}

// Report implements cluster.Instance.
func (o *ownedSpooler) Report() cluster.Report {
	const most = 5 // of the problems; all are in status
	st := o.Brief(most)
	r := cluster.Report{
		State: st.State, Printers: st.Printers, Missing: st.Missing,
		Needs: make(map[string]string), Uses: make(map[string]int),
	}
	if st.State == "online-incomplete" {
		r.Problems = st.Problems
	}
	for _, u := range st.Uses {
		r.Needs[u.Monitor], r.Uses[u.Monitor] = u.Digest, u.Printers
	}
	for _, n := range o.queue.States() {
		r.Jobs += n
	}
	return r
}
