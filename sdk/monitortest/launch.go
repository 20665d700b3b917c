package monitortest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// The kit speaks go-plugin's handshake itself, without its client: what a module does
// wrong here is to be seen, not put right.

// launch starts an executable as a host does, and waits until it can be called.
func launch(ctx context.Context, path string, args []string, host hostServer, dir string) (*module, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	closeHost, err := serveAt(filepath.Join(dir, "host"), host.server())
	if err != nil {
		return nil, err
	}
	id, err := newIdentity()
	if err != nil {
		closeHost()
		return nil, err
	}
	p, err := start(path, args, dir, id)
	if err != nil {
		closeHost()
		return nil, err
	}
	m := &module{out: p.out, pid: p.cmd.Process.Pid, ended: p.ended, cut: func() { _ = p.lifeline.Close() }}
	var once sync.Once
	m.kill = func() {
		once.Do(func() {
			if m.conn != nil {
				_ = m.conn.Close()
			}
			p.end()
			closeHost()
		})
	}
	if m.conn, err = p.connect(ctx, dir, id); err != nil {
		m.kill()
		if words := p.out.last(); len(words) > 0 {
			err = fmt.Errorf("%w; its last words: %s", err, words[len(words)-1])
		}
		return nil, err
	}
	drainStdio(m.conn)
	return m, nil
}

func serveAt(socket string, s *grpc.Server) (func(), error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "unix", socket)
	if err != nil {
		return nil, err
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = s.Serve(l)
	}()
	return func() {
		s.Stop()
		<-served
	}, nil
}

// process is an executable that runs.
type process struct {
	cmd      *exec.Cmd
	out      *output
	stdout   *os.File
	lifeline *os.File // the host's end
	readers  sync.WaitGroup
	ended    chan struct{}
}

func start(path string, args []string, dir string, id *identity) (*process, error) {
	pipes, err := newPipes(3)
	if err != nil {
		return nil, err
	}
	image, err := os.Open(path)
	if err != nil {
		pipes.close()
		return nil, err
	}
	defer func() { _ = image.Close() }()
	p := &process{cmd: exec.Command(path, args...), out: &output{}, ended: make(chan struct{})}
	p.stdout, p.lifeline = pipes[0].r, pipes[2].w
	p.cmd.Dir, p.cmd.Env = dir, environment(dir, id)
	p.cmd.Stdout, p.cmd.Stderr = pipes[0].w, pipes[1].w
	prepare(p.cmd, pipes[2].r, image)
	if err := p.cmd.Start(); err != nil {
		pipes.close()
		return nil, err
	}
	for _, f := range []*os.File{pipes[0].w, pipes[1].w, pipes[2].r} {
		_ = f.Close()
	}
	stderr := pipes[1].r
	p.readers.Go(func() {
		p.out.readErr(stderr)
		_ = stderr.Close()
	})
	go func() {
		_ = p.cmd.Wait()
		_ = p.stdout.SetReadDeadline(time.Now().Add(200 * time.Millisecond)) // a grandchild may hold it
		_ = stderr.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		close(p.ended)
	}()
	return p, nil
}

type pipe struct{ r, w *os.File }

type pipes []pipe

func newPipes(n int) (list pipes, err error) {
	for range n {
		r, w, err := os.Pipe()
		if err != nil {
			list.close()
			return nil, err
		}
		list = append(list, pipe{r, w})
	}
	return list, nil
}

func (list pipes) close() {
	for _, p := range list {
		_ = p.r.Close()
		_ = p.w.Close()
	}
}

// environment is what a host gives to a module, and no more.
func environment(dir string, id *identity) []string {
	return []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"TMPDIR=" + dir,
		wire.CookieKey + "=" + wire.CookieValue,
		wire.EnvHostAddr + "=" + filepath.Join(dir, "host"),
		wire.EnvLifeline + "=" + strconv.Itoa(wire.LifelineFD),
		"PLUGIN_PROTOCOL_VERSIONS=" + strconv.Itoa(wire.ProtocolVersion),
		"PLUGIN_MIN_PORT=10000",
		"PLUGIN_MAX_PORT=25000",
		"PLUGIN_UNIX_SOCKET_DIR=" + dir,
		"PLUGIN_CLIENT_CERT=" + string(id.pem),
	}
}

