package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// The exit codes, as "spoolhost --help" documents them.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitDenied      = 4
	exitTimeout     = 5
	exitUnavailable = 6
	exitConflict    = 7
	exitNotPrinted  = 8
	exitRuleBroken  = 9
	exitInterrupted = 130
)

const exitCodesHelp = `Exit codes:
    0  done
    1  general failure
    2  usage: the command, or a name or value in it, is wrong
    3  not found: no such printer, port, monitor, job, key or file
    4  denied: you lack the right
    5  time-out
    6  unavailable: the host, or what it needs for this, cannot be reached
    7  conflict: it exists, is in use, or is in the wrong state
    8  print --wait: the job was cancelled, failed or held
    9  module verify: the module breaks a rule
  130  interrupted`

// ranError marks an error that a command's own code returned. Any other error that
// cobra returns is about the command line itself: an unknown flag, a missing argument.
type ranError struct{ err error }

func (e *ranError) Error() string { return e.err.Error() }
func (e *ranError) Unwrap() error { return e.err }

// notPrintedError is the outcome of print --wait for a job that will not print.
type notPrintedError struct{ message string }

func (e *notPrintedError) Error() string { return e.message }

// failures are the errors of a command that acts on several things and goes on after
// one of them failed. The first one decides the exit code.
type failures []error

func (f failures) Error() string   { return errors.Join(f...).Error() }
func (f failures) Unwrap() []error { return f }

// err gives nil for no failures.
func (f failures) err() error {
	switch len(f) {
	case 0:
		return nil
	case 1:
		return f[0]
	}
	return f
}

// usagef is an error in what the person wrote.
func usagef(format string, args ...any) error {
	return spoolerr.New(spoolerr.Invalid, 0, format, args...)
}

// classify makes a usage error of what cobra found wrong, and an interruption of what
// failed because a signal came.
func classify(ctx context.Context, cmd *cobra.Command, err error) error {
	var ran *ranError
	if !errors.As(err, &ran) {
		// Cobra's suggestions stand on lines of their own.
		mistake := strings.Join(strings.Fields(err.Error()), " ")
		return usagef("%s; see %q", mistake, cmd.CommandPath()+" --help")
	}
	if ctx.Err() != nil && spoolerr.KindOf(err) == spoolerr.Cancelled {
		var own *spoolerr.Error
		if !errors.As(err, &own) {
			return spoolerr.New(spoolerr.Cancelled, 0, "interrupted")
		}
	}
	return ran.err
}

// exitCode maps an error to the exit code of its kind.
func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	var several failures
	if errors.As(err, &several) && len(several) > 0 {
		return exitCode(several[0])
	}
	var notPrinted *notPrintedError
	if errors.As(err, &notPrinted) {
		return exitNotPrinted
	}
	var broken *brokenRulesError
	if errors.As(err, &broken) {
		return exitRuleBroken
	}
	return kindExitCode(spoolerr.KindOf(err))
}

func kindExitCode(kind spoolerr.Kind) int {
	switch kind {
	case spoolerr.Invalid:
		return exitUsage
	case spoolerr.NotFound:
		return exitNotFound
	case spoolerr.Denied:
		return exitDenied
	case spoolerr.TimedOut:
		return exitTimeout
	case spoolerr.Unavailable, spoolerr.NotReady, spoolerr.Exited:
		return exitUnavailable
	case spoolerr.Exists, spoolerr.Busy, spoolerr.Precondition:
		return exitConflict
	case spoolerr.Cancelled:
		return exitInterrupted
	default:
		return exitFailure
	}
}

// report writes each failure as one line on standard error, for people or as JSON.
func report(w io.Writer, err error, asJSON bool) {
	var several failures
	if errors.As(err, &several) {
		for _, one := range several {
			report(w, one, asJSON)
		}
		return
	}
	message := clean(strings.TrimSpace(err.Error()))
	if !asJSON {
		fmt.Fprintf(w, "spoolhost: %s\n", message)
		return
	}
	fmt.Fprintf(w, "%s\n", errorJSON(err, message))
}

// errorJSON is what a program reads instead of the line.
func errorJSON(err error, message string) []byte {
	type detail struct {
		Kind    string        `json:"kind"`
		Code    spoolerr.Code `json:"code"`
		Message string        `json:"message"`
	}
	d := detail{Kind: spoolerr.KindOf(err).String(), Code: spoolerr.CodeOf(err), Message: message}
	var notPrinted *notPrintedError
	if errors.As(err, &notPrinted) {
		d.Kind, d.Code = "not printed", spoolerr.CodePrintCancelled
	}
	var broken *brokenRulesError
	if errors.As(err, &broken) {
		d.Kind, d.Code = "rule broken", spoolerr.CodeInvalidPrintMonitor
	}
	text, jsonErr := json.Marshal(struct {
		Error detail `json:"error"`
	}{d})
	if jsonErr != nil { // A struct of strings and a number always marshals.
		return []byte(`{"error":{}}`)
	}
	return text
}

// wantsJSON says how errors are reported, also when the command line could not be
// parsed to its end.
func wantsJSON(opts *options, args []string) bool {
	if opts.output == outputJSON {
		return true
	}
	for i, arg := range args {
		if arg == "--" {
			return false
		}
		switch strings.TrimPrefix(arg, "-") {
		case "ojson", "o=json", "-output=json":
			return true
		case "o", "-output":
			if i+1 < len(args) && args[i+1] == outputJSON {
				return true
			}
		}
	}
	return false
}
