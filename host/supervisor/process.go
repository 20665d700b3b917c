package supervisor

import (
	"cmp"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	plugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"golang.org/x/net/netutil"
	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// Spec says which executable to run for whom.
type Spec struct {
	// Name is the module's name in messages, such as the monitor's.
	Name string
	// Path is the executable's absolute path; Digest its pinned SHA-256 in hex.
	Path, Digest string
	Args         []string
	// Env is added to the allow-list, "NAME=value".
	Env []string
	// Limits is what the process may be and take.
	Limits Limits
	// Grace is how long a call that was given up may go on before the process is ended; 0
	// is the StopGrace of Env.
	Grace time.Duration
	// Incarnation numbers this life of the module; it is never used twice.
	Incarnation uint64

	dir string
}

// Env is what all processes of a host share.
type Env struct {
	Launcher *Launcher
	Images   *Images
	// RuntimeDir is a private directory with a short path, for sockets.
	RuntimeDir string
	// UserDir is where the private directories of modules of other users are, with a short
	// path; it is made when the first one is. Empty: there can be none.
	UserDir string
	// Cgroups is where modules get cgroups of their own; nil is nowhere.
	Cgroups *Cgroups
	// Orphans records processes, so that a later host can end those this one leaves.
	Orphans *Orphans
	// StartTimeout bounds launch and handshake. StopGrace bounds each step of Stop: drain,
	// and from SIGTERM to SIGKILL; EndStep those of End, 0 is a second.
	StartTimeout, StopGrace, EndStep time.Duration
	Now                              func() time.Time
	// Observed is told of each call to a module when it has ended (but not of those by which
	// the host manages modules, such as Describe and Drain): the module's name as
	// Spec gives it, the method without its service, and the error as a *spoolerr.Error,
	// nil if there is none. It may be called from many goroutines; nil is nobody.
	Observed func(module, method string, took time.Duration, err error)
}

// Process is one incarnation of a module.
type Process struct {
	Incarnation uint64
	PID         int
	Started     time.Time

	name   string
	grace  time.Duration
	env    *Env
	dir    string
	run    *moduleRunner
	out    *output
	client *plugin.Client
	conn   *grpc.ClientConn
	server *grpc.Server
	dialed dialed
	// documents counts the descriptors sent.
	documents     atomic.Uint64
	documentsFull atomic.Bool
	// stdout and stderr take what go-plugin brings: its Serve redirects both in the module.
	stdout, stderr *lineWriter

	connected chan struct{} // closed when go-plugin's start has returned
	served    chan struct{} // closed when the host services have ended
	done      chan struct{} // closed when nothing is left

	mu     sync.Mutex
	reason string // why the host ended it; empty if it ended by itself
	// work counts the goroutines of End and gaveUp; none is added once it is over.
	work     sync.WaitGroup
	over     bool
	ending   bool   // End is at work
	settling bool   // gaveUp is
	overdue  string // another call that was given up meanwhile
}

// Start launches a module and returns when it can be called. services registers what the
// module may call back. sink receives the module's output.
func (e *Env) Start(ctx context.Context, spec Spec, services func(grpc.ServiceRegistrar), sink func(Line)) (_ *Process, retErr error) {
	ctx, cancel := context.WithTimeout(ctx, e.StartTimeout)
	defer cancel()
	image, err := e.Images.Open(spec.Path, spec.Digest)
	if err != nil {
		return nil, err
	}
	id, err := newIdentity(time.Now())
	if err != nil {
		_ = image.Close()
		return nil, err
	}
	p := &Process{
		Incarnation: spec.Incarnation, Started: e.Now(), name: spec.Name, env: e, grace: cmp.Or(spec.Grace, e.StopGrace),
		out: newOutput(e.Now, sink), connected: make(chan struct{}), served: make(chan struct{}), done: make(chan struct{}),
	}
	p.stdout, p.stderr = &lineWriter{out: p.out}, &lineWriter{out: p.out}
	box, err := e.newBox(spec)
	if err == nil {
		if err = p.listen(spec, box, services); err != nil {
			box.end()
		}
	}
	if err != nil {
		_ = image.Close()
		return nil, err
	}
	spec.dir = p.dir
	p.run = newModuleRunner(spec, e.Launcher, image, id, box, p.out, func(pid int) error {
		return e.Orphans.Record(pid, spec.Name, spec.Incarnation, box.mark)
	})
	p.client = plugin.NewClient(e.clientConfig(p, spec, id))
	err = p.connect(ctx)
	p.PID = p.run.processID()
	go p.cleanUp()
	if err != nil {
		p.Kill("it did not start")
		<-p.done
		return nil, p.startFailure(err)
	}
	return p, nil
}

// listen makes the process's private directory and the socket of its host services.
func (p *Process) listen(spec Spec, b *box, services func(grpc.ServiceRegistrar)) error {
	base, err := p.env.privateDir(b)
	if err != nil {
		return spoolerr.Wrap(err, "module %s", spec.Name)
	}
	p.dir = filepath.Join(base, strconv.FormatUint(spec.Incarnation, 36))
	b.mark = wire.EnvHostAddr + "=" + p.hostSocket()
	tmp := filepath.Join(p.dir, "tmp")
	if err := os.MkdirAll(tmp, 0o700); err != nil {
		return spoolerr.As(err, spoolerr.Unavailable, "module %s: private directory", spec.Name)
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "unix", p.hostSocket())
	if err != nil {
		_ = os.RemoveAll(p.dir)
		return spoolerr.As(err, spoolerr.Unavailable, "module %s: socket of the host services", spec.Name)
	}
	if err := b.account.own(p.hostSocket(), tmp, p.dir); err != nil {
		_ = l.Close()
		_ = os.RemoveAll(p.dir)
		return spoolerr.As(err, spoolerr.Unavailable, "module %s: private directory", spec.Name)
	}
	p.server = grpc.NewServer(grpc.MaxRecvMsgSize(wire.MaxRequest), grpc.MaxConcurrentStreams(64),
		grpc.UnaryInterceptor(newCallLimit(spec.Name, p.out.complain).intercept))
	services(p.server)
	const connections = 4
	go func() {
		defer close(p.served)
		_ = p.server.Serve(netutil.LimitListener(l, connections))
	}()
	return nil
}

func (p *Process) hostSocket() string { return filepath.Join(p.dir, "host") }

// clientConfig is made afresh for each start: go-plugin writes into it.
func (e *Env) clientConfig(p *Process, spec Spec, id *identity) *plugin.ClientConfig {
	return &plugin.ClientConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion: wire.ProtocolVersion, MagicCookieKey: wire.CookieKey, MagicCookieValue: wire.CookieValue,
		},
		Plugins:          plugin.PluginSet{wire.PluginName: connPlugin{}},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		TLSConfig:        id.config,
		SkipHostEnv:      true,
		StartTimeout:     e.StartTimeout + time.Second, // connect's own deadline comes first
		Logger:           hclog.NewNullLogger(),
		SyncStdout:       p.stdout,
		SyncStderr:       p.stderr,
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: p.dir},
		GRPCDialOptions: []grpc.DialOption{
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(wire.MaxReply), grpc.MaxCallSendMsgSize(wire.MaxRequest)),
			grpc.WithChainUnaryInterceptor(p.observe, p.nameCall, requireDeadline, p.whileEnding, p.explainExit),
			grpc.WithChainStreamInterceptor(p.dialed.intercept),
		},
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, socketDir string) (runner.Runner, error) {
			cmd.Env = append(cmd.Env, clientCertEnv+"="+id.host)
			cmd.Env = append(environment(spec, p.hostSocket(), filepath.Join(p.dir, "tmp")), cmd.Env...)
			p.run.cmd, p.run.socketDir = cmd, socketDir
			return p.run, p.run.box.account.own(socketDir)
		},
	}
}

