package supervisor

import (
	"context"
	"os/exec"
	"runtime"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Launcher starts processes from one operating-system thread that lives as long as the
// host: a child's parent-death signal follows the thread that forked it, so a thread
// that Go retired would take its children along. The thread has given up for ever what
// no module may have (no_new_privs), and its children have it from the first instruction.
type Launcher struct {
	requests chan launch
	done     chan struct{}
}

type launch struct {
	cmd    *exec.Cmd
	result chan error
}

// NewLauncher makes a launcher; Run starts it.
func NewLauncher() *Launcher {
	return &Launcher{requests: make(chan launch), done: make(chan struct{})}
}

// Run serves until ctx ends. It must outlive every process it started.
func (l *Launcher) Run(ctx context.Context) {
	// Never unlocked: the thread ends with this goroutine, and what still runs dies with it.
	runtime.LockOSThread()
	defer close(l.done)
	failed := privileges()
	for {
		select {
		case r := <-l.requests:
			if failed != nil {
				r.result <- spoolerr.As(failed, spoolerr.Unavailable, "modules cannot be kept from gaining privileges")
				continue
			}
			r.result <- r.cmd.Start()
		case <-ctx.Done():
			return
		}
	}
}

func (l *Launcher) start(ctx context.Context, cmd *exec.Cmd) error {
	r := launch{cmd: cmd, result: make(chan error, 1)}
	select {
	case l.requests <- r:
		return <-r.result
	case <-l.done:
		return spoolerr.New(spoolerr.Unavailable, 0, "the host is stopping and starts no modules")
	case <-ctx.Done():
		return ctx.Err()
	}
}
