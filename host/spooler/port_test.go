package spooler

import (
	"testing"

	"github.com/spoolhost/spoolhost/sdk/spool"
)

// TestListingLeavesAReservedPortItsName: whoever prints at a port reads its name without the
// spooler's mutex, while the monitor lists its ports again. The race detector looks on.
func TestListingLeavesAReservedPortItsName(t *testing.T) {
	s := &Spooler{ports: make(map[string]*port)}
	u := &unit{name: "m"}
	list := func(name string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.list(u, []spool.PortInfo{{Name: name, Description: "as " + name}})
	}
	list("Desk")
	s.mu.Lock()
	p := s.port("Desk")
	if !p.reserve() {
		t.Fatal("it is reserved already")
	}
	s.mu.Unlock()
	printing := make(chan string)
	go func() { printing <- about(p, "is tried") }()
	list("DESK")
	if got := <-printing; got != `port "Desk": is tried` {
		t.Errorf("%q", got)
	}
	s.mu.Lock()
	if p.name != "Desk" || p.info.Description != "as DESK" {
		t.Errorf("while it is reserved: name %q, %+v", p.name, p.info)
	}
	p.free()
	s.mu.Unlock()
	if list("DESK"); p.name != "DESK" {
		t.Errorf("afterwards: %q", p.name)
	}
}
