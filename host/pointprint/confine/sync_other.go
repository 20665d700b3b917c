//go:build !unix

package confine

// sync does nothing: directories cannot be synced here.
func (d *Dir) sync() error { return nil }