// connect reads the handshake and makes the connection of mutual TLS.
func (p *process) connect(ctx context.Context, dir string, id *identity) (*grpc.ClientConn, error) {
	if deadline, ok := ctx.Deadline(); ok {
		_ = p.stdout.SetReadDeadline(deadline)
	}
	in := bufio.NewReaderSize(p.stdout, maxLine)
	line, err := in.ReadString('\n')
	_ = p.stdout.SetReadDeadline(time.Time{})
	p.readers.Go(func() { p.out.readOut(in) })
	if errors.Is(err, io.EOF) {
		return nil, errors.New("it ended, or closed standard output, without a handshake line")
	}
	if err != nil {
		return nil, fmt.Errorf("no handshake line came: %w", err)
	}
	socket, certificate, err := parseHandshake(strings.TrimSpace(line), dir)
	if err != nil {
		return nil, err
	}
	config, err := id.config(certificate)
	if err != nil {
		return nil, err
	}
	conn, err := dial("unix:"+socket, credentials.NewTLS(config), nil)
	if err != nil {
		return nil, err
	}
	return conn, ready(ctx, conn)
}

func parseHandshake(line, dir string) (socket, certificate string, err error) {
	f := strings.Split(line, "|")
	if len(f) < 6 || len(f) > 7 {
		return "", "", fmt.Errorf("its first line on standard output is %s instead of a handshake", spool.Quote(line))
	}
	wrong := func(what string) error { return fmt.Errorf("the handshake line %s: %s", spool.Quote(line), what) }
	switch {
	case f[0] != "1":
		return "", "", wrong("the core protocol (field 1) is not 1")
	case f[1] != strconv.Itoa(wire.ProtocolVersion):
		return "", "", wrong("the protocol version (field 2) is not 1")
	case f[2] != "unix":
		return "", "", wrong("the network (field 3) is not unix")
	case filepath.Dir(f[3]) != filepath.Clean(dir):
		return "", "", wrong("the socket (field 4) is not in $PLUGIN_UNIX_SOCKET_DIR")
	case f[4] != "grpc":
		return "", "", wrong("the protocol (field 5) is not grpc")
	case f[5] == "":
		return "", "", wrong("there is no certificate (field 6)")
	}
	return f[3], f[5], nil
}

func dial(target string, creds credentials.TransportCredentials, dialer func(context.Context, string) (net.Conn, error)) (*grpc.ClientConn, error) {
	opts := []grpc.DialOption{
		grpc.WithTransportCredentials(creds),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(wire.MaxReply), grpc.MaxCallSendMsgSize(wire.MaxRequest)),
	}
	if dialer != nil {
		opts = append(opts, grpc.WithContextDialer(dialer))
	}
	return grpc.NewClient(target, opts...)
}

// ready waits until the connection stands.
func ready(ctx context.Context, conn *grpc.ClientConn) error {
	conn.Connect()
	for {
		switch state := conn.GetState(); state {
		case connectivity.Ready:
			return nil
		case connectivity.TransientFailure, connectivity.Shutdown:
			return errors.New("nobody answers at the address of its handshake, or not with the certificate of its handshake and mutual TLS")
		default:
			if !conn.WaitForStateChange(ctx, state) {
				return errors.New("no connection to the address of its handshake within the time")
			}
		}
	}
}

// drainStdio takes what go-plugin's Serve makes of os.Stdout and os.Stderr, so that a
// module that prints is not held up. It ends with the connection.
func drainStdio(conn *grpc.ClientConn) {
	go func() {
		stream, err := conn.NewStream(context.Background(), &grpc.StreamDesc{ServerStreams: true}, "/plugin.GRPCStdio/StreamStdio")
		if err != nil || stream.SendMsg(&emptypb.Empty{}) != nil || stream.CloseSend() != nil {
			return
		}
		for stream.RecvMsg(&emptypb.Empty{}) == nil {
		}
	}()
}

// end kills the process with everything it started, and waits.
func (p *process) end() {
	select {
	case <-p.ended: // its number may be somebody else's by now
	default:
		killGroup(p.cmd)
		<-p.ended
	}
	p.readers.Wait()
	_ = p.lifeline.Close()
	_ = p.stdout.Close()
}
