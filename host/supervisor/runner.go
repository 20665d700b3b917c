package supervisor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/go-plugin/runner"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// drainPipes is how long the output of an ended process is still read: a grandchild may
// hold the pipes open for ever.
const drainPipes = 200 * time.Millisecond

// moduleRunner is go-plugin's Runner: one operating-system process in its own process
// group, with its own pipes.
type moduleRunner struct {
	spec      Spec
	launcher  *Launcher
	image     *os.File
	identity  *identity
	box       *box
	cmd       *exec.Cmd
	socketDir string
	out       *output
	started   func(pid int) error // records the incarnation before the process may do anything

	documents      *wire.DocumentSender // nil where the system has none
	lifeline       *os.File             // the host's end; closing it ends the module
	stdout, stderr *os.File             // read ends
	handshake      *io.PipeReader
	handshakeW     *io.PipeWriter
	noStderr       *io.PipeReader
	noStderrW      *io.PipeWriter
	readers        sync.WaitGroup
	exited         chan struct{} // closed when reaped; never if it was not launched

	mu           sync.Mutex
	pid          int // 0 before launch
	killed       bool
	state        *os.ProcessState
	handshakeErr error
}

var _ runner.Runner = (*moduleRunner)(nil)

func newModuleRunner(spec Spec, launcher *Launcher, image *os.File, id *identity, b *box, out *output, started func(int) error) *moduleRunner {
	r := &moduleRunner{
		spec: spec, launcher: launcher, image: image, identity: id, box: b, out: out, started: started, exited: make(chan struct{}),
	}
	r.handshake, r.handshakeW = io.Pipe()
	r.noStderr, r.noStderrW = io.Pipe()
	return r
}

// Start launches the process. go-plugin has put its own variables into cmd.Env.
func (r *moduleRunner) Start(ctx context.Context) (retErr error) {
	var childEnds []*os.File
	defer func() {
		for _, f := range childEnds {
			_ = f.Close()
		}
		_ = r.image.Close()
		if retErr != nil && r.processID() == 0 {
			r.closeOwn()
		}
	}()
	lifelineR, lifelineW, err := os.Pipe()
	if err != nil {
		return err
	}
	childEnds, r.lifeline = append(childEnds, lifelineR), lifelineW
	stdoutR, stdoutW, err := os.Pipe()
	if err != nil {
		return err
	}
	childEnds, r.stdout = append(childEnds, stdoutW), stdoutR
	more, err := r.moreFiles()
	childEnds = append(childEnds, more...)
	if err != nil {
		return err
	}
	stderrR, stderrW, err := os.Pipe()
	if err != nil {
		return err
	}
	childEnds, r.stderr = append(childEnds, stderrW), stderrR

	r.cmd.Args = append([]string{r.spec.Path}, r.spec.Args...)
	r.cmd.Stdin, r.cmd.Stdout, r.cmd.Stderr = nil, stdoutW, stderrW
	r.cmd.Dir = r.spec.dir
	prepare(r.cmd, r.spec.Path, append([]*os.File{lifelineR, r.image}, more...))
	r.box.attributes(r.cmd.SysProcAttr)
	if err := r.launcher.start(ctx, r.cmd); err != nil {
		return r.startError(err)
	}
	if err := r.box.restrict(r.cmd.Process.Pid); err != nil {
		r.box.note("NOT IN FORCE: %v", err)
	}
	r.launched(r.cmd.Process.Pid)
	r.readers.Add(2)
	go r.readStdout()
	go r.readStderr()
	go r.reap()
	if err := r.started(r.cmd.Process.Pid); err != nil {
		_ = r.Kill(ctx)
		return err
	}
	return nil
}

// moreFiles makes the further files that the module inherits, and tells it their numbers: its end of the socket for documents, and its certificate with the key.
func (r *moduleRunner) moreFiles() (files []*os.File, err error) {
	add := func(variable string, f *os.File) {
		if f != nil {
			r.cmd.Env = append(r.cmd.Env, variable+"="+strconv.Itoa(wire.FurtherFD+len(files)))
			files = append(files, f)
		}
	}
	var module *os.File
	r.documents, module, err = wire.NewDocumentSocket()
	if add(wire.EnvDocuments, module); err != nil {
		return files, err
	}
	certificate, err := r.identity.hand()
	add(wire.EnvIdentity, certificate)
	return files, err
}

// launched makes the process known to Kill, which may have been called before.
func (r *moduleRunner) launched(pid int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pid = pid
	if r.killed {
		killGroup(pid)
	}
}

// processID is 0 before launch.
func (r *moduleRunner) processID() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pid
}

func (r *moduleRunner) readStdout() {
	defer r.readers.Done()
	in := bufio.NewReader(&pacedReader{r.stdout, r.out.pace})
	line, err := readHandshake(in, r.socketDir, r.identity.offered)
	if err != nil {
		r.setBadHandshake(err)
	} else {
		_, _ = fmt.Fprintln(r.handshakeW, line)
	}
	_ = r.handshakeW.Close()
	r.out.consume(in)
}

