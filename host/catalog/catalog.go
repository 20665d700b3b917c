// Package catalog knows the installed monitors: which executable each is, its pinned
// digest, what it says of itself; and it binds one to a spooler: a process, a handle, and
// the host services behind it.
//
// spooler and the front ends import it. It does not keep processes alive: spooler does,
// with supervisor's help.
package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/host/supervisor"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Monitor is an installed monitor.
type Monitor struct {
	Name   string   `json:"name"`
	Path   string   `json:"path"`
	Args   []string `json:"args,omitempty"`
	Digest string   `json:"digest"`
	// What the module said of itself when it was installed.
	ModuleName    string    `json:"module_name"`
	ModuleVersion string    `json:"module_version"`
	Added         time.Time `json:"added"`
	// Builtin marks the monitors that come with the host; they are not stored.
	Builtin bool `json:"-"`
	// Options are what the operator chose for it; they are stored apart.
	Options Options `json:"-"`
	// Env is added to the module's environment; only the host's own tests set it.
	Env []string `json:"-"`
}

// same says whether one process can be both.
func (m Monitor) same(o Monitor) bool {
	return m.Name == o.Name && m.Path == o.Path && m.Digest == o.Digest && slices.Equal(m.Args, o.Args) && m.Options == o.Options
}

// Config is what a catalog needs.
type Config struct {
	Store store.Store
	Env   *supervisor.Env
	// Builtins are the monitors that come with the host. Their digest is taken at Open:
	// they are pinned for the life of the host, and may change with its version.
	Builtins []Monitor
	// CallTimeout bounds one control call.
	CallTimeout time.Duration
	// Limits are those of modules for which nothing else is said.
	Limits supervisor.Limits
	Now    func() time.Time
}

// Catalog is the set of installed monitors. It is safe for concurrent use.
type Catalog struct {
	cfg Config

	pool         pool
	incarnations incarnations

	mu       sync.RWMutex
	monitors map[string]Monitor // by folded name
}

const (
	monitorPrefix = "catalog/monitor/"
	optionsPrefix = "catalog/options/"
)

// Problem is a record that could not be read at Open.
type Problem struct {
	Key string
	Err error
}

// Open reads the installed monitors. Records that are damaged are reported and left alone.
func Open(ctx context.Context, cfg Config) (*Catalog, []Problem, error) {
	c := &Catalog{cfg: cfg, monitors: make(map[string]Monitor)}
	c.pool.launch = c.launch
	for _, b := range cfg.Builtins {
		digest, err := cfg.Env.Images.Digest(b.Path)
		if err != nil {
			return nil, nil, spoolerr.Wrap(err, "builtin monitor %s", spool.Quote(b.Name))
		}
		b.Digest, b.Builtin = digest, true
		c.monitors[spool.Fold(b.Name)] = b
	}
	problems, err := c.load(ctx)
	return c, problems, err
}

// load reads what is stored of the monitors.
func (c *Catalog) load(ctx context.Context) (problems []Problem, err error) {
	err = c.cfg.Store.View(ctx, func(tx store.Tx) error {
		if err := scan(tx, monitorPrefix, &problems, func(item store.Item) error {
			var m Monitor
			if err := decode(item, &m); err != nil {
				return err
			}
			if key := spool.Fold(m.Name); !c.monitors[key].Builtin {
				c.monitors[key] = m
			}
			return nil
		}); err != nil {
			return err
		}
		return scan(tx, optionsPrefix, &problems, func(item store.Item) error {
			key := strings.TrimPrefix(item.Key, optionsPrefix)
			m, ok := c.monitors[key]
			if !ok {
				return nil // of a monitor whose own record is damaged
			}
			if err := json.Unmarshal(item.Value, &m.Options); err != nil {
				return spoolerr.As(err, spoolerr.Corrupt, "the options of monitor %s cannot be read", spool.Quote(m.Name))
			}
			c.monitors[key] = m
			return nil
		})
	})
	return problems, err
}

// scan reads the records below a prefix. Damaged ones are reported and left alone.
func scan(tx store.Tx, prefix string, problems *[]Problem, read func(store.Item) error) error {
	for item, err := range tx.Scan(prefix, "") {
		if err != nil && item.Key == "" {
			return err
		}
		if err == nil {
			err = read(item)
		}
		if err != nil {
			*problems = append(*problems, Problem{Key: item.Key, Err: err})
		}
	}
	return nil
}

