package monitorwire

import "github.com/spoolhost/spoolhost/sdk/spoolerr"

// Status is what a command of XcvDataPort answered itself (pdwStatus): the monitor was
// asked and refused. Any other error of Data means that it was not asked, or that its
// answer did not arrive.
type Status struct{ err *spoolerr.Error }

// Error gives the monitor's words.
func (s *Status) Error() string { return s.err.Error() }

// Unwrap gives the error with its kind and Win32 code.
func (s *Status) Unwrap() error { return s.err }
