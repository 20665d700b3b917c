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
	Options `json:"-"`
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
	Now         func() time.Time
}

// Catalog is the set of installed monitors. It is safe for concurrent use.
type Catalog struct {
	cfg Config

	pool pool

	mu       sync.RWMutex
	monitors map[string]Monitor // by folded name
}

const monitorPrefix = "catalog/monitor/"

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
	var problems []Problem
	err := cfg.Store.View(ctx, func(tx store.Tx) error {
		for item, err := range tx.Scan(monitorPrefix, "") {
			if err != nil && item.Key == "" {
				return err
			}
			var m Monitor
			if err == nil {
				err = decode(item, &m)
			}
			if err != nil {
				problems = append(problems, Problem{Key: item.Key, Err: err})
				continue
			}
			if key := spool.Fold(m.Name); !c.monitors[key].Builtin {
				c.monitors[key] = m
			}
		}
		return nil
	})
	return c, problems, err
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
	found, err := c.cfg.Env.Images.Digest(path)
	if err != nil {
		return Monitor{}, spoolerr.Wrap(err, "monitor %s was not added", spool.Quote(name))
	}
	if digest != "" && !strings.EqualFold(digest, found) {
		return Monitor{}, spoolerr.New(spoolerr.Precondition, spoolerr.CodeInvalidPrintMonitor,
			"monitor %s was not added: module %s has SHA-256 %s, not the %s that was given", spool.Quote(name), path, found, digest)
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
	data, err := json.Marshal(m)
	if err != nil {
		return spoolerr.As(err, spoolerr.Internal, "monitor %s", spool.Quote(m.Name))
	}
	key := monitorPrefix + spool.Fold(m.Name)
	err = c.cfg.Store.Update(ctx, func(tx store.Tx) error {
		if _, err := tx.Get(key); err == nil {
			return alreadyInstalled(m.Name)
		} else if !errors.Is(err, spoolerr.NotFound) {
			return err
		}
		return tx.Put(key, data)
	})
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.monitors[spool.Fold(m.Name)] = m
	return nil
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
	err = c.cfg.Store.Update(ctx, func(tx store.Tx) error { return tx.Delete(monitorPrefix + spool.Fold(name)) })
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.monitors, spool.Fold(name))
	return nil
}
