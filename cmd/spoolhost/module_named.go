package main

import (
	"os"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/plugins/genericdriver"
	"github.com/spoolhost/spoolhost/plugins/localmonui"
	"github.com/spoolhost/spoolhost/plugins/mscms"
	"github.com/spoolhost/spoolhost/plugins/tcpmonui"
	"github.com/spoolhost/spoolhost/sdk/driver"
	"github.com/spoolhost/spoolhost/sdk/monitorui"
	"github.com/spoolhost/spoolhost/sdk/pointprint"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// firstPartyNamed is a first-party module that others name: a monitor its user interface, a
// printer's CopyFiles key its Module, a driver its event module.
type firstPartyNamed struct {
	kind, name, version string
	serve               func()
}

func firstPartyNames() []firstPartyNamed {
	return []firstPartyNamed{
		uiModule(tcpmonui.Name, tcpmonui.Version, tcpmonui.UI{}),
		uiModule(localmonui.Name, localmonui.Version, localmonui.UI{}),
		{wire.KindPointPrint, mscms.Name, mscms.Version, func() {
			pointprint.Serve(mscms.Initialize, pointprint.Name(mscms.Name), pointprint.Version(mscms.Version))
		}},
		{wire.KindDriver, genericdriver.Name, genericdriver.Version, func() {
			driver.Serve(genericdriver.Load, driver.Name(genericdriver.Name), driver.Version(genericdriver.Version))
		}},
	}
}

func uiModule(name, version string, ui monitorui.UI) firstPartyNamed {
	return firstPartyNamed{wire.KindMonitorUI, name, version, func() { monitorui.Serve(ui, monitorui.Name(name), monitorui.Version(version)) }}
}

// builtinModules are the named modules that come with the program.
func builtinModules() ([]catalog.Module, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Unavailable, "the program's own path is not known")
	}
	var all []catalog.Module
	for _, p := range firstPartyNames() {
		all = append(all, catalog.Module{
			Name: p.name, Kind: p.kind, Path: self, Args: []string{"module", "serve", p.name}, ModuleName: p.name, ModuleVersion: p.version,
		})
	}
	return all, nil
}

// serveNamed is one of the named modules, or returns if there is none of that name.
func serveNamed(name string) {
	for _, p := range firstPartyNames() {
		if p.name == name {
			p.serve()
		}
	}
}
