// Package wire is what host and modules agree on besides the protos: the handshake, the
// environment, limits, the module's side of serving, and the adapters between host
// services and the sdk's interfaces.
//
// The Serve function of each module kind imports it for the module's side; the host's
// supervisor and catalog for theirs. A vendor never does. The adapters of one module
// kind's own contract are beside it: the module's side in the kind's package (Serve needs
// it there), the host's side below wire (monitorwire).
package wire
