package tcpmon

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/spoolhost/spoolhost/plugins/internal/ports"
	"github.com/spoolhost/spoolhost/plugins/internal/printermib"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// watchers ask the printers of open ports for their state, by SNMP, and report it. No
// document waits for them.
type watchers struct {
	log      *slog.Logger
	settings func(ctx context.Context, name string) (settings, error)
	// pace gives the time to the next question; tests replace it.
	pace func(s snmpSettings, failures int, trouble bool) time.Duration
	// slots bounds the questions under way.
	slots chan struct{}

	mu   sync.Mutex
	open map[string]*watcher
	down bool
	all  sync.WaitGroup
}

// mostQuestions is how many printers are asked at once.
const mostQuestions = 64

func newWatchers(log *slog.Logger, settings func(context.Context, string) (settings, error)) *watchers {
	return &watchers{log: log, settings: settings, pace: pace, slots: make(chan struct{}, mostQuestions), open: map[string]*watcher{}}
}

// The times between questions: sooner while the printer has trouble, so that it is
// printed to soon after the trouble is gone; ever later while it does not answer.
const (
	troubleInterval = 10 * time.Second
	mostBackoff     = 10 * time.Minute
)

func pace(s snmpSettings, failures int, trouble bool) time.Duration {
	d := s.interval
	switch {
	case failures > 0:
		d = max(d, min(d<<min(failures, 10), mostBackoff))
	case trouble:
		d = min(d, troubleInterval)
	}
	return d + rand.N(d/10+1) // many ports opened at once are not asked at once for ever
}

// watcher is that of one open port. Without SNMP it is this entry and no more.
type watcher struct {
	name      string
	condition *ports.Condition
	ctx       context.Context // of its goroutine
	cancel    context.CancelFunc
	// changed says that the settings are new.
	changed chan struct{}
	running bool
}

// watch begins to watch a port that has just been opened with settings s.
func (w *watchers) watch(name string, condition *ports.Condition, s settings) *watcher {
	p := &watcher{name: name, condition: condition, changed: make(chan struct{}, 1)}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down {
		p.cancel()
		return p
	}
	w.open[spool.Fold(name)] = p
	if s.snmp.enabled {
		w.start(p, s)
	}
	return p
}

// start runs a watcher's goroutine; w.mu is held.
func (w *watchers) start(p *watcher, s settings) {
	p.running = true
	w.all.Go(func() { w.run(p, s) })
}

// unwatch ends it. It does not wait: Close must not wait for a printer.
func (w *watchers) unwatch(p *watcher) {
	p.cancel()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open[spool.Fold(p.name)] == p {
		delete(w.open, spool.Fold(p.name))
	}
}

// configured tells of new settings.
func (w *watchers) configured(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.open[spool.Fold(name)]
	if p == nil {
		return
	}
	select {
	case p.changed <- struct{}{}:
	default:
	}
	if !p.running {
		w.start(p, settings{}) // which are read at once, for they have changed
	}
}

// shutdown ends all and waits: a question under way ends with its context.
func (w *watchers) shutdown() {
	w.mu.Lock()
	w.down = true
	for _, p := range w.open {
		p.cancel()
	}
	clear(w.open)
	w.mu.Unlock()
	w.all.Wait()
}

// run asks until the port is closed or its SNMP is switched off.
func (w *watchers) run(p *watcher, s settings) {
	failures := 0
	for p.ctx.Err() == nil {
		var timer <-chan time.Time
		if s.snmp.enabled {
			status, err := w.ask(p.ctx, s.snmpAgent())
			if p.ctx.Err() != nil {
				return
			}
			if err == nil {
				failures = 0
			} else if failures++; failures == 1 {
				w.log.Warn("a printer's state is not known", "port", p.name, "error", err)
			}
			p.condition.Device(p.ctx, status)
			timer = time.After(w.pace(s.snmp, failures, !status.Clear()))
		} else if w.rest(p) {
			return
		}
		select {
		case <-p.ctx.Done():
		case <-timer:
		case <-p.changed:
			s, failures = w.reread(p, s), 0
		}
	}
}

// rest ends a goroutine that has nothing to ask, unless the settings are new.
func (w *watchers) rest(p *watcher) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	p.running = len(p.changed) > 0
	return !p.running
}

// ask gives the printer's condition. One that cannot be asked has none: a report that
// nobody takes back would stop the port for ever.
func (w *watchers) ask(ctx context.Context, a printermib.Agent) (spool.PortStatus, error) {
	select {
	case w.slots <- struct{}{}:
	case <-ctx.Done():
		return spool.PortStatus{}, ctx.Err()
	}
	defer func() { <-w.slots }()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	state, err := printermib.Query(ctx, a)
	return state.Condition(), err
}

func (w *watchers) reread(p *watcher, old settings) settings {
	ctx, cancel := context.WithTimeout(p.ctx, 10*time.Second)
	defer cancel()
	s, err := w.settings(ctx, p.name)
	if err != nil {
		return old
	}
	if !s.snmp.enabled {
		p.condition.Device(ctx, spool.PortStatus{})
	}
	return s
}

// snmpAgent is where to ask.
func (s settings) snmpAgent() printermib.Agent {
	return printermib.Agent{
		Host: s.Host, Port: s.snmp.port, Community: s.snmp.community, V1: s.snmp.version == snmpV1, Index: s.snmp.index, Timeout: 2 * time.Second,
	}
}
