package store

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/spoolhost/spoolhost/host/store/internal/journal"
	"github.com/spoolhost/spoolhost/host/store/internal/overlay"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

const (
	// marksName is the bucket of what the file says of itself: its identity, and the
	// generation of the journals up to which it has everything.
	marksName = "journal"
	markID    = "id"
	markDone  = "applied"

	// checkpointAt is the length of a journal at which a checkpoint begins, and journalRoom
	// how many times that it may have, so that commits go on meanwhile.
	checkpointAt = 1 << 20
	journalRoom  = 4
)

// newID gives a store the identity that its journals name.
func newID() []byte {
	id := make([]byte, len(journal.ID{}))
	_, _ = rand.Read(id) // It never fails.
	return id
}

// recover finds what was committed and is not in the file yet, and puts it there.
func (b *Bolt) recover() error {
	var id journal.ID
	var done uint64
	err := b.db.View(func(tx *bbolt.Tx) error {
		marks := tx.Bucket([]byte(marksName))
		if n := copy(id[:], marks.Get([]byte(markID))); n != len(id) {
			return errNoIdentity
		}
		if v := marks.Get([]byte(markDone)); len(v) == 8 {
			done = binary.BigEndian.Uint64(v)
		}
		return nil
	})
	if err != nil {
		return err
	}
	var layers [2]*overlay.Layer
	for i, end := range []string{"-journal", "-journal2"} {
		j, layer := journal.New(b.path+end, id, journalRoom*b.checkpointAt), overlay.NewLayer()
		generation, err := j.Load(layer.Set)
		switch {
		case err != nil:
			return fmt.Errorf("journal %s: %w", b.path+end, err)
		case generation > 0 && j.Owner() != id:
			return b.foreign(b.path + end)
		}
		b.journals[i], layers[i] = j, layer
	}
	return b.resume(done, layers)
}

// resume goes on where the last life ended: the older of two journals is what its checkpoint
// did not get to.
func (b *Bolt) resume(done uint64, layers [2]*overlay.Layer) error {
	if b.journals[0].Generation() < b.journals[1].Generation() {
		b.journals[0], b.journals[1] = b.journals[1], b.journals[0]
		layers[0], layers[1] = layers[1], layers[0]
	}
	newest, older := b.journals[0].Generation(), b.journals[1].Generation()
	switch {
	case newest <= done:
		b.journals[0].Begin(done + 1)
		return nil
	case newest == done+2 && older == done+1:
		b.pending.frozen = layers[1]
	case newest != done+1:
		return b.foreign(b.path + "-journal")
	}
	b.pending.active = layers[0]
	err := b.through(overlay.NewLayer())
	if err != nil && full(err) {
		b.full.Store(true)
		return nil // it is all in the journals: the host comes up, so that somebody can make room
	}
	return err
}

// foreign is a journal beside a file that it does not belong to, such as one of a backup.
func (b *Bolt) foreign(path string) error {
	return spoolerr.New(spoolerr.Corrupt, 0,
		"store %s and its journal %s do not belong together; put back the store that was beside it, or move the journals away too (the last jobs in them are lost)", b.path, path)
}

// persist makes a batch durable and visible. Only the leader of a batch calls it.
func (b *Bolt) persist(batch *overlay.Layer) error {
	if b.full.Load() {
		return b.squeeze(batch)
	}
	record := b.encode(batch)
	if !b.journals[0].Fits(len(record)) {
		b.settle()
		if !b.pending.checkpointing() && b.journals[0].Used() > 0 {
			b.turn()
		}
	}
	if b.journals[0].Fits(len(record)) {
		err := b.append(record, batch)
		if err == nil {
			b.tend()
		}
		if err == nil || b.cause() != nil {
			return err
		}
	}
	return b.through(batch) // a large one, or one that the disk has no room for in a journal
}

func (b *Bolt) encode(batch *overlay.Layer) []byte {
	b.record = b.record[:0]
	for key, entry := range batch.All() {
		b.record = journal.AppendWrite(b.record, key, entry)
	}
	return b.record
}

// append makes a batch durable in the journal.
func (b *Bolt) append(record []byte, batch *overlay.Layer) error {
	err := b.journals[0].Append(record)
	switch {
	case err == nil:
		_ = b.journals[1].Open() // while there is room; if there is none, it is tried again
		b.pending.add(batch)
	case errors.Is(err, journal.ErrSync):
		err = b.uncertain(err)
		b.fail(err)
	}
	return err
}