// decode reads a record, which must say the name it is kept under.
func decode(item store.Item, m *Monitor) error {
	if err := json.Unmarshal(item.Value, m); err != nil {
		return spoolerr.As(err, spoolerr.Corrupt, "the record of an installed monitor cannot be read")
	}
	if monitorPrefix+spool.Fold(m.Name) != item.Key {
		return spoolerr.New(spoolerr.Corrupt, 0, "the record of an installed monitor names another one, %s", spool.Quote(m.Name))
	}
	return nil
}

// Get gives a monitor by name.
func (c *Catalog) Get(name string) (Monitor, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	m, ok := c.monitors[spool.Fold(name)]
	if !ok {
		return Monitor{}, spoolerr.New(spoolerr.NotFound, spoolerr.CodeUnknownPrintMonitor,
			"monitor %s is not installed; see spoolhost monitor list", spool.Quote(name))
	}
	return m, nil
}

// List gives all monitors in order of name.
func (c *Catalog) List() []Monitor {
	c.mu.RLock()
	defer c.mu.RUnlock()
	list := make([]Monitor, 0, len(c.monitors))
	for _, m := range c.monitors {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b Monitor) int { return strings.Compare(spool.Fold(a.Name), spool.Fold(b.Name)) })
	return list
}

// checkMonitorName allows a slash, which the standard monitor's own name has.
func checkMonitorName(name string) error {
	return spool.CheckName("monitor", strings.ReplaceAll(name, "/", "_"))
}

// Add installs a monitor: the module is launched once and must describe itself as a
// monitor. digest may be empty; if not, the executable must have it.
func (c *Catalog) Add(ctx context.Context, name, path string, args []string, digest string, env ...string) (Monitor, error) {
	if err := checkMonitorName(name); err != nil {
		return Monitor{}, err
	}
	if _, err := c.Get(name); err == nil {
		return Monitor{}, alreadyInstalled(name)
	}
	found, err := c.digest(path, digest)
	if err != nil {
		return Monitor{}, spoolerr.Wrap(err, "monitor %s was not added", spool.Quote(name))
	}
	m := Monitor{Name: name, Path: path, Args: args, Digest: found, Added: c.cfg.Now(), Env: env}
	said, err := c.describeOnce(ctx, m)
	if err != nil {
		return Monitor{}, spoolerr.Wrap(err, "monitor %s was not added", spool.Quote(name))
	}
	m.ModuleName, m.ModuleVersion = said.Name, said.Version
	return m, c.put(ctx, m)
}

func alreadyInstalled(name string) error {
	return spoolerr.New(spoolerr.Exists, spoolerr.CodePrintMonitorAlreadyInstalled,
		"monitor %s is already installed; remove it first, or choose another name", spool.Quote(name))
}

func (c *Catalog) put(ctx context.Context, m Monitor) error {
	if err := c.insert(ctx, monitorPrefix+spool.Fold(m.Name), m, alreadyInstalled(m.Name)); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.monitors[spool.Fold(m.Name)] = m
	return nil
}

// insert stores a record that must not be there yet.
func (c *Catalog) insert(ctx context.Context, key string, record any, exists error) error {
	data, err := json.Marshal(record)
	if err != nil {
		return spoolerr.As(err, spoolerr.Internal, "record %s", spool.Quote(key))
	}
	return c.cfg.Store.Update(ctx, func(tx store.Tx) error {
		if _, err := tx.Get(key); err == nil {
			return exists
		} else if !errors.Is(err, spoolerr.NotFound) {
			return err
		}
		return tx.Put(key, data)
	})
}

// Remove uninstalls a monitor. Its processes must have been stopped.
func (c *Catalog) Remove(ctx context.Context, name string) error {
	m, err := c.Get(name)
	if err != nil {
		return err
	}
	if m.Builtin {
		return spoolerr.New(spoolerr.Precondition, spoolerr.CodeNotSupported, "monitor %s comes with the host and cannot be removed", spool.Quote(m.Name))
	}
	err = c.cfg.Store.Update(ctx, func(tx store.Tx) error {
		return errors.Join(tx.Delete(monitorPrefix+spool.Fold(name)), tx.Delete(optionsPrefix+spool.Fold(name)))
	})
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.monitors, spool.Fold(name))
	return nil
}
