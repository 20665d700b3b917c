//go:build !linux && !darwin

package engine

// freeSpace is not known on this system.
func freeSpace(string) (n uint64, known bool) { return 0, false }
