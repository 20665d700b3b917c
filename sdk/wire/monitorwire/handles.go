package monitorwire

import (
	"maps"
	"sync"
)

// Handles are the handles of one process that are open. A process may serve several
// spoolers; were the handle that it gives to one taken for another's, a document would
// come out at a stranger's printer. The zero value is ready for use.
type Handles struct {
	mu   sync.Mutex
	open map[uint64]*Monitor // the instance that it was given to
}

// claim notes a handle that the module gave; 0 and a handle that is open already break
// the contract.
func (h *Handles) claim(m *Monitor, call string, handle uint64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if handle == 0 {
		return broken("%s returned handle %d", call, handle)
	}
	if _, open := h.open[handle]; open {
		return broken("%s returned handle %d, which is still open", call, handle)
	}
	if h.open == nil {
		h.open = make(map[uint64]*Monitor)
	}
	h.open[handle] = m
	return nil
}

func (h *Handles) release(handle uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.open, handle)
}

// releaseAll forgets an instance with everything that was open in it.
func (h *Handles) releaseAll(m *Monitor) {
	h.mu.Lock()
	defer h.mu.Unlock()
	maps.DeleteFunc(h.open, func(_ uint64, owner *Monitor) bool { return owner == m })
}

func (h *Handles) count(m *Monitor) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, owner := range h.open {
		if owner == m {
			n++
		}
	}
	return n
}
