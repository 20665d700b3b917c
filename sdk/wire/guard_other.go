//go:build !linux

package wire

// dieWithParent has no counterpart here; the lifeline alone ends the module.
func dieWithParent() {}
