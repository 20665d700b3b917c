// Package dialogue holds a dialogue between a person and a port monitor's UI module: it
// finds the module that the monitor names, launches it in a process of its own, passes its
// pages on and the answers back, takes it to its server module, and ends it.
//
// The API imports it. It shows nothing, opens no Xcv handle (its caller does, with the
// person's rights) and knows no page. A module that crashes, hangs, floods or lies costs
// the person this dialogue, and what it had added by then is taken back.
package dialogue

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/supervisor"
	"github.com/spoolhost/spoolhost/host/xcv"
	hostservicev1 "github.com/spoolhost/spoolhost/proto/spoolhost/hostservice/v1"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire"
	"github.com/spoolhost/spoolhost/sdk/wire/monitoruiwire"
)

// DefaultIdle is how long a person may look at one page.
const DefaultIdle = 15 * time.Minute

// Session is an open Xcv handle with the person's rights.
type Session interface {
	Data(ctx context.Context, name string, in []byte) ([]byte, error)
}

// Config is what dialogues need.
type Config struct {
	Modules *catalog.Modules
	// Step bounds how long a module works from one answer to its next page, time in its
	// server module not counted. Idle bounds how long a person thinks.
	Step, Idle time.Duration
	// Log receives the output of the module of a monitor. It may be nil.
	Log func(monitor string, l supervisor.Line)
}

// Subject is what a dialogue is about.
type Subject struct {
	Operation monitoruiwire.Operation
	// Port is empty for AddPort.
	Port            string
	Monitor, Server string
	// Session is on the monitor for AddPort, else on the port.
	Session Session
}

// Hold holds one dialogue. It gives the port that was added, or how the dialogue failed:
// spoolerr.Cancelled if the person gave up.
func Hold(ctx context.Context, cfg Config, s Subject, person monitoruiwire.Person) (port string, err error) {
	m, err := find(ctx, cfg, s)
	if err != nil {
		return "", err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	w := newWatch(cfg.Step, func() {
		stop(spoolerr.New(spoolerr.TimedOut, 0, "UI module %s of monitor %s did not go on within %v and was ended",
			spool.Quote(m.Name), spool.Quote(s.Monitor), cfg.Step))
	})
	defer w.end()
	link := &link{token: rand.Text(), subject: s, watch: w}
	p, err := cfg.Modules.Start(ctx, m, func(r grpc.ServiceRegistrar) { hostservicev1.RegisterXcvServer(r, link) }, func(l supervisor.Line) {
		if cfg.Log != nil {
			cfg.Log(s.Monitor, l)
		}
	})
	if err != nil {
		return "", about(m, s, err)
	}
	w.resume()
	port, err = monitoruiwire.Hold(ctx, p.Conn(), monitoruiwire.Begin{
		Token: link.token, Operation: s.Operation, Port: s.Port, MonitorName: s.Monitor, ServerName: s.Server,
	}, &patient{Person: person, watch: w, idle: cfg.Idle})
	if err == nil {
		err = link.confirm(port)
	}
	err = explain(ctx, p, err)
	end(p, err)
	link.close()
	if err != nil {
		return "", link.takeBack(cfg.Step, about(m, s, err))
	}
	return port, nil
}

// find asks the monitor which module its UI is. The answer is a name among the installed
// modules and nothing else.
func find(ctx context.Context, cfg Config, s Subject) (catalog.Module, error) {
	out, err := s.Session.Data(ctx, portconfig.MonitorUI, nil)
	if err != nil {
		if kind := spoolerr.KindOf(err); kind == spoolerr.Invalid || kind == spoolerr.Unsupported {
			return catalog.Module{}, spoolerr.New(spoolerr.Unsupported, 0,
				"monitor %s has no user interface (MonitorUI: %s); give the port's name and its settings instead, with --set", spool.Quote(s.Monitor), err)
		}
		return catalog.Module{}, spoolerr.Wrap(err, "monitor %s does not name its UI", spool.Quote(s.Monitor))
	}
	name, err := portconfig.DecodeText(out)
	if err != nil {
		return catalog.Module{}, spoolerr.Wrap(err, "monitor %s does not name its UI", spool.Quote(s.Monitor))
	}
	m, err := cfg.Modules.Get(name)
	if err != nil {
		return m, spoolerr.Wrap(err, "the UI that monitor %s names", spool.Quote(s.Monitor))
	}
	if m.Kind != wire.KindMonitorUI {
		return m, spoolerr.New(spoolerr.Precondition, 0, "monitor %s names module %s as its UI, which is of kind %s",
			spool.Quote(s.Monitor), spool.Quote(m.Name), spool.Quote(m.Kind))
	}
	return m, nil
}

// about names the module where it is to blame: its own refusals name what they are about,
// and a person who gave up knows it.
func about(m catalog.Module, s Subject, err error) error {
	switch spoolerr.KindOf(err) {
	case spoolerr.Exited, spoolerr.Internal, spoolerr.Unavailable:
		return spoolerr.Wrap(err, "UI module %s of monitor %s", spool.Quote(m.Name), spool.Quote(s.Monitor))
	}
	return err
}

// explain says why a dialogue really ended: gRPC knows only that a stream broke.
func explain(ctx context.Context, p *supervisor.Process, err error) error {
	var own *spoolerr.Error
	switch cause := context.Cause(ctx); {
	case err == nil:
		return nil
	case errors.As(cause, &own):
		return own
	case cause != nil:
		return spoolerr.As(cause, spoolerr.Cancelled, "the person is gone")
	}
	if isOver(p) && spoolerr.KindOf(err) == spoolerr.Cancelled {
		return p.Err() // the connection was closed under the call, which gRPC says in these words
	}
	if spoolerr.KindOf(err) != spoolerr.Exited {
		return err
	}
	// Most often it is gone, and the process tells the story; without its connection it is
	// of no more use.
	gone := time.NewTimer(5 * time.Second)
	defer gone.Stop()
	select {
	case <-p.Done():
	case <-gone.C:
		p.Kill("its connection broke")
		<-p.Done()
	}
	return p.Err()
}

func isOver(p *supervisor.Process) bool {
	select {
	case <-p.Done():
		return true
	default:
		return false
	}
}

// end ends the process: in order if the dialogue went well.
func end(p *supervisor.Process, err error) {
	if err == nil || spoolerr.KindOf(err) == spoolerr.Cancelled {
		p.Stop(context.Background(), "its dialogue is over")
	} else {
		p.Kill("its dialogue failed")
	}
	<-p.Released()
}

// isAdd says that a command adds a port.
func isAdd(name string) bool { return xcv.Is(name, portconfig.AddPort) }

// isDelete says that a command deletes a port.
func isDelete(name string) bool { return xcv.Is(name, portconfig.DeletePort) }
