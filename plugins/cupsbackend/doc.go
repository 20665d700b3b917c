// Package cupsbackend is the port monitor "CUPS Backend": every executable that follows
// CUPS's backend contract (backend(7)) is a port here, and so is every printer that a
// Linux machine can drive by USB, IPP, LPD, SMB or a vendor's own backend.
//
//	DEVICE_URI=ipp://10.0.0.5/ipp/print  ipp  JOB USER TITLE COPIES OPTIONS  <document
//
// A backend is a process for one document, in a process group of its own: it reads the
// document from standard input, says on standard error how it goes (STATE:, ATTR:,
// INFO:, ERROR: ...), may talk back on descriptor 3, and ends with an exit code that
// says what should become of the job.
//
// The command spoolhost serves it as a module. Only executables in the directories that
// the host's configuration names are run, and only by the scheme of a device URI, never
// by a path. It converts no document: a printer must understand what it is sent.
package cupsbackend
