// Package spool is the vocabulary that the host and every module share: documents,
// ports, access rights, job and port status, and the rules for names.
//
// Everything imports it; it imports nothing of the project but spoolerr. It holds
// values only: no I/O, no protobuf, no gRPC. Names and numbers are winspool's.
package spool
