package dialogue

import (
	"context"
	"sync"
	"time"

	"github.com/spoolhost/spoolhost/sdk/monitorui/form"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire/monitoruiwire"
)

// watch measures how long a module works by itself: not while the person thinks, nor while
// the server module works for it. It begins at rest.
type watch struct {
	step   time.Duration
	expire func()

	mu    sync.Mutex
	rests int // reasons not to measure
	timer *time.Timer
}

func newWatch(step time.Duration, expire func()) *watch {
	return &watch{step: step, expire: expire, rests: 1}
}

func (w *watch) pause() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rests++
	w.stop()
}

// resume ends one pause; when none is left the module has a whole step again.
func (w *watch) resume() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.rests--; w.rests == 0 {
		w.timer = time.AfterFunc(w.step, w.expire)
	}
}

// end stops the watch for good.
func (w *watch) end() { w.pause() }

func (w *watch) stop() {
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
}

// patient gives a person the time to think, and no more.
type patient struct {
	monitoruiwire.Person
	watch *watch
	idle  time.Duration
}

// Ask implements monitoruiwire.Person.
func (p *patient) Ask(ctx context.Context, page form.Page) (form.Answers, error) {
	p.watch.pause()
	defer p.watch.resume()
	tooLong := spoolerr.New(spoolerr.TimedOut, 0, "page %q was not answered within %v", page.Title, p.idle)
	ctx, cancel := context.WithTimeoutCause(ctx, p.idle, tooLong)
	defer cancel()
	answers, err := p.Person.Ask(ctx, page)
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return answers, err
}

// Tell implements monitoruiwire.Person. A front end that takes no notices holds up the
// module, which is not the module's fault.
func (p *patient) Tell(ctx context.Context, n monitoruiwire.Notice) error {
	p.watch.pause()
	defer p.watch.resume()
	return p.Person.Tell(ctx, n)
}
