// Package localmonui is the user interface of the monitor "Local Port": it asks for a
// device, file or directory, and has the monitor say whether it would do.
//
// The command spoolhost serves it as a module. It looks at no file itself: the monitor
// does, on the host's machine, which it asks by XcvData.
package localmonui

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
	Name    = "localmonui"
	Version = "1.0.0"
)

// UI is the module.
type UI struct{}

// AddPort is AddPortUI.
func (UI) AddPort(ctx context.Context, d monitorui.Dialogue) (port string, err error) {
	page := placePage("Add a local port", nil)
	page.Fields = append(page.Fields, form.Field{
		Name: "name", Label: "Name of the port", Help: "Empty: the path.", MaxLength: spool.MaxNameLen,
	})
	err = hold(ctx, d, page, func(settings map[string]string) error {
		port = cmp.Or(settings["name"], settings["path"])
		delete(settings, "name")
		if _, err := d.Xcv(ctx, "PortIsValid", portconfig.Encode(port, settings)); err != nil {
			return err
		}
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
	return hold(ctx, d, placePage("Configure port "+spool.Quote(port), current), func(settings map[string]string) error {
		return portui.Configure(ctx, d, port, settings)
	})
}

// DeletePort is DeletePortUI.
func (UI) DeletePort(ctx context.Context, d monitorui.Dialogue, port string) error {
	return portui.Delete(ctx, d, port)
}

// hold asks until the monitor takes the answers.
func hold(ctx context.Context, d monitorui.Dialogue, page form.Page, do func(settings map[string]string) error) error {
	for {
		answers, err := d.Ask(ctx, page)
		if err != nil {
			return err
		}
		err = do(answers.Settings())
		if err == nil || !correctable(err) {
			return err
		}
		page = page.With(answers).Refuse("", err.Error())
	}
}

// correctable counts a path that is not there, or not allowed, among what another answer
// may put right; but not the lack of rights, nor a port that is gone.
func correctable(err error) bool {
	switch spoolerr.KindOf(err) {
	case spoolerr.NotFound:
		return spoolerr.CodeOf(err) != spoolerr.CodeUnknownPort
	case spoolerr.Precondition, spoolerr.Unsupported:
		return true
	}
	return portui.Correctable(err)
}

// placePage asks where documents go.
func placePage(title string, current map[string]string) form.Page {
	return form.Page{
		Title: title,
		Text:  "Documents go to a device, a file or a directory of the host's machine, below one of the directories that its configuration allows.",
		Fields: []form.Field{
			{
				Name: "path", Label: "Path", Required: true, Default: current["path"], MaxLength: 1024,
				Pattern: "/.*", PatternHelp: "give an absolute path, such as /dev/usb/lp0",
			},
			{
				Name: "type", Label: "What it is", Type: form.OneOf, Required: true, Default: cmp.Or(current["type"], "device"),
				Choices: []form.Choice{
					{Value: "device", Label: "A device, such as a printer at USB"},
					{Value: "file", Label: "A file, which each document replaces"},
					{Value: "directory", Label: "A directory, in which each document becomes a file"},
				},
			},
			portui.Duration("writeTimeout", "Longest wait for a device to take data", "After it the printer shows as waiting; nothing is lost.",
				cmp.Or(current["writeTimeout"], "30s")),
		},
	}
}
