package main

import (
	"os"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/plugins/localmonui"
	"github.com/spoolhost/spoolhost/plugins/tcpmonui"
	"github.com/spoolhost/spoolhost/sdk/monitorui"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// firstPartyUI is the user interface of a first-party monitor, which names it so.
type firstPartyUI struct {
	name, version string
	ui            monitorui.UI
}

func firstPartyUIs() []firstPartyUI {
	return []firstPartyUI{
		{tcpmonui.Name, tcpmonui.Version, tcpmonui.UI{}},
		{localmonui.Name, localmonui.Version, localmonui.UI{}},
	}
}

// builtinModules are the UI modules that come with the program.
func builtinModules() ([]catalog.Module, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Unavailable, "the program's own path is not known")
	}
	var all []catalog.Module
	for _, p := range firstPartyUIs() {
		all = append(all, catalog.Module{
			Name: p.name, Kind: wire.KindMonitorUI, Path: self, Args: []string{"module", "serve", p.name}, ModuleName: p.name, ModuleVersion: p.version,
		})
	}
	return all, nil
}

// serveUI is one of the UI modules, or returns if there is none of that name.
func serveUI(name string) {
	for _, p := range firstPartyUIs() {
		if p.name == name {
			monitorui.Serve(p.ui, monitorui.Name(p.name), monitorui.Version(p.version))
		}
	}
}
