package store

import (
	"unsafe"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// Forget gives the memory back through which the file was read. It stays in the system's
// cache: what is read again costs a page fault, and no disk.
func (b *Bolt) Forget() error {
	return guard(func() error {
		return b.db.View(func(tx *bbolt.Tx) error { // the mapping stays where it is meanwhile
			info := b.db.Info()
			at := *(**byte)(unsafe.Pointer(&info.Data)) // an address outside of Go's memory, which bbolt gives as a number
			if at == nil || tx.Size() <= 0 {
				return nil
			}
			return unix.Madvise(unsafe.Slice(at, tx.Size()), unix.MADV_DONTNEED)
		})
	})
}
