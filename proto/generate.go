// Package proto holds the wire: a buf module and the Go code generated from it. Only
// sdk/wire, sdk/spoolerr/spoolgrpc, the per-kind Serve functions of sdk, the host's
// catalog and front ends, and the command line import what is below it.
//
// To regenerate, with buf v1.59.0, protoc-gen-go v1.36.10 and protoc-gen-go-grpc v1.5.1
// on the PATH:
//
//	go generate ./proto
package proto

//go:generate buf lint
//go:generate buf generate
