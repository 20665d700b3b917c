package dialogue

import (
	"context"
	"crypto/subtle"
	"slices"
	"sync"
	"time"

	"github.com/spoolhost/spoolhost/host/xcv"
	hostservicev1 "github.com/spoolhost/spoolhost/proto/spoolhost/hostservice/v1"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
	"github.com/spoolhost/spoolhost/sdk/wire/monitoruiwire"
)

// maxCommands bounds the XcvData of one dialogue.
const maxCommands = 1000

// link is the way of a UI module to its server module, and the memory of what was added
// on it.
type link struct {
	hostservicev1.UnimplementedXcvServer
	token   string
	subject Subject
	watch   *watch

	running sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	commands int
	added    []string
}

// XcvData carries out a command of the module.
func (l *link) XcvData(ctx context.Context, r *hostservicev1.XcvDataRequest) (*hostservicev1.XcvDataResponse, error) {
	if subtle.ConstantTimeCompare([]byte(r.GetToken()), []byte(l.token)) != 1 {
		return nil, spoolgrpc.ToStatus(spoolerr.New(spoolerr.BadHandle, 0, "the token is not that of this dialogue"))
	}
	if err := l.enter(); err != nil {
		return nil, spoolgrpc.ToStatus(err)
	}
	defer l.running.Done()
	l.watch.pause()
	defer l.watch.resume()
	out, err := l.subject.Session.Data(ctx, r.GetDataName(), r.GetInput())
	if err != nil {
		return nil, spoolgrpc.ToStatus(err)
	}
	l.note(r.GetDataName(), r.GetInput())
	return &hostservicev1.XcvDataResponse{Output: out}, nil
}

// enter counts a command, whose end takeBack waits for.
func (l *link) enter() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return spoolerr.New(spoolerr.BadHandle, 0, "the dialogue is over")
	}
	if l.commands++; l.commands > maxCommands {
		return spoolerr.New(spoolerr.Exhausted, 0, "one dialogue may send %d commands, and no more", maxCommands)
	}
	l.running.Add(1)
	return nil
}

// close lets no more commands through, and waits for those under way.
func (l *link) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.running.Wait()
}

// note remembers the ports that a successful command added, and forgets those it deleted.
func (l *link) note(name string, in []byte) {
	if !isAdd(name) && !isDelete(name) {
		return
	}
	port, err := xcv.PortName(in, l.subject.Port)
	if err != nil {
		return // the session refuses such a command
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if isAdd(name) {
		l.added = append(l.added, port)
		return
	}
	l.added = slices.DeleteFunc(l.added, func(p string) bool { return spool.Fold(p) == spool.Fold(port) })
}

// confirm refuses an outcome that did not happen.
func (l *link) confirm(port string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.subject.Operation != monitoruiwire.AddPort ||
		slices.ContainsFunc(l.added, func(p string) bool { return spool.Fold(p) == spool.Fold(port) }) {
		return nil
	}
	return spoolerr.New(spoolerr.Internal, spoolerr.CodeInvalidPrintMonitor,
		"the UI module broke its contract: it says that it added port %s, and did not", spool.Quote(port))
}

// takeBack deletes what a failed dialogue has added. It gives the dialogue's error, and
// says what is left behind if something is. The link must have been closed.
func (l *link) takeBack(timeout time.Duration, failed error) error {
	for _, port := range l.added {
		ctx, cancel := context.WithTimeout(context.Background(), timeout) // the person may be gone
		_, err := l.subject.Session.Data(ctx, portconfig.DeletePort, portconfig.Encode(port, nil))
		cancel()
		if err != nil && spoolerr.KindOf(err) != spoolerr.NotFound {
			failed = spoolerr.New(spoolerr.Precondition, spoolerr.CodeOf(failed),
				"%s; port %s, which it had added, could not be deleted again: %s", failed, spool.Quote(port), err)
		}
	}
	return failed
}
