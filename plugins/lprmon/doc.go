// Package lprmon is the port monitor "Line Printer Remote": it sends documents to a queue of a line
// printer daemon (RFC 1179), on another Unix host or in a printer.
//
// The command spoolhost serves it as a module. It keeps no queue of its own and does not
// look into documents; the protocol itself is in plugins/internal/lpr.
package lprmon
