package host

import (
	"context"
	"path/filepath"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/cluster"
	"github.com/spoolhost/spoolhost/host/cluster/modulefile"
	"github.com/spoolhost/spoolhost/host/spooler"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// newKeeper gives what fetches modules from the cluster. Their files are kept in
// DATA/fetched.
func (h *Host) newKeeper(n *cluster.Node) *modulefile.Keeper {
	by := h.cfg.Membership
	return modulefile.NewKeeper(modulefile.Config{
		Node: n, Installer: installer{h}, Allow: by.Modules, Events: h.events, Now: h.cfg.Now,
		Files: modulefile.Files{Shared: filepath.Join(by.Shared, "modules"), Local: filepath.Join(h.cfg.Data, "fetched")},
	})
}

// installer is the host as what modules are installed in.
type installer struct{ host *Host }

var _ modulefile.Installer = installer{}

// Installed implements modulefile.Installer.
func (i installer) Installed(kind, name string) (modulefile.Installed, error) {
	if kind == wire.KindMonitor {
		m, err := i.host.catalog.Get(name)
		return modulefile.Installed{Path: m.Path, Builtin: m.Builtin, Module: cluster.Module{
			Name: m.Name, Kind: kind, Digest: m.Digest, Args: m.Args, Options: m.Options, Version: m.ModuleVersion,
		}}, err
	}
	m, err := i.host.modules.Get(name)
	if err == nil && m.Kind != kind {
		err = spoolerr.New(spoolerr.NotFound, spoolerr.CodeModNotFound, "module %s is of kind %s, not %s", m.Name, m.Kind, kind)
	}
	return modulefile.Installed{Path: m.Path, Builtin: m.Builtin, Module: cluster.Module{
		Name: m.Name, Kind: kind, Digest: m.Digest, Args: m.Args, Version: m.ModuleVersion,
	}}, err
}

// Paths implements modulefile.Installer.
func (i installer) Paths() (list []string) {
	for _, m := range i.host.catalog.List() {
		list = append(list, m.Path)
	}
	for _, m := range i.host.modules.List() {
		list = append(list, m.Path)
	}
	return list
}

// Install implements modulefile.Installer.
func (i installer) Install(ctx context.Context, m cluster.Module, path string) error {
	if m.Kind == wire.KindMonitor {
		return i.monitor(ctx, m, path)
	}
	modules := i.host.modules
	if old, err := modules.Get(m.Name); err == nil && old.Kind == m.Kind {
		if err := modules.Remove(ctx, m.Name); err != nil {
			return err
		}
	}
	_, err := modules.Add(ctx, catalog.Module{Name: m.Name, Kind: m.Kind, Path: path, Args: m.Args, Digest: m.Digest})
	return err
}

func (i installer) monitor(ctx context.Context, m cluster.Module, path string) error {
	c := i.host.catalog
	options := func(o *catalog.Options) {
		user := o.Limits.User // each node's own
		*o = m.Options
		o.Limits.User = user
	}
	if _, err := c.Get(m.Name); err == nil {
		to, err := c.Upgraded(ctx, m.Name, catalog.Upgrade{Path: path, Args: append([]string{}, m.Args...), Digest: m.Digest})
		if err != nil {
			return err
		}
		with, err := c.WithOptions(m.Name, options)
		if err != nil {
			return err
		}
		to.Options = with.Options
		return spooler.ReplaceMonitor(ctx, c, i.host.spoolers(), to, true)
	}
	if _, err := c.Add(ctx, m.Name, path, m.Args, m.Digest); err != nil {
		return err
	}
	installed, err := c.WithOptions(m.Name, options)
	if err != nil {
		return err
	}
	if err := c.Replace(ctx, installed); err != nil {
		return err
	}
	for _, s := range i.host.spoolers() {
		if err := s.StartMonitor(installed); err != nil && spoolerr.KindOf(err) != spoolerr.Unavailable {
			return err // Unavailable: it is not online, and starts its monitors when it is
		}
	}
	return nil
}
