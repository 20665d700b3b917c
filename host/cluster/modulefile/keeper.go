package modulefile

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spoolhost/spoolhost/host/cluster"
	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// AllowAll is what a configuration says to fetch whatever is stored in the cluster.
const AllowAll = "all"

// CheckAllow refuses what cannot be in Config.Allow.
func CheckAllow(allow []string) error {
	for _, a := range allow {
		if sum, ok := strings.CutPrefix(a, "sha256:"); a != AllowAll && (!ok || !isDigest(strings.ToLower(sum))) {
			return spoolerr.New(spoolerr.Invalid, 0, `%q is not a SHA-256 as "sha256:HEX", and not "all"; see spoolhost module list --cluster`, a)
		}
	}
	return nil
}

// Installed is what a node has under a name; the zero value is nothing.
type Installed struct {
	Path    string
	Builtin bool
	// Module is how it would be stored in a cluster.
	Module cluster.Module
}

// Installer is the node's set of installed modules.
type Installer interface {
	// Installed gives what has a kind and name.
	Installed(kind, name string) (Installed, error)
	// Install installs the executable at path, which must be what m says, or puts it in the
	// place of what is installed.
	Install(ctx context.Context, m cluster.Module, path string) error
	// Paths gives the executables of all that is installed.
	Paths() []string
}

// Config is what a Keeper needs.
type Config struct {
	Node      *cluster.Node
	Files     Files
	Installer Installer
	// Allow are the digests that the node fetches by itself, as "sha256:HEX", or AllowAll.
	Allow  []string
	Events *eventlog.Log
	Now    func() time.Time
}

// Keeper fetches what its node lacks and may have. It is safe for concurrent use.
type Keeper struct {
	cfg  Config
	busy chan struct{} // has a place for one who installs

	mu    sync.Mutex
	state map[string]standing // by cluster.ModuleID
}

// standing is how a module of the cluster stands here.
type standing struct {
	module cluster.Module
	here   bool   // this node has it
	why    string // if not
	tries  int    // of this module in vain
	next   time.Time
}

// NewKeeper makes a keeper; it fetches nothing yet.
func NewKeeper(cfg Config) *Keeper {
	return &Keeper{cfg: cfg, busy: make(chan struct{}, 1), state: make(map[string]standing)}
}

