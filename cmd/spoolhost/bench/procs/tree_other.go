//go:build !linux

package procs

import "github.com/spoolhost/spoolhost/sdk/spoolerr"

// Tree is a server's processes.
type Tree struct{}

// NewTree says that this system has no /proc.
func NewTree(int) (*Tree, error) {
	return nil, spoolerr.New(spoolerr.Unsupported, 0, "processes are measured on Linux only; do without --pid")
}

// Usage is not called.
func (*Tree) Usage(bool) (Usage, error) { return Usage{}, nil }

// Load is not known here.
func Load() float64 { return 0 }
