package ports

import (
	"sync"
	"time"

	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

const (
	// recentFor is how long settings that were read count as the present ones.
	recentFor = time.Second
	// listedFor is how long those do that came with a list of all ports, until one is opened:
	// a host opens all that have printers after it has listed them.
	listedFor = 10 * time.Second
)

// recent is the settings that were read lately, by folded name.
type recent struct {
	mu      sync.Mutex
	began   time.Time // when the first of them was read
	changes uint64
	configs map[string]portconfig.Config
	// listed are the values of ports that nobody has opened since they were listed.
	listed map[string][]registry.Value
	forget *time.Timer
}

// list keeps the values of all ports, unless something has been changed since.
func (r *recent) list(values map[string][]registry.Value, since uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changes != since {
		return
	}
	r.unlist()
	r.listed = values
	var t *time.Timer
	t = time.AfterFunc(listedFor, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.forget == t {
			r.unlist()
		}
	})
	r.forget = t
}

// unlist is called with r.mu held.
func (r *recent) unlist() {
	if r.forget != nil {
		r.forget.Stop()
	}
	r.listed, r.forget = nil, nil
}

// take gives the values of a port as it was listed, once.
func (r *recent) take(name string) (Stored, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := spool.Fold(name)
	values, ok := r.listed[key]
	delete(r.listed, key)
	if !ok {
		return Stored{}, false
	}
	return newStored(values), true
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
	r.unlist()
}
