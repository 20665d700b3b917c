// Command minimal-pointprint is a whole Point and Print module in one file. It has a server
// give clients of another architecture than x64 files from a directory of their own: the
// profiles of Color come from Color\arm64.
package main

import (
	"context"
	"log/slog"

	"github.com/spoolhost/spoolhost/sdk/pointprint"
)

func main() {
	pointprint.Serve(initialize, pointprint.Name("Example Paths"), pointprint.Version("1.0"))
}

// initialize is the loading of the module: once in a process, which serves one spooler.
func initialize(_ context.Context, init pointprint.Init) (pointprint.Module, error) {
	return &paths{log: init.Logger}, nil
}

type paths struct{ log *slog.Logger }

// GenerateCopyFilePaths changes the source on the server. On the client it leaves both as
// they came: the target there is where applications look.
func (p *paths) GenerateCopyFilePaths(_ context.Context, c pointprint.CopyFilePaths) (pointprint.Dirs, error) {
	if c.Flags == pointprint.ServerSpooler && c.Client.ProcessorArchitecture == pointprint.ARM64 {
		return pointprint.Dirs{SourceDir: c.SourceDir + `\arm64`, TargetDir: c.TargetDir}, nil
	}
	return c.Dirs, nil
}

// SpoolerCopyFileEvent is told when the files have come, among other things.
func (p *paths) SpoolerCopyFileEvent(_ context.Context, e pointprint.CopyFileEvent) error {
	p.log.Info(e.Event.String(), "printer", e.PrinterName, "key", e.Key)
	return nil
}
