// Package tcpmonui is the user interface of the monitor "Standard TCP/IP Port": it asks
// for a printer's address and how to talk to it, tries the connection if it is told to,
// and has the monitor add or change the port.
//
// The command spoolhost serves it as a module. It opens no connection itself: the monitor
// does, which it asks by XcvData.
package tcpmonui

import (
	"cmp"
	"context"

	"github.com/spoolhost/spoolhost/plugins/internal/portui"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/monitorui"
	"github.com/spoolhost/spoolhost/sdk/monitorui/form"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// What the module calls itself.
const (
	Name    = "tcpmonui"
	Version = "1.0.0"
)

// UI is the module.
type UI struct{}

// AddPort is AddPortUI.
func (UI) AddPort(ctx context.Context, d monitorui.Dialogue) (port string, err error) {
	printer := printerPage("Add a printer on the network", nil)
	printer.Fields = append(printer.Fields, form.Field{
		Name: "name", Label: "Name of the port", Help: "Empty: IP_ and the address.", MaxLength: spool.MaxNameLen,
	})
	err = hold(ctx, d, printer, nil, func(settings map[string]string) error {
		port = cmp.Or(settings["name"], "IP_"+settings["host"])
		delete(settings, "name")
		return portui.Add(ctx, d, port, settings)
	})
	return port, err
}

// ConfigurePort is ConfigurePortUI.
func (UI) ConfigurePort(ctx context.Context, d monitorui.Dialogue, port string) error {
	current, err := portui.Settings(ctx, d, port)
	if err != nil {
		return err
	}
	return hold(ctx, d, printerPage("Configure port "+spool.Quote(port), current), current, func(settings map[string]string) error {
		return portui.Configure(ctx, d, port, settings)
	})
}

// DeletePort is DeletePortUI.
func (UI) DeletePort(ctx context.Context, d monitorui.Dialogue, port string) error {
	return portui.Delete(ctx, d, port)
}

// hold asks both pages, tests, and does it; as often as the person wants to go back.
func hold(ctx context.Context, d monitorui.Dialogue, printer form.Page, current map[string]string, do func(settings map[string]string) error) error {
	for {
		answers, err := d.Ask(ctx, printer)
		if err != nil {
			return err
		}
		more, err := d.Ask(ctx, connectionPage(answers.Text("protocol"), current))
		if err != nil {
			return err
		}
		settings := answers.Settings()
		for name, value := range more.Settings("test") {
			settings[name] = value
		}
		current = settings
		printer = printer.With(answers).Refuse("", "")
		goOn := true
		if more.Bool("test") {
			if goOn, err = test(ctx, d, settings); err != nil {
				return err
			}
		}
		if !goOn {
			continue
		}
		err = do(with(settings))
		if err == nil || !portui.Correctable(err) {
			return err
		}
		printer = printer.Refuse("", err.Error())
	}
}

// with gives a copy that do may change.
func with(settings map[string]string) map[string]string {
	own := make(map[string]string, len(settings))
	for name, value := range settings {
		own[name] = value
	}
	return own
}

// test has the monitor connect, and if it cannot asks what to do.
func test(ctx context.Context, d monitorui.Dialogue, settings map[string]string) (goOn bool, err error) {
	settings = with(settings)
	name := cmp.Or(settings["name"], "IP_"+settings["host"])
	delete(settings, "name")
	if err := d.Inform(ctx, "Connecting to "+settings["host"]+" ..."); err != nil {
		return false, err
	}
	out, err := d.Xcv(ctx, "TestConnection", portconfig.Encode(name, settings))
	if err == nil {
		reached, _ := portconfig.DecodeText(out)
		return true, d.Inform(ctx, "The printer answers at "+reached+".")
	}
	switch spoolerr.KindOf(err) {
	case spoolerr.Unavailable, spoolerr.TimedOut, spoolerr.NotFound:
	case spoolerr.Invalid:
		return true, nil // what is wrong with the settings, AddPort says too
	default:
		return false, err
	}
	answers, err := d.Ask(ctx, form.Page{
		Title: "The printer does not answer", Text: err.Error(),
		Fields: []form.Field{{
			Name: "next", Label: "What next?", Type: form.OneOf, Required: true, Default: "anyway",
			Help:    "The printer may be switched off. Documents wait until it answers.",
			Choices: []form.Choice{{Value: "anyway", Label: "Go on all the same"}, {Value: "back", Label: "Back to the settings"}},
		}},
	})
	return answers.Text("next") == "anyway", err
}
