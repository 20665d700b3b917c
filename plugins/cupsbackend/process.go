package cupsbackend

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/spoolhost/spoolhost/plugins/internal/backchannel"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// process is a backend that runs. Its goroutines end with it.
type process struct {
	pid   int
	stdin *os.File
	back  *backchannel.Backchannel
	// exited is closed when it has ended and all that it said was read; err is how.
	exited chan struct{}
	err    error
}

// pipes are the descriptors of a backend: near stay here, far go to it.
type pipes struct{ stdin, stderr, back, side pair }

type pair struct{ near, far *os.File }

func openPipes() (p pipes, err error) {
	var errs [4]error
	p.stdin.far, p.stdin.near, errs[0] = os.Pipe()
	p.stderr.near, p.stderr.far, errs[1] = os.Pipe()
	p.back.near, p.back.far, errs[2] = os.Pipe()
	p.side.near, p.side.far, errs[3] = sideChannel()
	if err = errors.Join(errs[:]...); err != nil {
		p.closeFar()
		p.closeNear()
		_ = p.stdin.near.Close()
	}
	return p, err
}

func (p pipes) closeFar() {
	for _, f := range []*os.File{p.stdin.far, p.stderr.far, p.back.far, p.side.far} {
		_ = f.Close()
	}
}

// closeNear closes what this side reads; the document's end is the writer's to close.
func (p pipes) closeNear() {
	for _, f := range []*os.File{p.stderr.near, p.back.near, p.side.near} {
		_ = f.Close()
	}
}

// start runs an executable with the arguments and environment given.
func start(e executable, attributes *syscall.SysProcAttr, args, env []string, said *transcript) (*process, error) {
	p, err := openPipes()
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Exhausted, "the backend cannot be given its pipes")
	}
	cmd := &exec.Cmd{
		Path: e.path, Args: args, Env: env, Dir: "/", SysProcAttr: attributes,
		Stdin: p.stdin.far, Stderr: p.stderr.far, ExtraFiles: []*os.File{p.back.far, p.side.far},
	}
	run := &process{stdin: p.stdin.near, back: backchannel.New(), exited: make(chan struct{})}
	started := make(chan error, 1)
	go run.watch(cmd, p, said, started)
	if err := <-started; err != nil {
		return nil, spoolerr.As(err, spoolerr.Unavailable, "the backend %s cannot be started", filepath.Base(e.path))
	}
	return run, nil
}

// watch keeps the thread that starts the backend: the kernel's signal to the children of
// a dead parent follows the thread.
func (r *process) watch(cmd *exec.Cmd, p pipes, said *transcript, started chan<- error) {
	defer close(r.exited)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Start()
	p.closeFar()
	if err != nil {
		p.closeNear()
		_ = p.stdin.near.Close()
		started <- err
		return
	}
	r.pid = cmd.Process.Pid
	read := make(chan struct{})
	go func() {
		defer close(read)
		said.follow(p.stderr.near)
	}()
	go r.back.Run(p.back.near)
	started <- nil
	r.err = cmd.Wait()
	r.endOthers(p)
	<-read
	<-r.back.Done
	p.closeNear()
}

// endOthers ends what the backend left running, and stops waiting for what holds its
// pipes.
func (r *process) endOthers(p pipes) {
	signal(r.pid, syscall.SIGKILL)
	const linger = 500 * time.Millisecond
	end := time.Now().Add(linger)
	_ = p.stderr.near.SetReadDeadline(end)
	_ = p.back.near.SetReadDeadline(end)
}

// grace is how long a backend may take to end when it is told to. With a document on its
// standard input a backend may well not listen.
const grace = time.Second

// kill ends the process group. Only then is standard input closed: its end would mean a
// whole document.
func (r *process) kill() {
	select {
	case <-r.exited:
	default:
		r.terminate()
	}
	_ = r.stdin.Close()
}

func (r *process) terminate() {
	signal(r.pid, syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-r.exited:
	case <-timer.C:
		signal(r.pid, syscall.SIGKILL)
		<-r.exited // the kernel sees to it
	}
}
