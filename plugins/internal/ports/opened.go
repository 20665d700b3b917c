package ports

import (
	"maps"
	"slices"
	"sync"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Aborter is an open port: Abort drops its document at once.
type Aborter interface{ Abort() }

// nothing holds a name that is not open.
type nothing struct{}

func (nothing) Abort() {}

// opened is the open ports by folded name.
type opened struct {
	mu    sync.Mutex
	ports map[string]Aborter
	down  bool
}

// Use marks a port open; Release ends it. The host opens a port once.
func (o *opened) Use(name string, p Aborter) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.down {
		return Down()
	}
	if _, taken := o.ports[spool.Fold(name)]; taken {
		return spoolerr.New(spoolerr.Busy, 0,
			"port %s is open; detach it from its printers and wait for the document in it", spool.Quote(name))
	}
	o.ports[spool.Fold(name)] = p
	return nil
}

// Release marks a port not open.
func (o *opened) Release(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.ports, spool.Fold(name))
}

// Alive refuses once Shutdown has begun.
func (o *opened) Alive() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.down {
		return Down()
	}
	return nil
}

// Shutdown aborts every open port. Afterwards nothing can be opened.
func (o *opened) Shutdown() {
	o.mu.Lock()
	o.down = true
	open := slices.Collect(maps.Values(o.ports))
	o.mu.Unlock()
	// Not under the lock: an aborted port may be on its way to Release.
	for _, p := range open {
		p.Abort()
	}
}

// Down is the refusal of an instance that was shut down.
func Down() error {
	return spoolerr.New(spoolerr.BadHandle, 0, "the monitor instance was shut down; initialise it again")
}
