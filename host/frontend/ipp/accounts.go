package ipp

import (
	"os/user"
	"strconv"
	"sync"
	"time"
)

// accounts remembers for a minute which user of this machine a name is: asking the system
// takes longer than taking a document.
type accounts struct {
	now func() time.Time

	mu    sync.Mutex
	began time.Time
	ids   map[string]int64
}

// uid gives the user's number, -1 if there is no such user.
func (a *accounts) uid(name string) int64 {
	const most, fresh = 10_000, time.Minute
	now := a.now()
	a.mu.Lock()
	if a.ids == nil || len(a.ids) >= most || now.Sub(a.began) > fresh {
		a.ids, a.began = make(map[string]int64), now
	}
	id, known := a.ids[name]
	a.mu.Unlock()
	if known {
		return id
	}
	id = -1
	if u, err := user.Lookup(name); err == nil {
		if n, err := strconv.ParseInt(u.Uid, 10, 64); err == nil {
			id = n
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ids[name] = id
	return id
}