func (r *moduleRunner) readStderr() {
	defer r.readers.Done()
	r.out.consume(bufio.NewReader(&pacedReader{r.stderr, r.out.pace}))
}

// reap waits for the end of the process, and ends with it whatever it has started: its
// group before the group's number can be given to anybody else, and what left the group.
func (r *moduleRunner) reap() {
	pid := r.processID()
	awaitExit(r.cmd)
	killGroup(pid)
	r.box.end()
	r.mu.Lock() // no Kill may use the number once Wait has freed it
	_ = r.cmd.Wait()
	r.state = r.cmd.ProcessState
	r.mu.Unlock()
	deadline := time.Now().Add(drainPipes)
	_ = r.stdout.SetReadDeadline(deadline)
	_ = r.stderr.SetReadDeadline(deadline)
	_ = r.handshake.Close() // frees readStdout if nobody waits for the handshake any more
	r.readers.Wait()
	r.out.flush()
	r.closeOwn()
	close(r.exited)
}

func (r *moduleRunner) closeOwn() {
	if r.documents != nil {
		_ = r.documents.Close()
	}
	for _, f := range []*os.File{r.lifeline, r.stdout, r.stderr} {
		if f != nil {
			_ = f.Close()
		}
	}
	_ = r.handshakeW.Close()
	_ = r.noStderrW.Close()
}

// Wait blocks until the process has been reaped and its output read.
func (r *moduleRunner) Wait(ctx context.Context) error {
	select {
	case <-r.exited:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Kill ends the process group at once, or as soon as it is launched; it does not wait.
func (r *moduleRunner) Kill(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.killed || r.state != nil {
		return nil
	}
	r.killed = true
	if r.pid != 0 {
		killGroup(r.pid)
	}
	return nil
}

// terminate asks the process and its group to end, unless its number is free again.
func (r *moduleRunner) terminate() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pid != 0 && r.state == nil {
		terminate(r.pid)
	}
}

// exitText says how the process ended.
func (r *moduleRunner) exitText() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state == nil {
		return "still running"
	}
	return r.state.String()
}

// endedAlone says how a process ended that was not killed.
func (r *moduleRunner) endedAlone() (how string, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state == nil || !r.state.Exited() {
		return "", false
	}
	return r.state.String(), true
}

// peak is the most memory that the process had, in bytes; 0 if it is not known.
func (r *moduleRunner) peak() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state == nil {
		return 0
	}
	return peak(r.state)
}

// setBadHandshake notes what is wrong with the handshake, but not that a module which the
// host killed gave none.
func (r *moduleRunner) setBadHandshake(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.killed {
		r.handshakeErr = err
	}
}

func (r *moduleRunner) badHandshake() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.handshakeErr
}

// Stdout gives go-plugin one checked line and nothing else.
func (r *moduleRunner) Stdout() io.ReadCloser { return r.handshake }

// Stderr gives go-plugin nothing: its parser can be made to panic.
func (r *moduleRunner) Stderr() io.ReadCloser { return r.noStderr }

// Name is the executable's path.
func (r *moduleRunner) Name() string { return r.spec.Path }

// ID is the process id.
func (r *moduleRunner) ID() string {
	return strconv.Itoa(r.processID())
}

// Diagnose has nothing to add: readHandshake's error says what is wrong.
func (r *moduleRunner) Diagnose(context.Context) string { return "" }

// PluginToHost takes the address as it is: readHandshake has checked it.
func (r *moduleRunner) PluginToHost(network, addr string) (string, string, error) {
	return network, addr, nil
}

// HostToPlugin takes the address as it is: host and module share a file system.
func (r *moduleRunner) HostToPlugin(network, addr string) (string, string, error) {
	return network, addr, nil
}

func (r *moduleRunner) startError(err error) error {
	var own *spoolerr.Error
	if errors.As(err, &own) {
		return err
	}
	if u := r.box.account; u != nil && errors.Is(err, fs.ErrPermission) {
		return &spoolerr.Error{
			Kind: spoolerr.Denied, Code: spoolerr.CodeAccessDenied, Err: err,
			Message: fmt.Sprintf("module %s cannot be executed by user %s; let that user read and execute it (chmod o+rx), or choose another user", r.spec.Path, u.name),
		}
	}
	return &spoolerr.Error{
		Kind: spoolerr.Unavailable, Code: spoolerr.CodeBadExeFormat,
		Message: fmt.Sprintf("module %s cannot be executed; is it built for this system?", r.spec.Path), Err: err,
	}
}

// environment is what a module sees: an allow-list, never the host's own secrets.
func environment(spec Spec, hostAddr, tmp string) []string {
	env := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"TMPDIR=" + tmp,
		wire.EnvHostAddr + "=" + hostAddr,
	}
	if runtime.GOOS != "windows" { // where no descriptors are inherited and the job object does it
		env = append(env, wire.EnvLifeline+"="+strconv.Itoa(wire.LifelineFD))
	}
	for _, name := range []string{"LANG", "LC_ALL", "TZ"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return append(env, spec.Env...)
}
