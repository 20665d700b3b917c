//go:build !linux

package supervisor

import "context"

// Cgroups is a means of Linux; elsewhere there are none.
type Cgroups struct{}

// OpenCgroups gives none.
func OpenCgroups(_, _ string) *Cgroups { return &Cgroups{} }

// Sweep has nothing to do.
func (c *Cgroups) Sweep(context.Context) error { return nil }

// Close has nothing to do.
func (c *Cgroups) Close() {}
