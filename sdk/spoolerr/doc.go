// Package spoolerr gives every failure a kind, a Win32 code, and a message that names
// the object and says what to do.
//
// Vendors, the host and the command line all use it. It knows nothing of gRPC:
// spoolerr/spoolgrpc is the only place that maps errors to gRPC status and back.
package spoolerr
