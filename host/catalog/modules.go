package catalog

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/host/supervisor"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// Module is an installed module that others name: a port monitor's user interface, the
// Point and Print module of a printer's CopyFiles key, the event module of a driver.
type Module struct {
	// Name is how it is named; it is never part of a path.
	Name   string   `json:"name"`
	Kind   string   `json:"kind"`
	Path   string   `json:"path"`
	Args   []string `json:"args,omitempty"`
	Digest string   `json:"digest"`
	// What the module said of itself when it was installed.
	ModuleName    string    `json:"module_name"`
	ModuleVersion string    `json:"module_version"`
	Added         time.Time `json:"added"`
	// Builtin marks the modules that come with the host; they are not stored.
	Builtin bool `json:"-"`
	// Env is added to the module's environment; only the host's own tests set it.
	Env []string `json:"-"`
}

// asMonitor is what the catalog launches.
func (m Module) asMonitor() Monitor {
	return Monitor{Name: m.Name, Path: m.Path, Args: m.Args, Digest: m.Digest, Env: m.Env}
}

// Modules is the set of installed modules that are no monitors. It is safe for concurrent
// use.
type Modules struct {
	catalog *Catalog

	mu      sync.RWMutex
	modules map[string]Module // by folded name
}

const modulePrefix = "catalog/module/"

// services gives the service that each kind of module must have.
func services() map[string]string {
	return map[string]string{
		wire.KindMonitorUI: wire.ServiceMonitorUI, wire.KindPointPrint: wire.ServicePointPrintV1, wire.KindDriver: wire.ServiceDriverV1,
	}
}

// OpenModules reads the installed modules. The digest of those that come with the host is
// taken now. Records that are damaged are reported and left alone.
func OpenModules(ctx context.Context, c *Catalog, builtins []Module) (*Modules, []Problem, error) {
	s := &Modules{catalog: c, modules: make(map[string]Module)}
	for _, b := range builtins {
		digest, err := c.cfg.Env.Images.Digest(b.Path)
		if err != nil {
			return nil, nil, spoolerr.Wrap(err, "builtin module %s", spool.Quote(b.Name))
		}
		b.Digest, b.Builtin = digest, true
		s.modules[spool.Fold(b.Name)] = b
	}
	var problems []Problem
	err := c.cfg.Store.View(ctx, func(tx store.Tx) error {
		return scan(tx, modulePrefix, &problems, s.load)
	})
	return s, problems, err
}

func (s *Modules) load(item store.Item) error {
	var m Module
	if err := json.Unmarshal(item.Value, &m); err != nil {
		return spoolerr.As(err, spoolerr.Corrupt, "the record of an installed module cannot be read")
	}
	key := spool.Fold(m.Name)
	if modulePrefix+key != item.Key {
		return spoolerr.New(spoolerr.Corrupt, 0, "the record of an installed module names another one, %s", spool.Quote(m.Name))
	}
	if !s.modules[key].Builtin {
		s.modules[key] = m
	}
	return nil
}

// CheckModuleName refuses a name that is, or might be taken for, a path. A monitor names
// its UI itself, and must not choose what the host runs.
func CheckModuleName(name string) error {
	const most = 64
	bad := name == "" || len(name) > most || strings.HasPrefix(name, ".") || strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.", r)
	})
	if !bad {
		return nil
	}
	why := "it is 1 to 64 letters, digits, hyphens, underscores and dots"
	if strings.ContainsAny(name, `/\:`) {
		why = "it is the name of an installed module, never a path"
	}
	return spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidName, "module name %s will not do: %s", spool.Quote(name), why)
}

// Named gives the name of the module that printer data names: the value Module is the file
// name of a DLL, "mscms.dll", and the module is "mscms".
func Named(module string) string {
	const dll = ".dll"
	if at := len(module) - len(dll); at > 0 && strings.EqualFold(module[at:], dll) {
		return module[:at]
	}
	return module
}

// Find gives the module of a kind that printer data or a driver names.
func (s *Modules) Find(kind, named string) (Module, error) {
	m, err := s.Get(Named(named))
	if err == nil && m.Kind != kind {
		err = spoolerr.New(spoolerr.Precondition, spoolerr.CodeModNotFound, "module %s is of kind %s, not %s", spool.Quote(m.Name), m.Kind, kind)
	}
	return m, err
}

