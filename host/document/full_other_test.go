//go:build !linux

package document

// runChild is for systems that can bound the size of a file.
func runChild() bool { return false }
