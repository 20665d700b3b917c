package monitortest_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// listsOthers lists the node spooler's ports in a cluster spooler.
func listsOthers() variant {
	return func() monitor.Initialize {
		var node atomic.Pointer[wrapped] // while it is there
		return breaks(func(w *wrapped) {
			if w.init.ServerName == "KITNODE" {
				node.Store(w)
				w.shutdown = func(ctx context.Context) error {
					node.Store(nil)
					return w.Monitor.Shutdown(ctx)
				}
				return
			}
			w.enum = func(ctx context.Context) ([]spool.PortInfo, error) {
				mine, err := w.Monitor.EnumPorts(ctx)
				if other := node.Load(); other != nil && len(mine) == 0 {
					return other.Monitor.EnumPorts(ctx)
				}
				return mine, err
			}
		})()
	}
}

// global keeps each port's settings in what would be a package variable.
func global() variant {
	return func() monitor.Initialize {
		var mu sync.Mutex
		first := map[string]*wrapped{}
		return breaks(func(w *wrapped) {
			if w.init.ServerName == "KITNODE" { // the next check has begun
				mu.Lock()
				clear(first)
				mu.Unlock()
			}
			w.open = func(ctx context.Context, name string) (monitor.Port, error) {
				mu.Lock()
				defer mu.Unlock()
				if _, err := w.Monitor.OpenPort(ctx, name); err != nil {
					return nil, err
				}
				if first[name] == nil {
					first[name] = w
				}
				p, err := first[name].Monitor.OpenPort(ctx, name)
				if err != nil { // its instance has been shut down
					return w.Monitor.OpenPort(ctx, name)
				}
				mine := &wrappedPort{Port: p, w: w}
				mine.end = func(ctx context.Context, s spool.JobStatus) error {
					err := p.EndDoc(ctx, s)
					if first[name] != w {
						return sent(ctx, mine)
					}
					return err
				}
				return mine, nil
			}
		})()
	}
}

// endsEverybody ends all open documents in Shutdown.
func endsEverybody() variant {
	return func() monitor.Initialize {
		var mu sync.Mutex
		down := false
		return breaks(func(w *wrapped) {
			mu.Lock()
			down = false
			mu.Unlock()
			w.shutdown = func(ctx context.Context) error {
				mu.Lock()
				defer mu.Unlock()
				down = true
				return w.Monitor.Shutdown(ctx)
			}
			w.port = func(p *wrappedPort) monitor.Port {
				p.write = func(ctx context.Context, b []byte) (int, error) {
					mu.Lock()
					defer mu.Unlock()
					if down {
						return 0, errors.New("the monitor was shut down")
					}
					return p.Port.Write(ctx, b)
				}
				return p
			}
		})()
	}
}

func talksOn(w *wrapped) {
	w.shutdown = func(ctx context.Context) error {
		time.AfterFunc(200*time.Millisecond, func() { _, _ = w.init.Registry.QueryInfoKey(context.Background()) })
		return w.Monitor.Shutdown(ctx)
	}
}

func slowShutdown(w *wrapped) func(context.Context) error {
	return func(ctx context.Context) error {
		if w.init.ServerName == "KITNODE" && ctx.Err() == nil {
			if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < 3*time.Second {
				<-ctx.Done()
			}
		}
		return w.Monitor.Shutdown(ctx)
	}
}

func leaksKeys(w *wrapped) {
	w.enum = func(ctx context.Context) ([]spool.PortInfo, error) {
		_, _ = w.init.Registry.OpenKey(ctx, "")
		return w.Monitor.EnumPorts(ctx)
	}
}

func ignoresStore(ctx context.Context, _ *wrapped, x monitor.Xcv, name string, in []byte) ([]byte, error) {
	out, err := x.Data(ctx, name, in)
	if errors.Is(err, spoolerr.NoSpace) {
		return nil, nil
	}
	return out, err
}

func usesClosedKey(w *wrapped) {
	w.enum = func(ctx context.Context) ([]spool.PortInfo, error) {
		if key, err := w.init.Registry.OpenKey(ctx, ""); err == nil {
			_ = key.CloseKey(ctx)
			_, _ = key.QueryInfoKey(ctx)
		}
		return w.Monitor.EnumPorts(ctx)
	}
}

// remembersInMemory lists only ports that were added in its own life.
func remembersInMemory(w *wrapped) {
	var mu sync.Mutex
	mine := map[string]bool{}
	w.data = func(ctx context.Context, x monitor.Xcv, name string, in []byte) ([]byte, error) {
		out, err := x.Data(ctx, name, in)
		if c, decodeErr := portconfig.Decode(in); name == portconfig.AddPort && err == nil && decodeErr == nil {
			mu.Lock()
			defer mu.Unlock()
			mine[c.Name] = true
		}
		return out, err
	}
	w.enum = func(ctx context.Context) ([]spool.PortInfo, error) {
		ports, err := w.Monitor.EnumPorts(ctx)
		mu.Lock()
		defer mu.Unlock()
		return slices.DeleteFunc(ports, func(p spool.PortInfo) bool { return !mine[p.Name] }), err
	}
}
