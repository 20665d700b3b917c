package monitortest_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

type reader struct{ *wrappedPort }

// Read makes the kit believe in a function that only answers that it is not there.
func (reader) Read(context.Context, []byte) (int, error) {
	return 0, spoolerr.New(spoolerr.Unsupported, 0, "the printer does not talk back")
}

// needsTheLength announces what it cannot do.
type needsTheLength struct{ *wrappedPort }

func (needsTheLength) TakesUnsized() bool { return true }

func (p needsTheLength) StartDoc(ctx context.Context, doc spool.Doc) error {
	if doc.Size == spool.SizeUnknown {
		return spoolerr.New(spoolerr.Invalid, 0, "the printer's protocol begins with the length")
	}
	return p.wrappedPort.StartDoc(ctx, doc)
}

func deletesNothing(ctx context.Context, _ *wrapped, x monitor.Xcv, name string, in []byte) ([]byte, error) {
	port, err := portconfig.DecodeName(in)
	if name == portconfig.DeletePort && err == nil && port != "" {
		_, denied := x.Data(ctx, portconfig.GetConfigInfo, in)
		return nil, denied
	}
	return x.Data(ctx, name, in)
}

func addsAgain(ctx context.Context, w *wrapped, x monitor.Xcv, name string, in []byte) ([]byte, error) {
	out, err := x.Data(ctx, name, in)
	if errors.Is(err, spoolerr.Exists) {
		return x.Data(ctx, portconfig.ConfigPort, in)
	}
	return out, err
}

func knowsEverything(ctx context.Context, _ *wrapped, x monitor.Xcv, name string, in []byte) ([]byte, error) {
	if name == "KitNoSuchName" {
		return []byte("fine"), nil
	}
	return x.Data(ctx, name, in)
}

func acceptsRubbish(ctx context.Context, _ *wrapped, x monitor.Xcv, name string, in []byte) ([]byte, error) {
	if name == portconfig.AddPort && len(in) == 0 {
		return nil, nil
	}
	return x.Data(ctx, name, in)
}

func listsTwice(w *wrapped) {
	w.enum = func(ctx context.Context) ([]spool.PortInfo, error) {
		ports, err := w.Monitor.EnumPorts(ctx)
		if len(ports) > 2 {
			ports = append(ports, ports[0])
		}
		return ports, err
	}
}

func unknownIsNotFound(w *wrapped) {
	w.open = func(ctx context.Context, name string) (monitor.Port, error) {
		p, err := w.Monitor.OpenPort(ctx, name)
		if errors.Is(err, spoolerr.NotFound) {
			return nil, spoolerr.New(spoolerr.NotFound, spoolerr.CodeFileNotFound, "no such file")
		}
		return p, err
	}
}

// secondOpenClosesFirst gives handles that share one port, which the first Close ends.
func secondOpenClosesFirst(w *wrapped) {
	var mu sync.Mutex
	live := map[string]*wrappedPort{}
	w.open = func(ctx context.Context, name string) (monitor.Port, error) {
		mu.Lock()
		defer mu.Unlock()
		if first, ok := live[name]; ok {
			second := &wrappedPort{Port: first, w: w}
			second.close = func(context.Context) error {
				first.start = func(context.Context, spool.Doc) error { return errors.New("closed") }
				return nil
			}
			return second, nil
		}
		p, err := w.Monitor.OpenPort(ctx, name)
		if err != nil {
			return nil, err
		}
		live[name] = &wrappedPort{Port: p, w: w}
		live[name].close = func(ctx context.Context) error {
			mu.Lock()
			defer mu.Unlock()
			delete(live, name)
			return p.Close(ctx)
		}
		return live[name], nil
	}
}

// opensOnce opens each port twice at the most.
func opensOnce(w *wrapped) {
	var mu sync.Mutex
	opened := map[string]int{}
	w.open = func(ctx context.Context, name string) (monitor.Port, error) {
		mu.Lock()
		defer mu.Unlock()
		if opened[name]++; opened[name] > 2 {
			return nil, spoolerr.New(spoolerr.Busy, 0, "port %s is still open", name)
		}
		return w.Monitor.OpenPort(ctx, name)
	}
}

func losesAByte(p *wrappedPort) {
	var size int64
	p.start = func(ctx context.Context, doc spool.Doc) error {
		size = doc.Size
		return p.Port.StartDoc(ctx, doc)
	}
	p.write = func(ctx context.Context, b []byte) (int, error) {
		if size != 64<<10+1 || len(b) < 2 {
			return p.Port.Write(ctx, b)
		}
		n, err := p.Port.Write(ctx, b[1:])
		return n + 1, err
	}
}

func failsOnNothing(p *wrappedPort) {
	p.write = func(ctx context.Context, b []byte) (int, error) {
		if len(b) == 0 {
			return 0, spoolerr.New(spoolerr.Invalid, 0, "there is nothing to write")
		}
		return p.Port.Write(ctx, b)
	}
}

