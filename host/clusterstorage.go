package host

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/metrics"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// storageWatch looks after the directory that all nodes share: one that is read-only, full
// or not there lets this node take no job. It looks now and then, and at once when a
// document could not be written.
type storageWatch struct {
	dir   string
	probe func() error
	now   func() time.Time
	// say makes an event; tell has the other nodes know.
	say  func(severity eventlog.Severity, text string)
	tell func()
	// patience is how long a file system may take to answer.
	patience time.Duration

	asked   chan struct{} // somebody could not write
	pending chan error    // the probe that has not answered; the goroutine's of run

	mu    sync.Mutex
	wrong string
	since time.Time
}

const (
	storageEvery    = 30 * time.Second
	storageAgain    = 5 * time.Second // while it is wrong
	storagePatience = 10 * time.Second
	storageGap      = time.Second // between two looks at least
)

func newStorageWatch(dir string, probe func() error, now func() time.Time) *storageWatch {
	return &storageWatch{dir: dir, probe: probe, now: now, tell: func() {}, patience: storagePatience, asked: make(chan struct{}, 1)}
}

// problem says what is wrong with the directory; empty for nothing.
func (s *storageWatch) problem() string {
	if s == nil {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wrong
}

// failed is told that something could not be written or read there.
func (s *storageWatch) failed(error) {
	if s == nil || s.problem() != "" { // it looks often enough
		return
	}
	select {
	case s.asked <- struct{}{}:
	default:
	}
}

func (s *storageWatch) run(ctx context.Context) {
	if s == nil {
		return
	}
	for {
		s.look(ctx)
		next := storageEvery
		if s.problem() != "" {
			next = storageAgain
		}
		if !wait(ctx, storageGap) || !s.rest(ctx, next-storageGap) {
			return
		}
	}
}

// rest waits for the next time to look; false if ctx ends before.
func (s *storageWatch) rest(ctx context.Context, most time.Duration) bool {
	t := time.NewTimer(most)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
	case <-s.asked:
	}
	return true
}

// look makes an event when the directory has become unusable, for another reason too, and
// when it is usable again.
func (s *storageWatch) look(ctx context.Context) {
	err := s.ask(ctx)
	if ctx.Err() != nil {
		return
	}
	text := ""
	if err != nil {
		text = err.Error()
	}
	s.mu.Lock()
	before, since := s.wrong, s.since
	s.wrong = text
	if before == "" {
		s.since = s.now()
	}
	s.mu.Unlock()
	switch {
	case causeOf(before) == causeOf(text):
		return
	case text != "":
		s.say(eventlog.Error, "this node cannot take jobs for cluster spoolers as it should: "+text)
	default:
		s.say(eventlog.Info, "shared directory "+s.dir+" can be used again, after "+s.now().Sub(since).Round(time.Second).String())
	}
	s.tell()
}

// causeOf is a problem without its details, which change with each look.
func causeOf(text string) string {
	cause, _, _ := strings.Cut(text, ";")
	return cause
}

// ask probes, and waits no longer than its patience: what is asked of a file server that is
// gone may not come back before the server does, and nothing can end it. Until then it is
// not asked again; a host that stops does not wait for it.
func (s *storageWatch) ask(ctx context.Context) error {
	if s.pending == nil {
		answer := make(chan error, 1)
		go func() { answer <- s.probe() }()
		s.pending = answer
	}
	t := time.NewTimer(s.patience)
	defer t.Stop()
	select {
	case err := <-s.pending:
		s.pending = nil
		var known *spoolerr.Error
		if err != nil && !errors.As(err, &known) {
			return spoolerr.As(err, spoolerr.Unavailable, "shared directory %s", s.dir)
		}
		return err
	case <-t.C:
		return spoolerr.New(spoolerr.TimedOut, 0, "shared directory %s does not answer; look at its file server and the network to it", s.dir)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// watchStorage makes the watch; it starts nothing.
func (c *clusterSpoolers) watchStorage() {
	if c.by.Storage == nil {
		return
	}
	c.storage = newStorageWatch(c.by.Shared, c.by.Storage.Probe, c.host.cfg.Now)
	c.storage.tell = func() { c.node.Refresh() }
	c.storage.say = func(severity eventlog.Severity, text string) {
		c.host.events.Add(eventlog.Event{ID: eventlog.SharedUnusable, Severity: severity, Object: eventlog.Host, Name: c.by.Node, Text: text})
	}
}

// figures are what metrics tell of the shared directory.
func (c *clusterSpoolers) figures() []prometheus.Collector {
	if c == nil || c.storage == nil {
		return nil
	}
	return []prometheus.Collector{metrics.SharedDirectory(func() bool { return c.storage.problem() == "" })}
}
