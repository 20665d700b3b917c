package host

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spoolhost/spoolhost/sdk/driver"
	"github.com/spoolhost/spoolhost/sdk/pointprint"
)

// recorderArg makes this test binary, launched again, a module that writes down what it is
// called with: recorder KIND SIDE FILE.
const recorderArg = "recorder"

func serveRecorder() {
	if len(os.Args) < 5 || os.Args[1] != recorderArg {
		return
	}
	r := recorder{side: os.Args[3], file: os.Args[4]}
	if os.Args[2] == "driver" {
		driver.Serve(func(context.Context, driver.Init) (driver.Driver, error) { return r, nil })
	}
	pointprint.Serve(func(context.Context, pointprint.Init) (pointprint.Module, error) { return r, nil })
}

type recorder struct{ side, file string }

// note adds a line; lines of one write do not mix.
func (r recorder) note(format string, args ...any) error {
	f, err := os.OpenFile(r.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(r.side + ": " + fmt.Sprintf(format, args...) + "\n")
	return errors.Join(err, f.Close())
}

func (r recorder) GenerateCopyFilePaths(_ context.Context, c pointprint.CopyFilePaths) (pointprint.Dirs, error) {
	flags := map[pointprint.Flags]string{pointprint.ClientSpooler: "COPYFILE_FLAG_CLIENT_SPOOLER", pointprint.ServerSpooler: "COPYFILE_FLAG_SERVER_SPOOLER"}
	return c.Dirs, r.note("GenerateCopyFilePaths(\"%s\", \"%s\", &SplclientInfo1, %d, %s, &dwSourceDirSize, \"%s\", &dwDestDirSize, %s)",
		c.PrinterName, c.Directory, c.Level, c.SourceDir, c.TargetDir, flags[c.Flags])
}

func (r recorder) SpoolerCopyFileEvent(ctx context.Context, e pointprint.CopyFileEvent) error {
	if e.Event == pointprint.SetPrinterDataEx {
		return nil // of the setting up
	}
	content := "unreadable"
	if f, err := e.Printer.OpenFile(ctx, e.Key, "Hpclrlsr.icm"); err == nil {
		content = fmt.Sprintf("%d bytes", f.Size())
	}
	return r.note("SpoolerCopyFileEvent(\"%s\", \"%s\", %s), Hpclrlsr.icm has %s", e.PrinterName, e.Key, e.Event, content)
}

func (r recorder) DrvPrinterEvent(_ context.Context, e driver.PrinterEvent) error {
	if e.Event == driver.Initialize {
		return nil // of the setting up
	}
	return r.note("DrvPrinterEvent(\"%s\", %s)", e.PrinterName, e.Event)
}