func reportsTwice(p *wrappedPort) {
	p.end = func(ctx context.Context, status spool.JobStatus) error {
		err := p.Port.EndDoc(ctx, status)
		if err == nil && !status.Aborted() {
			_ = sent(ctx, p)
		}
		return err
	}
}

// reportsBothWays says by SetJob what its answer says too.
type reportsBothWays struct{ *wrappedPort }

func (p reportsBothWays) EndDocSent(ctx context.Context, status spool.JobStatus) (sent bool, err error) {
	err = p.EndDoc(ctx, status) // which reports
	return err == nil, err
}

func takesWithoutDocument(p *wrappedPort) {
	p.write = func(ctx context.Context, b []byte) (int, error) {
		n, err := p.Port.Write(ctx, b)
		if spoolerr.CodeOf(err) == spoolerr.CodeNoStartDoc {
			return len(b), nil
		}
		return n, err
	}
}

func endsWithoutDocument(p *wrappedPort) {
	p.end = func(ctx context.Context, status spool.JobStatus) error {
		if err := p.Port.EndDoc(ctx, status); err != nil {
			return sent(ctx, p)
		}
		return nil
	}
}

func startDropsDocument(p *wrappedPort) {
	p.start = func(ctx context.Context, doc spool.Doc) error {
		err := p.Port.StartDoc(ctx, doc)
		if errors.Is(err, spoolerr.Busy) {
			_ = p.Port.EndDoc(ctx, spool.JobStatusDeleting)
		}
		return err
	}
}

func closeLocksPort(p *wrappedPort) {
	inside := false
	p.start = func(ctx context.Context, doc spool.Doc) error { inside = true; return p.Port.StartDoc(ctx, doc) }
	p.end = func(ctx context.Context, s spool.JobStatus) error { inside = false; return p.Port.EndDoc(ctx, s) }
	p.close = func(ctx context.Context) error {
		if inside {
			p.w.open = func(context.Context, string) (monitor.Port, error) {
				return nil, spoolerr.New(spoolerr.Busy, 0, "the port is in use")
			}
		}
		return p.Port.Close(ctx)
	}
}

func reportsAborted(p *wrappedPort) {
	p.end = func(ctx context.Context, status spool.JobStatus) error {
		if status&spool.JobStatusRestart != 0 {
			_ = sent(ctx, p)
		}
		return p.Port.EndDoc(ctx, status)
	}
}

// keepsAborted prints the last bytes of a dropped document with the next one.
func keepsAborted(p *wrappedPort) {
	var rest, last []byte
	p.write = func(ctx context.Context, b []byte) (int, error) {
		last = slices.Clone(b[:min(10, len(b))])
		for len(rest) > 0 {
			n, err := p.Port.Write(ctx, rest)
			if rest = rest[n:]; err != nil {
				return 0, err
			}
		}
		return p.Port.Write(ctx, b)
	}
	p.end = func(ctx context.Context, s spool.JobStatus) error {
		if s.Aborted() {
			rest = last
		}
		return p.Port.EndDoc(ctx, s)
	}
}

func givesUpOnSlow(p *wrappedPort) {
	p.write = func(ctx context.Context, b []byte) (int, error) {
		n, err := p.Port.Write(ctx, b)
		if errors.Is(err, spoolerr.NotReady) {
			return n, spoolerr.New(spoolerr.TimedOut, 0, "the printer is too slow")
		}
		return n, err
	}
}

// insist does not return before everything is written, whatever ctx says; the kit's
// device then closes.
func insist(p *wrappedPort, b []byte) (int, error) {
	done := 0
	for done < len(b) {
		n, err := p.Port.Write(context.Background(), b[done:])
		done += n
		if err != nil && !errors.Is(err, spoolerr.NotReady) {
			return done, err
		}
	}
	return done, nil
}

func ignoresRefusal(p *wrappedPort) {
	refused := false
	p.start = func(ctx context.Context, doc spool.Doc) error {
		err := p.Port.StartDoc(ctx, doc)
		if refused = errors.Is(err, spoolerr.Unavailable); refused {
			return nil
		}
		return err
	}
	p.write = func(ctx context.Context, b []byte) (int, error) {
		if refused {
			return len(b), nil
		}
		return p.Port.Write(ctx, b)
	}
	p.end = func(ctx context.Context, s spool.JobStatus) error {
		if refused {
			return sent(ctx, p)
		}
		return p.Port.EndDoc(ctx, s)
	}
}

// dialsForEver connects without regard to ctx; the kit's device then closes.
func dialsForEver(p *wrappedPort) {
	p.start = func(ctx context.Context, doc spool.Doc) error {
		err := p.Port.StartDoc(ctx, doc)
		if ctx.Err() == nil && !timedOut(err) {
			return err
		}
		end := make(chan struct{})
		leaked.add(func() { close(end) })
		select {
		case <-end:
		case <-time.After(4 * time.Second):
		}
		return err
	}
}

func timedOut(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}
