package store

import (
	"go.etcd.io/bbolt"

	"github.com/spoolhost/spoolhost/host/store/internal/overlay"
)

// squeeze is persist while the disk is full: only what fits into the file is taken, and, for
// which the journal has room left, what makes room.
func (b *Bolt) squeeze(batch *overlay.Layer) error {
	err := b.through(batch)
	if err == nil || b.cause() != nil {
		return err
	}
	record := b.encode(batch)
	if grows, lookErr := b.grows(batch); lookErr != nil || grows || !b.journals[0].Fits(len(record)) {
		return err
	}
	if err := b.append(record, batch); err != nil {
		return err
	}
	b.shrink()
	return nil
}

// grows says whether a batch takes more room than it gives back.
func (b *Bolt) grows(batch *overlay.Layer) (bool, error) {
	var more int
	err := guard(func() error {
		below, above, err := b.pending.snapshot(b.db)
		if err != nil {
			return err
		}
		defer func() { _ = below.Rollback() }()
		tx := &boltTx{path: b.path, table: b.table, bucket: below.Bucket([]byte(bucketName)), above: above}
		for key, entry := range batch.All() {
			more += len(entry) - len(tx.find(key))
		}
		return nil
	})
	return more > 0, err
}

// shrink takes out of the file what is pending to be deleted: bbolt gives pages back only
// when a transaction ends, and the next has use for them. Failing, it is done later.
func (b *Bolt) shrink() {
	last := overlay.NewLayer()
	for _, layer := range b.pending.layers() {
		for key, entry := range layer.All() {
			last.Set(key, entry)
		}
	}
	_ = guard(func() error {
		return b.db.Update(func(tx *bbolt.Tx) error {
			bucket := tx.Bucket([]byte(bucketName))
			for key, entry := range last.All() {
				if entry != nil {
					continue
				}
				if err := bucket.Delete([]byte(key)); err != nil {
					return err
				}
			}
			return nil
		})
	})
}
