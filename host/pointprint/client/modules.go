package client

import (
	"context"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/pointprint/confine"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/driver"
	"github.com/spoolhost/spoolhost/sdk/pointprint"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// tellDriver calls DrvPrinterEvent of the printer's driver, if that has an event module. The
// result is logged and changes nothing: only PRINTER_EVENT_INITIALIZE is listened to.
func (c *Client) tellDriver(ctx context.Context, con *Connection, step int, e driver.Event, t *trace) {
	if con.Driver.Module == "" {
		return
	}
	err := c.cfg.Modules.DrvPrinterEvent(ctx, confine.ModuleName(con.Driver.Module), driver.PrinterEvent{
		PrinterName: con.Name.String(), Event: e, Flags: driver.NoUI, Printer: &printer{c, con},
	})
	t.add(step, outcome(err), "DrvPrinterEvent(%s, %s, PRINTER_EVENT_FLAG_NO_UI, 0)", quoted(con.Name.String()), e)
	c.complain(con.Name, err, "driver module "+con.Driver.Module+", "+e.String())
}

// tellModule calls SpoolerCopyFileEvent of a component's Module, if it has one.
func (c *Client) tellModule(ctx context.Context, con *Connection, part Component, step int, e pointprint.Event, t *trace) {
	if part.Module == "" {
		return
	}
	err := c.cfg.Modules.SpoolerCopyFileEvent(ctx, confine.ModuleName(part.Module), pointprint.CopyFileEvent{
		PrinterName: con.Name.String(), Key: part.path(), Event: e, Printer: &printer{c, con},
	})
	t.add(step, outcome(err), "SpoolerCopyFileEvent(%s, %s, %s)", quoted(con.Name.String()), quoted(part.path()), e)
	c.complain(con.Name, err, "Point and Print module "+part.Module+", "+e.String())
}

func (c *Client) complain(n Name, err error, what string) {
	if err != nil {
		c.event(eventlog.ConnectionModuleFailed, eventlog.Warning, n, "%s: %s", what, err)
	}
}

// generate calls the client's GenerateCopyFilePaths.
func (s *session) generate(ctx context.Context, part Component) (pointprint.Dirs, error) {
	call := pointprint.CopyFilePaths{
		PrinterName: s.con.Name.String(), Directory: part.Directory, Client: s.c.cfg.Client, Level: 1,
		Dirs:  pointprint.Dirs{SourceDir: part.SourceDir, TargetDir: part.TargetDir},
		Flags: pointprint.ClientSpooler, Printer: &printer{s.c, s.con},
	}
	dirs, err := s.c.cfg.Modules.GenerateCopyFilePaths(ctx, confine.ModuleName(part.Module), call)
	s.trace.add(7, outcome(err), "GenerateCopyFilePaths(%s, %s, &SplclientInfo1, 1, %s, &SourceDirSize, %s, &TargetDirSize, COPYFILE_FLAG_CLIENT_SPOOLER)",
		quoted(call.PrinterName), quoted(call.Directory), quoted(call.SourceDir), quoted(call.TargetDir))
	if err == nil && dirs != call.Dirs {
		s.trace.add(7, "changed", "  SourceDir %s, TargetDir %s", quoted(dirs.SourceDir), quoted(dirs.TargetDir))
	}
	if err != nil { // of whatever kind: it is no failure of the server's
		return dirs, spoolerr.New(spoolerr.Precondition, spoolerr.CodeOf(err), "the Module of CopyFiles\\%s: %s", part.Key, err)
	}
	return dirs, nil
}

// clientInfo is what the server tells its own modules.
func (s *session) clientInfo() *apiv1.ClientInfo {
	i := s.c.cfg.Client
	return &apiv1.ClientInfo{
		BuildNum: i.BuildNum, MajorVersion: i.MajorVersion, MinorVersion: i.MinorVersion, ProcessorArchitecture: uint32(i.ProcessorArchitecture),
	}
}
