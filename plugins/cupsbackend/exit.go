package cupsbackend

import (
	"errors"
	"os/exec"
	"syscall"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// disposition is what an exit code of backend(7) asks for.
type disposition struct {
	kind spoolerr.Kind
	code spoolerr.Code
	says string
}

// dispositions are the exit codes from CUPS_BACKEND_FAILED (1) on.
func dispositions() []disposition {
	return []disposition{
		{spoolerr.Unavailable, spoolerr.CodeGenFailure, "failed; check the printer and the device URI"},
		{spoolerr.Denied, spoolerr.CodeAccessDenied, "says that the printer wants to know who prints; give the settings username and password"},
		{spoolerr.Precondition, spoolerr.CodeInvalidPrinterState, "asks for the job to be held; look at the printer, then release the job"},
		{spoolerr.Unavailable, spoolerr.CodeNotReady, "asks for the printer to be stopped; look at the printer, then resume it"},
		{spoolerr.Cancelled, spoolerr.CodePrintCancelled, "says that the job was cancelled at the printer"},
		{spoolerr.Unavailable, spoolerr.CodeNotReady, "asks for the job to be tried again later"},
		{spoolerr.Unavailable, spoolerr.CodeNotReady, "asks for the job to be tried again at once"},
	}
}

// exitError words how a backend ended, with the last error that it gave; nil is success.
func exitError(scheme string, err error, failed string) error {
	if err == nil {
		return nil
	}
	d := disposition{spoolerr.Unavailable, spoolerr.CodeGenFailure, "ended in a way that no backend should; ask its vendor"}
	cause := err
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status, ok := exit.Sys().(syscall.WaitStatus)
		switch {
		case ok && status.Signaled():
			d.says = "was ended by signal " + status.Signal().String()
			cause = nil
		case exit.ExitCode() >= 1 && exit.ExitCode() <= len(dispositions()):
			d = dispositions()[exit.ExitCode()-1]
			cause = nil
		}
	}
	if failed != "" {
		d.says += "; it said: " + failed
	}
	e := spoolerr.New(d.kind, d.code, "the backend %s %s", spool.Quote(scheme), d.says)
	e.Err = cause
	return e
}
