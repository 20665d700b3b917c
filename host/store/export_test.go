package store

// Queued counts the requests that wait for the batch under way.
func (b *Bolt) Queued() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tail == nil || b.tail.sealed {
		return 0
	}
	return len(b.tail.requests)
}

// Commits counts the transactions that were committed.
func (b *Bolt) Commits() int64 {
	below, err := b.db.Begin(false)
	if err != nil {
		return -1
	}
	defer func() { _ = below.Rollback() }()
	return int64(below.ID())
}
