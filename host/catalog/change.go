package catalog

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Upgrade is another executable for an installed monitor.
type Upgrade struct {
	Path string
	// Args replace the installed arguments if they are not nil.
	Args []string
	// Digest is what the executable must have, in hex; empty for any.
	Digest string
}

// Upgraded gives what an installed monitor would be with another executable: that is
// launched once and must describe itself as a monitor. Nothing is stored.
func (c *Catalog) Upgraded(ctx context.Context, name string, to Upgrade) (Monitor, error) {
	m, err := c.Get(name)
	if err != nil {
		return m, err
	}
	if m.Builtin {
		return m, spoolerr.New(spoolerr.Precondition, spoolerr.CodeNotSupported,
			"monitor %s comes with the host and is upgraded with it", spool.Quote(m.Name))
	}
	m.Path = to.Path
	if to.Args != nil {
		m.Args = to.Args
	}
	if m.Digest, err = c.digest(to.Path, to.Digest); err == nil {
		var said Description
		said, err = c.describeOnce(ctx, m)
		m.ModuleName, m.ModuleVersion = said.Name, said.Version
	}
	return m, spoolerr.Wrap(err, "monitor %s was not upgraded", spool.Quote(name))
}

// digest takes an executable's SHA-256, which must be the expected one unless that is
// empty.
func (c *Catalog) digest(path, expected string) (string, error) {
	found, err := c.cfg.Env.Images.Digest(path)
	if err == nil && expected != "" && !strings.EqualFold(expected, found) {
		err = spoolerr.New(spoolerr.Precondition, spoolerr.CodeInvalidPrintMonitor,
			"module %s has SHA-256 %s, not the %s that was given", path, found, expected)
	}
	return found, err
}

// WithOptions gives what a monitor would be with changed options. Nothing is stored.
func (c *Catalog) WithOptions(name string, change func(*Options)) (Monitor, error) {
	m, err := c.Get(name)
	if err != nil {
		return m, err
	}
	change(&m.Options)
	return m, spoolerr.Wrap(m.Options.check(), "monitor %s was not changed", spool.Quote(m.Name))
}

// Replace stores a monitor in the place of the one that is installed under its name.
func (c *Catalog) Replace(ctx context.Context, m Monitor) error {
	key := spool.Fold(m.Name)
	record, err := json.Marshal(m)
	if err != nil {
		return spoolerr.As(err, spoolerr.Internal, "monitor %s", spool.Quote(m.Name))
	}
	options, err := json.Marshal(m.Options)
	if err != nil {
		return spoolerr.As(err, spoolerr.Internal, "options of monitor %s", spool.Quote(m.Name))
	}
	err = c.cfg.Store.Update(ctx, func(tx store.Tx) error {
		if !m.Builtin {
			if _, err := tx.Get(monitorPrefix + key); err != nil {
				return spoolerr.Wrap(err, "monitor %s was removed meanwhile", spool.Quote(m.Name))
			}
			if err := tx.Put(monitorPrefix+key, record); err != nil {
				return err
			}
		}
		return tx.Put(optionsPrefix+key, options)
	})
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.monitors[key] = m
	return nil
}
