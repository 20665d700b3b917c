package host

import (
	"context"
	"path/filepath"

	"github.com/spoolhost/spoolhost/host/loader"
	"github.com/spoolhost/spoolhost/host/registry"
	"github.com/spoolhost/spoolhost/host/share"
	"github.com/spoolhost/spoolhost/host/supervisor"
)

// openShare opens PRINT$.
func (h *Host) openShare(ctx context.Context) (err error) {
	if h.share, err = share.Open(filepath.Join(h.cfg.Data, "print$"), share.Node, h.store, h.cfg.Now); err != nil {
		return err
	}
	return h.share.Sweep(ctx)
}

// newLoader gives a spooler its Point and Print modules and drivers.
func (h *Host) newLoader(spooler string, hive *registry.Hive) *loader.Loader {
	return loader.New(loader.Config{
		Modules: h.modules, Spooler: spooler, Hive: hive, RegistryLimit: h.cfg.RegistryLimit,
		Call: h.cfg.Limits.Call, Events: h.events, Now: h.cfg.Now,
		Log: func(module string, l supervisor.Line) {
			h.cfg.Logger.Debug("module output", "module", module, "level", l.Level, "text", l.Text)
		},
	})
}
