package loader

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/registry"
	"github.com/spoolhost/spoolhost/host/supervisor"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// slot is what is known of one module: its process, if it has one, and how it failed. It is
// guarded by the loader's mutex.
type slot struct {
	module  catalog.Module
	life    *life
	backoff supervisor.Backoff
	retry   time.Time // it is not started again before
	why     error
}

// life is one process of a module.
type life struct {
	slot *slot
	// ready is closed when loaded or err is known.
	ready  chan struct{}
	loaded *catalog.Loaded
	err    error

	// Guarded by the loader's mutex.
	users   int
	idle    *time.Timer
	retired bool
}

// enter gives a module's process to a user, who leaves it. It starts one if there is none,
// or waits for one that somebody else starts.
func (l *Loader) enter(ctx context.Context, m catalog.Module) (*life, error) {
	used, err := l.join(m)
	if err != nil {
		return nil, err
	}
	select {
	case <-used.ready:
		err = used.err
	case <-ctx.Done():
		err = spoolerr.As(ctx.Err(), spoolerr.KindOf(ctx.Err()), "it did not start in time")
	}
	if err != nil {
		l.leave(used)
		return nil, err
	}
	return used, nil
}

// join counts a user of the process that is there, or of a new one.
func (l *Loader) join(m catalog.Module) (*life, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, spoolerr.New(spoolerr.Unavailable, 0, "the spooler is stopping")
	}
	s := l.slots[spool.Fold(m.Name)]
	if s == nil || s.module.Digest != m.Digest || !s.module.Added.Equal(m.Added) {
		if s != nil {
			l.abandon(s)
		}
		s = &slot{module: m, backoff: l.cfg.Backoff}
		l.slots[spool.Fold(m.Name)] = s
	}
	if s.life != nil && !s.life.works() {
		l.abandon(s)
	}
	if s.life == nil {
		if wait := s.retry.Sub(l.cfg.Now()); wait > 0 {
			return nil, spoolerr.New(spoolerr.Unavailable, 0, "it is not started again within the next %v, because it failed: %v", wait.Round(10*time.Millisecond), s.why)
		}
		began := &life{slot: s, ready: make(chan struct{})}
		s.life = began
		l.work.Go(func() { l.start(began) })
	}
	s.life.users++
	if s.life.idle != nil {
		s.life.idle.Stop()
	}
	return s.life, nil
}

// abandon leaves a process to those who use it; l.mu is held. One that has failed is
// watch's business.
func (l *Loader) abandon(s *slot) {
	p := s.life
	s.life = nil
	if p != nil {
		l.rest(p)
	}
}

func (p *life) isReady() bool {
	select {
	case <-p.ready:
		return true
	default:
		return false
	}
}

// works says that a process can be called, or is being started.
func (p *life) works() bool {
	if !p.isReady() {
		return true
	}
	if p.err != nil {
		return false
	}
	select {
	case <-p.loaded.Process.Done():
		return false
	default:
	}
	_, ending := p.loaded.Process.EndedByHost()
	return !ending
}

// start launches a process on behalf of all who wait for it: none of them can take it back.
func (l *Loader) start(p *life) {
	m := p.slot.module
	// Launch and initialisation have bounds of their own; this is for the disk.
	ctx, cancel := context.WithTimeout(context.Background(), 3*l.cfg.Call)
	defer cancel()
	root := l.cfg.Hive.Root(`Modules\`+m.Name, registry.Limit{Owner: m.Name, What: "module", Bytes: l.cfg.RegistryLimit})
	p.loaded, p.err = l.cfg.Modules.Load(ctx, m, l.cfg.Spooler, root, func(line supervisor.Line) {
		if l.cfg.Log != nil {
			l.cfg.Log(m.Name, line)
		}
	})
	if p.err != nil {
		l.failed(p, 0, p.err)
		close(p.ready)
		return
	}
	l.note(eventlog.ModuleStarted, eventlog.Info, m.Name, "module "+spool.Quote(m.Name)+" was started")
	l.work.Go(func() { l.watch(p) })
	l.mu.Lock()
	defer l.mu.Unlock()
	close(p.ready)
	l.rest(p)
}

// watch waits for the end of a process.
func (l *Loader) watch(p *life) {
	<-p.loaded.Process.Released()
	l.mu.Lock()
	retired := p.retired
	if p.idle != nil {
		p.idle.Stop()
	}
	l.mu.Unlock()
	if !retired {
		l.failed(p, l.cfg.Now().Sub(p.loaded.Process.Started), p.loaded.Process.Err())
	}
}

// failed counts a failure: the next start waits for longer.
func (l *Loader) failed(p *life, ran time.Duration, err error) {
	s := p.slot
	l.mu.Lock()
	delay := s.backoff.Failed(ran, rand.Float64()) //nolint:gosec // jitter
	s.retry, s.why = l.cfg.Now().Add(delay), err
	if s.life == p {
		s.life = nil
	}
	l.mu.Unlock()
	l.note(eventlog.ModuleFailed, eventlog.Warning, s.module.Name, "module "+spool.Quote(s.module.Name)+" failed: "+err.Error())
}

// leave ends a use.
func (l *Loader) leave(p *life) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p.users--
	l.rest(p)
}

// rest begins the time of idleness of a process without users, or ends it if nobody can
// come any more; l.mu is held.
func (l *Loader) rest(p *life) {
	switch {
	case p.users > 0 || !p.isReady() || !p.works():
	case l.closed || p.slot.life != p:
		l.retire(p, "it was replaced")
	default:
		p.idle = time.AfterFunc(l.cfg.Idle, func() { l.expire(p) })
	}
}

// expire ends a process that nobody has used for a while.
func (l *Loader) expire(p *life) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.users > 0 || p.retired || l.closed {
		return
	}
	if p.slot.life == p {
		p.slot.life = nil
	}
	l.retire(p, "nobody has used it for a while")
}

// retire ends a process that nobody uses; l.mu is held.
func (l *Loader) retire(p *life, reason string) {
	if p.retired || p.loaded == nil {
		return
	}
	p.retired = true
	if p.idle != nil {
		p.idle.Stop()
	}
	l.work.Go(func() { p.loaded.Close(context.Background(), reason) })
}
