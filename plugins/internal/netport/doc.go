// Package netport is what the monitors of network printers do alike: they check an
// address, connect to it with limits on what this machine buffers, see a printer that
// has gone without a word, and say in words what went wrong.
//
// The first-party monitors and their client libraries import it. It sends nothing and
// speaks no protocol.
package netport
