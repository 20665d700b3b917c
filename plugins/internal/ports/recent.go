package ports

import (
	"sync"
	"time"

	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// recentFor is how long settings that were read count as the present ones.
const recentFor = time.Second

// recent is the settings that were read lately, by folded name.
type recent struct {
	mu      sync.Mutex
	began   time.Time // when the first of them was read
	changes uint64
	configs map[string]portconfig.Config
}

func (r *recent) get(name string) (portconfig.Config, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.began) > recentFor {
		return portconfig.Config{}, false
	}
	c, ok := r.configs[spool.Fold(name)]
	return c, ok
}

// now is where the changes stand before a read.
func (r *recent) now() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changes
}

// put keeps what was read, unless something has been changed since.
func (r *recent) put(c portconfig.Config, since uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changes != since {
		return
	}
	if time.Since(r.began) > recentFor {
		r.began, r.configs = time.Now(), make(map[string]portconfig.Config)
	}
	r.configs[spool.Fold(c.Name)] = c
}

// drop forgets all: something was changed.
func (r *recent) drop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changes++
	r.began, r.configs = time.Time{}, nil
}
