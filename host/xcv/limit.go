package xcv

import (
	"sync"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Limit bounds how many of something are open at once, for each caller and in all.
type Limit struct {
	What             string // in the plural, as messages name it
	PerCaller, InAll int

	mu   sync.Mutex
	open map[string]int
	all  int
}

// Enter counts one more; leave gives it back, and may be called again.
func (l *Limit) Enter(caller string) (leave func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.open[caller] >= l.PerCaller:
		return nil, spoolerr.New(spoolerr.Exhausted, 0, "%s has %d %s open, and more are not allowed; close one first", caller, l.PerCaller, l.What)
	case l.all >= l.InAll:
		return nil, spoolerr.New(spoolerr.Exhausted, 0, "%d %s are open on this host, and more are not allowed; try again later", l.InAll, l.What)
	}
	if l.open == nil {
		l.open = make(map[string]int)
	}
	l.open[caller]++
	l.all++
	return sync.OnceFunc(func() { l.leave(caller) }), nil
}

func (l *Limit) leave(caller string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if l.open[caller]--; l.open[caller] == 0 {
		delete(l.open, caller)
	}
}
