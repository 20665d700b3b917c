package store

// Queued counts the requests that wait for the batch under way.
func (b *Bolt) Queued() int { return b.updates.Queued() }

// Commits counts the transactions that were committed.
func (b *Bolt) Commits() int64 {
	below, err := b.db.Begin(false)
	if err != nil {
		return -1
	}
	defer func() { _ = below.Rollback() }()
	return int64(below.ID())
}
