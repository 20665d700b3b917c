package store

import "github.com/spoolhost/spoolhost/host/store/internal/journal"

// Queued counts the requests that wait for the batch under way.
func (b *Bolt) Queued() int { return b.updates.Queued() }

// Commits counts the commits.
func (b *Bolt) Commits() int64 { return b.commits.Load() }

// Checkpointing are options with which a checkpoint begins after so many bytes.
func Checkpointing(at int64) Options { return Options{checkpointAt: at} }

// Crash gives the files back as they are, as the end of the process would.
func (b *Bolt) Crash() {
	b.active.Wait()
	b.settle()
	_ = b.closeJournals((*journal.Journal).Close)
	_ = b.db.Close()
}

// HoldFile keeps checkpoints from the file until release.
func (b *Bolt) HoldFile() (release func()) {
	tx, err := b.db.Begin(true)
	if err != nil {
		return func() {}
	}
	return func() { _ = tx.Rollback() }
}

// Journals counts those that hold what the file does not.
func (b *Bolt) Journals() int { return len(b.pending.above()) }
