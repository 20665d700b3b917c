package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/spoolhost/spoolhost/host/store/internal/group"
	"github.com/spoolhost/spoolhost/host/store/internal/journal"
	"github.com/spoolhost/spoolhost/host/store/internal/overlay"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

const (
	// mapSize is the address space mapped at first. bbolt has to wait for all readers
	// before it can map more, so it begins with plenty; it costs no memory.
	mapSize = 128 << 20
	// growth is by how much the file grows at a time; each time costs a sync.
	growth = 4 << 20
	// bucketName is the one bucket.
	bucketName = "spoolhost"
)

var (
	errTruncated  = errors.New("the file is shorter than it says")
	errNoIdentity = errors.New("the file does not say which store it is")
)

// Options are the options of OpenBolt. The zero value is good.
type Options struct {
	// LockTimeout is how long to wait for another process to give the file up; 0 stands
	// for 250 ms.
	LockTimeout time.Duration
	// Committed, if set, is told how long each commit took.
	Committed func(took time.Duration)

	checkpointAt int64 // of tests; 0 stands for the constant
}

// Bolt is a Store in one bbolt file. Concurrent Updates share a commit.
//
// A commit is a record in a journal beside the file, synced once. Now and then a checkpoint
// puts what has come together into the file, where most of it has cancelled out: of a job
// that came and went, one record is left. Close leaves the file whole and no journal.
type Bolt struct {
	path    string
	db      *bbolt.DB
	file    *os.File // bbolt's, to give the lock back when bbolt itself cannot
	table   *crc32.Table
	changes Notifier
	timed   func(took time.Duration) // Options.Committed, or nil

	updates group.Group[func(Tx) error]
	pending pending
	full    atomic.Bool // the disk had no room for a checkpoint
	commits atomic.Int64

	// Of the leader of a batch; before the first, and after the last, of OpenBolt and Close.
	journals     [2]*journal.Journal // that in use, and the other
	checkpointAt int64
	running      <-chan struct{} // closed when the checkpoint under way ends; nil: none is
	record       []byte

	mu     sync.Mutex
	broken error // set once no write may follow
	stuck  bool  // bbolt's writer lock could not be given back
	closed bool
	active sync.WaitGroup
}

var _ Store = (*Bolt)(nil)

// OpenBolt opens the store at path, creating it if the file does not exist. An existing
// file that is empty, truncated or otherwise damaged is spoolerr.Corrupt, one that
// another process has open spoolerr.Busy.
func OpenBolt(path string, opts Options) (*Bolt, error) {
	if opts.LockTimeout <= 0 {
		opts.LockTimeout = 250 * time.Millisecond
	}
	b := &Bolt{timed: opts.Committed, path: path, table: crc32.MakeTable(crc32.Castagnoli), checkpointAt: cmp.Or(opts.checkpointAt, checkpointAt)}
	b.pending.active = overlay.NewLayer()
	b.updates.Name, b.updates.Commit = path, b.commit
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = b.create(opts)
	case err == nil && info.Size() < 2*int64(os.Getpagesize()):
		err = errTruncated // an empty one bbolt would take for new, and forget the jobs in it
	case err == nil:
		err = b.open(path, opts)
	}
	if err == nil {
		err = guard(b.recover)
	}
	if err != nil {
		b.settle()
		_ = b.closeJournals((*journal.Journal).Close)
		b.abandon()
		return nil, failure(path, err)
	}
	return b, nil
}

// create makes the file under another name first, so that a crash half-way leaves no
// file that looks damaged. The lock on that name keeps a second creator out; whoever
// gets it late finds the finished file.
func (b *Bolt) create(opts Options) error {
	fresh := b.path + ".new"
	err := b.open(fresh, opts)
	if damage(err) || errors.As(err, new(*panicError)) {
		b.abandon() // the remains of a crash
		if err = os.Remove(fresh); err == nil {
			err = b.open(fresh, opts)
		}
	}
	if err != nil {
		return err
	}
	if _, err := os.Stat(b.path); err == nil {
		b.abandon()
		_ = os.Remove(fresh)
		return b.open(b.path, opts)
	}
	if err := os.Rename(fresh, b.path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(b.path))
}

