package monitor

import (
	"context"
	"os"
	"slices"
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
	turn   chan struct{} // holds one token while a call is in it
	doc    heldDocument  // of a port
	// life ends when the instance is shut down: then the calls in it are cancelled.
	life context.Context
	end  context.CancelFunc
}

func (h *handles) add(parent uint64, value any) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.entries == nil {
		h.entries = make(map[uint64]entry)
	}
	h.last++
	life, end := context.WithCancel(context.Background())
	h.entries[h.last] = entry{parent: parent, value: value, turn: make(chan struct{}, 1), life: life, end: end}
	return h.last
}

// remove forgets a handle and everything below it.
func (h *handles) remove(handle uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	isMonitor := h.entries[handle].parent == 0
	h.drop(handle)
	if !isMonitor {
		return
	}
	for other, e := range h.entries {
		if e.parent == handle {
			h.drop(other)
		}
	}
}

// below gives the handles below a monitor's.
func (h *handles) below(parent uint64) (list []uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for handle, e := range h.entries {
		if e.parent == parent {
			list = append(list, handle)
		}
	}
	slices.Sort(list)
	return list
}

// drop is with h.mu held.
func (h *handles) drop(handle uint64) {
	e, ok := h.entries[handle]
	if !ok {
		return
	}
	e.end()
	if e.doc.file != nil {
		_ = e.doc.file.Close()
	}
	delete(h.entries, handle)
}

// end cancels the calls that are in a handle.
func (h *handles) end(handle uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e, ok := h.entries[handle]; ok {
		e.end()
	}
}

// holdDocument keeps the file of the document that a port prints, in place of an earlier
// one, which is closed. A nil file is none.
func (h *handles) holdDocument(port uint64, file *os.File, offset int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e, ok := h.entries[port]
	if e.doc.file != nil {
		_ = e.doc.file.Close()
	}
	switch {
	case ok:
		e.doc = heldDocument{file: file, offset: offset}
		h.entries[port] = e
	case file != nil:
		_ = file.Close()
	}
}

func (h *handles) document(port uint64) heldDocument {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.entries[port].doc
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

// take is lookup for calls that an author sees one at a time. A call that the host has
// given up may still be running in the author's code; the next one waits for it, so that
// its answer proves that the module obeys cancellation. The call's context is cancelled too
// when the instance is shut down. leave must be called.
func take[T any](ctx context.Context, h *handles, handle uint64) (call context.Context, v T, leave func(), err error) {
	e := h.entry(handle)
	if v, err = lookup[T](h, handle); err != nil {
		return nil, v, nil, err
	}
	select {
	case e.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, v, nil, spoolgrpc.ToStatus(spoolerr.As(ctx.Err(), spoolerr.Busy, "handle %d is still in an earlier call", handle))
	}
	if _, err := lookup[T](h, handle); err != nil { // the earlier call closed it
		<-e.turn
		return nil, v, nil, err
	}
	call, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(e.life, cancel)
	return call, v, func() {
		stop()
		cancel()
		<-e.turn
	}, nil
}

// entry gives what is known of a handle; of one that is not open nothing, and its turn
// never comes.
func (h *handles) entry(handle uint64) entry {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.entries[handle]
}

func isOptional[T any]() bool {
	switch any((*T)(nil)).(type) {
	case *Monitor, *Port, *Xcv:
		return false
	}
	return true
}
