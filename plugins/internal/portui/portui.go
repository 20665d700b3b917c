// Package portui is what the user interfaces of the first-party monitors do alike: they
// read a port's settings from the server module, have it add or change a port, and ask
// before they delete one.
//
// The first-party UI modules import it. It knows no setting of any monitor.
package portui

import (
	"context"

	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/monitorui"
	"github.com/spoolhost/spoolhost/sdk/monitorui/form"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Settings gives a port's settings.
func Settings(ctx context.Context, d monitorui.Dialogue, port string) (map[string]string, error) {
	out, err := d.Xcv(ctx, portconfig.GetConfigInfo, portconfig.Encode(port, nil))
	if err != nil {
		return nil, err
	}
	c, err := portconfig.Decode(out)
	return c.Settings, err
}

// Add has the server module add a port.
func Add(ctx context.Context, d monitorui.Dialogue, port string, settings map[string]string) error {
	_, err := d.Xcv(ctx, portconfig.AddPort, portconfig.Encode(port, settings))
	return err
}

// Configure has the server module change a port's settings.
func Configure(ctx context.Context, d monitorui.Dialogue, port string, settings map[string]string) error {
	_, err := d.Xcv(ctx, portconfig.ConfigPort, portconfig.Encode(port, settings))
	return err
}

// Correctable says that the person can answer otherwise and try again.
func Correctable(err error) bool {
	switch spoolerr.KindOf(err) {
	case spoolerr.Invalid, spoolerr.Exists, spoolerr.Busy:
		return true
	}
	return false
}

// Delete asks, and has the server module delete the port.
func Delete(ctx context.Context, d monitorui.Dialogue, port string) error {
	if _, err := Settings(ctx, d, port); spoolerr.KindOf(err) == spoolerr.NotFound {
		return err
	}
	_, err := d.Ask(ctx, form.Page{
		Title: "Delete port " + spool.Quote(port),
		Text:  "The port and its settings are deleted. The device itself is not touched.",
		Fields: []form.Field{{
			Name: "confirm", Label: "Delete this port?", Type: form.Check, Required: true,
			Help: "Answer yes, or cancel.",
		}},
	})
	if err != nil {
		return err
	}
	_, err = d.Xcv(ctx, portconfig.DeletePort, portconfig.Encode(port, nil))
	return err
}

// Duration is the field of a time, as portconfig reads it.
func Duration(name, label, help, def string) form.Field {
	return form.Field{
		Name: name, Label: label, Help: help, Default: def, MaxLength: 32,
		Pattern: `0|([0-9]+(\.[0-9]+)?(ms|s|m|h))+`, PatternHelp: "give a time with its unit, such as 500ms, 10s or 2m",
	}
}