func (b *Bolt) open(path string, opts Options) error {
	return guard(func() (err error) {
		b.db, err = bbolt.Open(path, 0o600, &bbolt.Options{
			Timeout:         opts.LockTimeout,
			FreelistType:    bbolt.FreelistMapType,
			InitialMmapSize: mapSize,
			OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
				file, err := os.OpenFile(name, flag, mode)
				b.file = file
				return file, err
			},
		})
		if err != nil {
			return err
		}
		b.db.AllocSize = growth
		if err := b.checkSize(); err != nil {
			return err
		}
		return b.ensureBucket()
	})
}

func (b *Bolt) checkSize() error {
	info, err := b.file.Stat()
	if err != nil {
		return err
	}
	return b.db.View(func(tx *bbolt.Tx) error {
		if tx.Size() > info.Size() {
			return fmt.Errorf("%w: %d of %d bytes", errTruncated, info.Size(), tx.Size())
		}
		return nil
	})
}

func (b *Bolt) ensureBucket() error {
	err := b.db.View(func(tx *bbolt.Tx) error {
		if tx.Bucket([]byte(bucketName)) == nil || tx.Bucket([]byte(marksName)) == nil {
			return berrors.ErrBucketNotFound
		}
		return nil
	})
	if !errors.Is(err, berrors.ErrBucketNotFound) {
		return err
	}
	return b.db.Update(func(tx *bbolt.Tx) error {
		if _, err := tx.CreateBucketIfNotExists([]byte(bucketName)); err != nil {
			return err
		}
		marks, err := tx.CreateBucketIfNotExists([]byte(marksName))
		if err != nil {
			return err
		}
		return marks.Put([]byte(markID), newID())
	})
}

// abandon gives the file back, also where bbolt has left its locks held.
func (b *Bolt) abandon() {
	if b.db != nil && !b.stuck {
		_ = guard(b.db.Close)
	}
	if b.file != nil {
		unlock(b.file)
		_ = b.file.Close()
	}
	b.file, b.db = nil, nil
}

// View implements Store.
func (b *Bolt) View(ctx context.Context, fn func(Tx) error) error {
	if err := b.enter(ctx); err != nil {
		return err
	}
	defer b.active.Done()
	var own error
	err := guard(func() error {
		below, above, err := b.pending.snapshot(b.db)
		if err != nil {
			return err
		}
		defer func() { _ = below.Rollback() }()
		_, own = b.call(below, above, false, fn)
		return nil
	})
	if err != nil {
		return failure(b.path, err)
	}
	return own
}

// call runs fn on below and what lies above it, and gives what it wrote. A panic of fn's own is its error.
func (b *Bolt) call(below *bbolt.Tx, above []writes, writable bool, fn func(Tx) error) (own overlay.Overlay, err error) {
	bucket := below.Bucket([]byte(bucketName))
	if bucket == nil {
		return overlay.Overlay{}, damaged(b.path, berrors.ErrBucketNotFound)
	}
	tx := &boltTx{path: b.path, table: b.table, bucket: bucket, above: above, writable: writable}
	defer func() { tx.bucket = nil }()
	defer func() {
		if r := recover(); r != nil {
			err = spoolerr.As(panicked(r), spoolerr.Internal, "a function given to store %s panicked", b.path)
		}
	}()
	if err := fn(tx); err != nil {
		return overlay.Overlay{}, err
	}
	return tx.writes, nil
}

// enter counts a transaction, so that Close can wait for it.
func (b *Bolt) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return spoolerr.Wrap(err, "store %s was not asked", b.path)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return closed(b.path)
	}
	b.active.Add(1)
	return nil
}

// Watch implements Store.
func (b *Bolt) Watch(prefix string) *Watcher { return b.changes.Watch(prefix) }

// Close implements Store.
func (b *Bolt) Close() error {
	b.mu.Lock()
	again := b.closed
	b.closed = true
	b.mu.Unlock()
	b.active.Wait()
	if again {
		return nil
	}
	b.changes.Close()
	ended := guard(b.end)
	if b.stuck {
		b.abandon()
		return failure(b.path, ended)
	}
	return failure(b.path, errors.Join(ended, guard(b.db.Close)))
}

func syncDir(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
