package monitortest

import (
	"context"
	"os"

	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/wire/monitorwire"
)

// Initialize gives the subject as a monitor: each call starts a process of it, which its
// Shutdown ends. It is how the kit of UI modules (sdk/monitoruitest) gets a server module
// that is an executable.
func (s Subject) Initialize() monitor.Initialize {
	return func(ctx context.Context, init monitor.Init) (_ monitor.Monitor, err error) {
		dir, err := os.MkdirTemp("", "kit")
		if err != nil {
			return nil, err
		}
		host := newHostServices()
		m, err := s.start(ctx, host, dir)
		if err != nil {
			_ = os.RemoveAll(dir)
			return nil, err
		}
		r := &remote{end: func() {
			m.kill()
			_ = os.RemoveAll(dir)
		}}
		const token = "the server module's token"
		r.Monitor, err = monitorwire.Initialize(ctx, m.conn, monitorwire.Init{
			Token: token, Root: host.serve(token, init.ServerName, init.Registry).root,
			MonitorName: init.MonitorName, ServerName: init.ServerName, Local: init.Local,
		})
		if err != nil {
			r.end()
			return nil, err
		}
		return r, nil
	}
}

// remote is an instance in a process of its own.
type remote struct {
	*monitorwire.Monitor
	end func()
}

// Shutdown ends the instance and its process.
func (r *remote) Shutdown(ctx context.Context) error {
	defer r.end()
	return r.Monitor.Shutdown(ctx)
}