// Run fetches until ctx ends. What was fetched once and is not installed any more is removed.
func (k *Keeper) Run(ctx context.Context) {
	k.sweep()
	for {
		view, changed := k.cfg.Node.View()
		k.look(ctx, view.Modules)
		t := time.NewTimer(idle)
		select {
		case <-changed:
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
		t.Stop()
	}
}

func (k *Keeper) sweep() {
	k.busy <- struct{}{}
	defer func() { <-k.busy }()
	if err := k.cfg.Files.Sweep(k.cfg.Installer.Paths()); err != nil {
		k.cfg.Events.Add(eventlog.Event{ID: eventlog.ModuleFetchFailed, Severity: eventlog.Warning, Object: eventlog.Host,
			Text: fmt.Sprintf("modules that were fetched and are not installed any more could not be removed: %v", err)})
	}
}

// idle is how often a node looks without a change in the cluster: its own modules are
// removed, and what failed is tried again.
const idle = 2 * time.Second

// look sees to every module once.
func (k *Keeper) look(ctx context.Context, modules map[string]cluster.Module) {
	k.mu.Lock()
	maps.DeleteFunc(k.state, func(id string, _ standing) bool { _, listed := modules[id]; return !listed })
	before := k.whys()
	k.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(modules)) {
		if ctx.Err() == nil {
			k.see(ctx, id, modules[id])
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !maps.Equal(before, k.whys()) {
		k.cfg.Node.Refresh()
	}
}

// see sees to one module.
func (k *Keeper) see(ctx context.Context, id string, m cluster.Module) {
	k.mu.Lock()
	s := k.state[id]
	k.mu.Unlock()
	if !s.module.Published.Equal(m.Published) || s.module.Digest != m.Digest {
		s = standing{}
	}
	s.module = m
	switch s.here, s.why = k.stands(m); {
	case s.here || s.why != "":
		s.tries = 0
	case k.cfg.Now().Before(s.next):
		return
	default:
		s.why = fetching
		k.keep(id, s)
		err := k.install(ctx, m)
		if s.here = err == nil; !s.here {
			s.tries++
			s.next = k.cfg.Now().Add(pause(s.tries))
			s.why = fmt.Sprintf("%v; it is tried again at %s", err, s.next.Format(time.TimeOnly))
			k.note(eventlog.ModuleFetchFailed, eventlog.Error, m, fmt.Sprintf("%s was not fetched from the cluster: %s", describe(m), s.why))
		}
	}
	k.keep(id, s)
}

func (k *Keeper) keep(id string, s standing) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.state[id] = s
}

// pause is the time after so many tries in vain: 2 s and twice as much each time, up to 4 min.
func pause(tries int) time.Duration { return time.Second << min(tries, 8) }

// stands says whether this node has a module or, if not, why it does not fetch it: empty
// if it shall.
func (k *Keeper) stands(m cluster.Module) (here bool, why string) {
	has, err := k.cfg.Installer.Installed(m.Kind, m.Name)
	command := "say spoolhost module fetch " + spool.Quote(m.Name) + " there"
	if m.Kind != wire.KindMonitor {
		command += " with --kind " + m.Kind
	}
	switch {
	case err == nil && has.Builtin:
		return true, ""
	case err == nil && has.Module.Digest == m.Digest:
		return true, ""
	case m.Platform != platform():
		return false, "it is for " + m.Platform + ", and the node is " + platform()
	case err == nil && !k.cfg.Files.Fetched(has.Path):
		return false, "another file was installed by hand there, " + has.Path + ", and is not replaced; " + command
	case !k.allows(m.Digest):
		return false, "the node's configuration does not allow to fetch it (modules in the block cluster); " + command
	}
	return false, ""
}

func (k *Keeper) allows(digest string) bool {
	return slices.Contains(k.cfg.Allow, AllowAll) || slices.ContainsFunc(k.cfg.Allow, func(a string) bool {
		return strings.EqualFold(strings.TrimPrefix(a, "sha256:"), digest)
	})
}

// platform is what this program runs on.
func platform() string { return runtime.GOOS + "/" + runtime.GOARCH }

// install fetches and installs a module, one at a time.
func (k *Keeper) install(ctx context.Context, m cluster.Module) error {
	select {
	case k.busy <- struct{}{}:
	case <-ctx.Done():
		return spoolerr.Wrap(ctx.Err(), "another module is being fetched")
	}
	defer func() { <-k.busy }()
	path, err := k.cfg.Files.Fetch(ctx, m.Digest, m.Size)
	if err == nil {
		err = k.cfg.Installer.Install(ctx, m, path)
	}
	if err == nil {
		k.note(eventlog.ModuleFetched, eventlog.Info, m, fmt.Sprintf("%s was fetched from the cluster and installed: %s, published by %s on %s, SHA-256 %s",
			describe(m), path, m.By, m.From, m.Digest))
	}
	return err
}

// Fetch installs a module of the cluster here, whatever the configuration says: an operator
// does.
func (k *Keeper) Fetch(ctx context.Context, kind, name string) (cluster.Module, error) {
	m, err := k.cfg.Node.Module(ctx, kind, name)
	if err != nil {
		return m, err
	}
	has, err := k.cfg.Installer.Installed(kind, name)
	switch {
	case err == nil && has.Builtin:
		return m, spoolerr.New(spoolerr.Precondition, spoolerr.CodeNotSupported, "%s comes with the host and is not replaced", describe(m))
	case err == nil && has.Module.Digest == m.Digest:
		return m, nil
	case m.Platform != platform():
		return m, spoolerr.New(spoolerr.Unsupported, spoolerr.CodeBadExeFormat, "%s is for %s, and this node is %s; install it with another file", describe(m), m.Platform, platform())
	}
	if err := k.install(ctx, m); err != nil {
		return m, spoolerr.Wrap(err, "%s was not fetched from the cluster", describe(m))
	}
	k.see(ctx, cluster.ModuleID(kind, name), m)
	k.cfg.Node.Refresh()
	return m, nil
}

// Publish stores what is installed here in the cluster.
func (k *Keeper) Publish(ctx context.Context, kind, name, by string) (cluster.Module, error) {
	has, err := k.cfg.Installer.Installed(kind, name)
	m := has.Module
	switch {
	case err != nil:
		return m, err
	case has.Builtin:
		return m, spoolerr.New(spoolerr.Precondition, spoolerr.CodeNotSupported, "%s comes with the host, and every node has it", describe(m))
	}
	m.Platform, m.Published, m.By, m.From = platform(), k.cfg.Now().UTC(), by, k.cfg.Node.Name()
	m.Options.Limits.User = ""
	unused := ""
	if m.Size, err = k.cfg.Files.Put(ctx, has.Path, m.Digest); err == nil {
		unused, err = k.cfg.Node.PutModule(ctx, m)
	}
	if err == nil { // again: whoever withdrew another of the same content may just have removed it
		_, err = k.cfg.Files.Put(ctx, has.Path, m.Digest)
	}
	if err != nil {
		return m, spoolerr.Wrap(err, "%s was not published", describe(m))
	}
	k.note(eventlog.ModulePublished, eventlog.Info, m, fmt.Sprintf("%s was stored in the cluster by %s, SHA-256 %s", describe(m), by, m.Digest))
	if unused == "" {
		return m, nil
	}
	return m, k.cfg.Files.Remove(unused)
}

// Withdraw removes a module from the cluster. Nodes that have it keep it.
func (k *Keeper) Withdraw(ctx context.Context, kind, name, by string) error {
	m, used, err := k.cfg.Node.RemoveModule(ctx, kind, name)
	if err != nil {
		return err
	}
	k.note(eventlog.ModuleWithdrawn, eventlog.Info, m, fmt.Sprintf("%s was removed from the cluster by %s; nodes that have it keep it", describe(m), by))
	if used {
		return nil
	}
	return k.cfg.Files.Remove(m.Digest)
}

// Standing is a module of the cluster, and how it stands on this node.
type Standing struct {
	Module cluster.Module
	// Here: the node has it. If not, Why says why.
	Here bool
	Why  string
}

// List gives all modules of the cluster in order of kind and name.
func (k *Keeper) List(ctx context.Context) ([]Standing, error) {
	view, err := k.cfg.Node.Current(ctx)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	var list []Standing
	for _, id := range slices.Sorted(maps.Keys(view.Modules)) {
		m, s := view.Modules[id], k.state[id]
		if s.module.Digest != m.Digest {
			s = standing{why: fetching}
		}
		list = append(list, Standing{Module: m, Here: s.here, Why: s.why})
	}
	return list, nil
}

const fetching = "it is being fetched; try again"

// Unfetched says why this node does not have monitors that are stored in the cluster.
func (k *Keeper) Unfetched() map[string]string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.whys()
}

// whys is Unfetched; k.mu is held.
func (k *Keeper) whys() map[string]string {
	const most = 400
	list := make(map[string]string)
	for _, s := range k.state {
		if !s.here && s.module.Kind == wire.KindMonitor {
			list[s.module.Name] = strings.ToValidUTF8(s.why[:min(len(s.why), most)], "")
		}
	}
	return list
}

func describe(m cluster.Module) string { return m.Kind + " " + spool.Quote(m.Name) }

func (k *Keeper) note(id eventlog.ID, severity eventlog.Severity, m cluster.Module, text string) {
	k.cfg.Events.Add(eventlog.Event{ID: id, Severity: severity, Object: eventlog.Monitor, Name: m.Name, Text: text})
}