// SendDocument sends the module a descriptor of an open file and gives the number under
// which it went. Unsupported where there is no socket for that, or where the module has
// let it fill up: no later document waits for that again.
func (p *Process) SendDocument(f *os.File) (number uint64, err error) {
	if p.run.documents == nil || p.documentsFull.Load() {
		return 0, spoolerr.New(spoolerr.Unsupported, 0, "module %s takes no descriptors of documents", p.name)
	}
	number = p.documents.Add(1)
	err = p.run.documents.Send(number, f)
	if err != nil {
		p.documentsFull.Store(true)
	}
	return number, err
}

// Conn is the connection to the module. Calls without a deadline fail.
func (p *Process) Conn() grpc.ClientConnInterface { return p.conn }

// Done is closed when the process has ended and been reaped.
func (p *Process) Done() <-chan struct{} { return p.run.exited }

// Released is closed when nothing of the process is left: socket, directory, goroutines.
func (p *Process) Released() <-chan struct{} { return p.done }

// Tail gives the last lines of the module's output.
func (p *Process) Tail() []Line { return p.out.Tail() }

// Err says, after Done, how the process ended.
func (p *Process) Err() error {
	p.mu.Lock()
	reason := p.reason
	p.mu.Unlock()
	if reason != "" {
		return spoolerr.New(spoolerr.Exited, 0, "module %s (pid %d) was ended by the host: %s", p.name, p.run.processID(), reason)
	}
	return spoolerr.New(spoolerr.Exited, 0, "module %s (pid %d) ended unexpectedly: %s%s%s", p.name, p.run.processID(),
		p.run.exitText(), p.out.panicText(), p.run.box.deathText(p.run.peak(), p.out.lastWords()))
}