// Get gives a module by name.
func (s *Modules) Get(name string) (Module, error) {
	if err := CheckModuleName(name); err != nil {
		return Module{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	m, ok := s.modules[spool.Fold(name)]
	if !ok {
		return Module{}, spoolerr.New(spoolerr.NotFound, spoolerr.CodeModNotFound,
			"module %s is not installed; see spoolhost module list, or install it with spoolhost module add", spool.Quote(name))
	}
	return m, nil
}

// List gives all modules in order of name.
func (s *Modules) List() []Module {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.SortedFunc(maps.Values(s.modules), func(a, b Module) int { return strings.Compare(spool.Fold(a.Name), spool.Fold(b.Name)) })
}

// Add installs a module: it is launched once and must describe itself as one of that kind.
// digest may be empty; if not, the executable must have it.
func (s *Modules) Add(ctx context.Context, m Module) (Module, error) {
	if err := CheckModuleName(m.Name); err != nil {
		return Module{}, err
	}
	if services()[m.Kind] == "" {
		return Module{}, spoolerr.New(spoolerr.Invalid, 0, "modules of kind %s cannot be installed; use %s, and spoolhost monitor add for monitors",
			spool.Quote(m.Kind), strings.Join(slices.Sorted(maps.Keys(services())), ", "))
	}
	found, err := s.catalog.digest(m.Path, m.Digest)
	if err != nil {
		return Module{}, spoolerr.Wrap(err, "module %s was not added", spool.Quote(m.Name))
	}
	m.Digest, m.Added = found, s.catalog.cfg.Now()
	said, err := s.describe(ctx, m)
	if err != nil {
		return Module{}, spoolerr.Wrap(err, "module %s was not added", spool.Quote(m.Name))
	}
	m.ModuleName, m.ModuleVersion = said.Name, said.Version
	return m, s.put(ctx, m)
}

func (s *Modules) describe(ctx context.Context, m Module) (Description, error) {
	p, err := s.catalog.start(ctx, m.asMonitor(), func(grpc.ServiceRegistrar) {}, nil)
	if err != nil {
		return Description{}, err
	}
	defer func() {
		p.Kill("it was only asked to describe itself")
		<-p.Released()
	}()
	return s.identify(ctx, p, m)
}

// identify asks a process what it is, and refuses one of another kind.
func (s *Modules) identify(ctx context.Context, p *supervisor.Process, m Module) (Description, error) {
	d, err := s.catalog.describe(ctx, p, m.asMonitor())
	switch service := services()[m.Kind]; {
	case err != nil:
		return d, err
	case d.Kind != m.Kind:
		return d, spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidPrintMonitor, "module %s is of kind %s, not %s", m.Path, spool.Quote(d.Kind), m.Kind)
	case !slices.Contains(d.Services, service):
		return d, spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidPrintMonitor, "module %s does not serve %s; rebuild it with the current sdk", m.Path, service)
	}
	return d, nil
}

func (s *Modules) put(ctx context.Context, m Module) error {
	exists := spoolerr.New(spoolerr.Exists, 0, "module %s is installed already; remove it first, or choose another name", spool.Quote(m.Name))
	if known, err := s.Get(m.Name); err == nil && known.Builtin {
		return exists
	}
	if err := s.catalog.insert(ctx, modulePrefix+spool.Fold(m.Name), m, exists); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.modules[spool.Fold(m.Name)] = m
	return nil
}

// Remove uninstalls a module. A dialogue or a call that runs in it goes on.
func (s *Modules) Remove(ctx context.Context, name string) error {
	m, err := s.Get(name)
	if err != nil {
		return err
	}
	if m.Builtin {
		return spoolerr.New(spoolerr.Precondition, spoolerr.CodeNotSupported, "module %s comes with the host and cannot be removed", spool.Quote(m.Name))
	}
	err = s.catalog.cfg.Store.Update(ctx, func(tx store.Tx) error { return tx.Delete(modulePrefix + spool.Fold(name)) })
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.modules, spool.Fold(name))
	return nil
}

// Start launches a module in a process of its own, with no way to the host but the given
// services.
func (s *Modules) Start(ctx context.Context, m Module, services func(grpc.ServiceRegistrar), log func(supervisor.Line)) (*supervisor.Process, error) {
	p, err := s.catalog.start(ctx, m.asMonitor(), services, log)
	if err != nil {
		return nil, err
	}
	if _, err := s.identify(ctx, p, m); err != nil {
		p.Kill("it is not what was installed")
		<-p.Released()
		return nil, err
	}
	return p, nil
}