// tend begins a checkpoint when the journal is long enough.
func (b *Bolt) tend() {
	if b.journals[0].Used() >= b.checkpointAt && !b.pending.checkpointing() {
		b.settle()
		b.turn()
	}
}

// turn changes the journals, and has a checkpoint put what is in the older one into the file.
func (b *Bolt) turn() {
	b.journals[0], b.journals[1] = b.journals[1], b.journals[0]
	b.journals[0].Begin(b.journals[1].Generation() + 1)
	b.pending.freeze()
	b.checkpoint()
}

// checkpoint puts what is frozen into the file, while commits go on.
func (b *Bolt) checkpoint() {
	generation, frozen := b.journals[1].Generation(), b.pending.layers()[0]
	done := make(chan struct{})
	b.running = done
	go func() { // settle waits for it, and so does Close
		defer close(done)
		switch err := b.apply(generation, frozen); {
		case err == nil:
			b.pending.thaw(false)
		case full(err):
			b.full.Store(true)
		default:
			b.fail(failure(b.path, err))
		}
	}()
}

// settle waits for the checkpoint under way.
func (b *Bolt) settle() {
	if b.running != nil {
		<-b.running
		b.running = nil
	}
}

// through puts everything that is pending, and a batch, into the file at once.
func (b *Bolt) through(batch *overlay.Layer) error {
	b.settle()
	if err := b.cause(); err != nil {
		return err
	}
	generation := b.journals[0].Generation()
	if err := b.apply(generation, append(b.pending.layers(), batch)...); err != nil {
		return err
	}
	b.full.Store(false)
	b.pending.thaw(true)
	b.journals[0].Begin(generation + 1)
	return nil
}

// apply puts layers, the oldest first, into the file: all that is in journals up to the
// generation.
func (b *Bolt) apply(generation uint64, layers ...*overlay.Layer) error {
	var below *bbolt.Tx
	defer func() { b.release(below) }()
	return guard(func() (err error) {
		if below, err = b.db.Begin(true); err != nil {
			return err
		}
		bucket, marks := below.Bucket([]byte(bucketName)), below.Bucket([]byte(marksName))
		if bucket == nil || marks == nil {
			return errNoIdentity
		}
		for _, layer := range layers {
			if err := put(bucket, layer); err != nil {
				return err
			}
		}
		if err := marks.Put([]byte(markDone), binary.BigEndian.AppendUint64(nil, generation)); err != nil {
			return err
		}
		id := below.ID()
		if err = below.Commit(); err != nil {
			b.doubt(id, err)
		}
		return err
	})
}

func put(bucket *bbolt.Bucket, layer *overlay.Layer) (err error) {
	for key, entry := range layer.All() {
		if entry == nil {
			err = bucket.Delete([]byte(key))
		} else if old := bucket.Get([]byte(key)); !bytes.Equal(old, entry) {
			err = bucket.Put([]byte(key), entry)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// end puts what is pending into the file and removes the journals: the file is whole by
// itself. What a full disk has no room for stays in the journals.
func (b *Bolt) end() error {
	b.settle()
	if b.cause() != nil || b.journals[0] == nil {
		return b.closeJournals((*journal.Journal).Close)
	}
	if len(b.pending.above()) > 0 {
		if err := b.through(overlay.NewLayer()); err != nil {
			_ = b.closeJournals((*journal.Journal).Close)
			if full(err) {
				return nil
			}
			return err
		}
	}
	return b.closeJournals((*journal.Journal).Remove)
}

func (b *Bolt) closeJournals(by func(*journal.Journal) error) error {
	var failed error
	for _, j := range b.journals {
		if j != nil {
			failed = errors.Join(failed, by(j))
		}
	}
	return failed
}

// uncertain is a commit of which nobody knows what the disk holds.
func (b *Bolt) uncertain(cause error) error {
	return spoolerr.As(cause, spoolerr.Unavailable, "store %s: the disk failed in the middle of a commit; check the disk, then restart the host", b.path)
}

// took tells how long a commit took.
func (b *Bolt) took(began time.Time) {
	b.commits.Add(1)
	if b.timed != nil {
		b.timed(time.Since(began))
	}
}
