package job

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"strconv"
	"strings"
	"time"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// The keys of one spooler's queue, below "job/SPOOLER/":
//
//	next          the id to give out next
//	finished      the number of records below done/
//	active/ID     jobs that are not finished, read at start
//	done/ID       finished jobs, never read at start
//	ended/TIME/ID finished jobs in order of their end, for expiry
//	away/ID       jobs with documents on other hosts that have not ended with them
//	document/DOC  the job that a document on disk belongs to
//	submission/KEY  the job that a submission with this key made
//	submitted/TIME/KEY  those in order of their time, for expiry
//
// ID and TIME are 16 hexadecimal digits, so that order of bytes is order of numbers.
type keys struct {
	prefix string
	seed   maphash.Seed // of the hashes of records
}

func newKeys(spooler string) keys {
	return keys{prefix: "job/" + spool.Fold(spooler) + "/", seed: maphash.MakeSeed()}
}

func (k keys) next() string              { return k.prefix + "next" }
func (k keys) finished() string          { return k.prefix + "finished" }
func (k keys) actives() string           { return k.prefix + "active/" }
func (k keys) active(id uint64) string   { return k.actives() + hex(id) }
func (k keys) dones() string             { return k.prefix + "done/" }
func (k keys) done(id uint64) string     { return k.dones() + hex(id) }
func (k keys) endeds() string            { return k.prefix + "ended/" }
func (k keys) aways() string             { return k.prefix + "away/" }
func (k keys) away(id uint64) string     { return k.aways() + hex(id) }
func (k keys) document(id string) string { return k.prefix + "document/" + id }

func (k keys) submission(key string) string {
	return k.prefix + "submission/" + key
}
func (k keys) submitteds() string { return k.prefix + "submitted/" }

func (k keys) ended(t time.Time, id uint64) string {
	return k.endeds() + hex(uint64(t.UnixNano())) + "/" + hex(id)
}

func hex(n uint64) string { return fmt.Sprintf("%016x", n) }

// parseEnded reads an "ended" key.
func (k keys) parseEnded(key string) (at time.Time, id uint64, ok bool) {
	timePart, idPart, found := strings.Cut(strings.TrimPrefix(key, k.endeds()), "/")
	nanos, err1 := strconv.ParseUint(timePart, 16, 63)
	id, err2 := strconv.ParseUint(idPart, 16, 64)
	return time.Unix(0, int64(nanos)), id, found && err1 == nil && err2 == nil
}

// parseActive reads an "active" key.
func (k keys) parseActive(key string) (id uint64, ok bool) {
	text, found := strings.CutPrefix(key, k.actives())
	id, err := strconv.ParseUint(text, 16, 64)
	return id, found && err == nil
}

// decode reads the record of a key that ends in the job's id. What no event could have
// made is damage: believed, it would stop the whole queue from starting.
func (k keys) decode(key string, data []byte) (*Job, error) {
	var j Job
	if err := json.Unmarshal(data, &j); err != nil || !j.sound() || !strings.HasSuffix(key, "/"+hex(j.ID)) {
		return nil, spoolerr.New(spoolerr.Corrupt, 0, "job record %s is damaged; restore the store from a backup to get the job back", key)
	}
	j.record = maphash.Bytes(k.seed, data)
	return &j, nil
}

// sound says whether a record can be a job's.
func (j *Job) sound() bool {
	switch j.State {
	case Incoming, Queued, Held, Printing, Printed, Cancelled, Failed:
	default:
		return false
	}
	return j.ID != 0 && (j.State == Printing) == (j.Current() != nil) && j.At >= 0 && (j.At == 0 || j.At < len(j.Documents))
}

// load reads a job, active or finished. Where the store has what known, if any, says, known is
// it: three times in the life of a job its record need not be taken apart.
func (k keys) load(tx store.Tx, id uint64, known *Job) (*Job, error) {
	for _, key := range []string{k.active(id), k.done(id)} {
		data, err := tx.Get(key)
		if errors.Is(err, spoolerr.NotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if known != nil && known.record == maphash.Bytes(k.seed, data) {
			return known, nil
		}
		return k.decode(key, data)
	}
	return nil, notFound(id)
}

func notFound(id uint64) error {
	return spoolerr.New(spoolerr.NotFound, spoolerr.CodeInvalidParameter,
		"job %d does not exist, or its record has expired; see spoolhost job list --all", id)
}

// save writes next in place of old, which is nil for a new job.
func (k keys) save(tx store.Tx, old, next *Job) error {
	data, err := json.Marshal(next)
	if err != nil {
		return spoolerr.As(err, spoolerr.Internal, "job %d", next.ID)
	}
	next.record = maphash.Bytes(k.seed, data)
	if old != nil && old.State.Final() {
		if err := k.unfinish(tx, old); err != nil {
			return err
		}
	}
	if next.State.Final() {
		if err := errors.Join(tx.Delete(k.active(next.ID)), tx.Put(k.ended(next.Ended, next.ID), []byte{1}), k.count(tx, 1)); err != nil {
			return err
		}
		err = tx.Put(k.done(next.ID), data)
	} else {
		err = tx.Put(k.active(next.ID), data)
	}
	if err != nil {
		return err
	}
	return errors.Join(k.follow(tx, old, next), k.own(tx, old, next))
}

// own keeps the record of which job a document belongs to.
func (k keys) own(tx store.Tx, old, next *Job) error {
	if next.DocumentGone {
		if old != nil && old.DocumentGone {
			return nil
		}
		return k.disown(tx, next)
	}
	known := 0 // documents are only ever added at the end
	if old != nil {
		known = len(old.Parts())
	}
	for _, p := range next.Parts()[known:] {
		if err := tx.Put(k.document(p.ID), []byte(hex(next.ID))); err != nil {
			return err
		}
	}
	return nil
}

func (k keys) disown(tx store.Tx, j *Job) error {
	for _, p := range j.Parts() {
		if err := tx.Delete(k.document(p.ID)); err != nil {
			return err
		}
	}
	return nil
}

// unfinish takes a finished job out of the history.
func (k keys) unfinish(tx store.Tx, j *Job) error {
	return errors.Join(tx.Delete(k.done(j.ID)), tx.Delete(k.ended(j.Ended, j.ID)), k.count(tx, -1))
}

func (k keys) count(tx store.Tx, delta int64) error {
	n, err := getNumber(tx, k.finished())
	if err != nil {
		return err
	}
	return putNumber(tx, k.finished(), uint64(max(0, int64(n)+delta)))
}

// allocate gives the next id, for ever unique because it is committed with its job.
func (k keys) allocate(tx store.Tx) (uint64, error) {
	n, err := getNumber(tx, k.next())
	if err != nil {
		return 0, err
	}
	id := max(n, 1)
	return id, putNumber(tx, k.next(), id+1)
}

func getNumber(tx store.Tx, key string) (uint64, error) {
	data, err := tx.Get(key)
	if errors.Is(err, spoolerr.NotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if len(data) != 8 {
		return 0, spoolerr.New(spoolerr.Corrupt, 0, "store key %s does not hold a number", key)
	}
	return binary.BigEndian.Uint64(data), nil
}

func putNumber(tx store.Tx, key string, n uint64) error {
	return tx.Put(key, binary.BigEndian.AppendUint64(nil, n))
}
