//go:build !linux

package metrics

// groupUsage is not known on this system.
func groupUsage() map[int]consumption { return nil }
