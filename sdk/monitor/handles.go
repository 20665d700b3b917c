package monitor

import (
	"sync"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

// handles numbers the values that the host knows by handle: monitors, and below them
// ports and Xcv channels. Numbers are never used twice in a process.
type handles struct {
	mu      sync.Mutex
	last    uint64
	entries map[uint64]entry
}

type entry struct {
	parent uint64 // the monitor handle, or 0 for a monitor
	value  any
}

func (h *handles) add(parent uint64, value any) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.entries == nil {
		h.entries = make(map[uint64]entry)
	}
	h.last++
	h.entries[h.last] = entry{parent: parent, value: value}
	return h.last
}

// remove forgets a handle and everything below it.
func (h *handles) remove(handle uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	isMonitor := h.entries[handle].parent == 0
	delete(h.entries, handle)
	if !isMonitor {
		return
	}
	for other, e := range h.entries {
		if e.parent == handle {
			delete(h.entries, other)
		}
	}
}

// lookup finds a handle's value. A value of another type means a handle of another sort
// or, for an optional interface, a capability that was not announced.
func lookup[T any](h *handles, handle uint64) (T, error) {
	h.mu.Lock()
	e, ok := h.entries[handle]
	h.mu.Unlock()
	v, typed := e.value.(T)
	switch {
	case !ok:
		return v, spoolgrpc.ToStatus(spoolerr.New(spoolerr.BadHandle, 0, "handle %d is not open", handle))
	case !typed && isOptional[T]():
		return v, spoolgrpc.ToStatus(spoolerr.New(spoolerr.Unsupported, 0, "this monitor does not have this function"))
	case !typed:
		return v, spoolgrpc.ToStatus(spoolerr.New(spoolerr.BadHandle, 0, "handle %d is of another sort", handle))
	}
	return v, nil
}

func isOptional[T any]() bool {
	switch any((*T)(nil)).(type) {
	case *Monitor, *Port, *Xcv:
		return false
	}
	return true
}
