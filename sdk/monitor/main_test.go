package monitor_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire"
	"github.com/spoolhost/spoolhost/sdk/wire/monitorwire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// joined serves a monitor and gives a connection to it: wire and server, without a process.
func joined(t *testing.T, initialize monitor.Initialize) *grpc.ClientConn {
	t.Helper()
	return served(t, func(s *grpc.Server, host *wire.Host) {
		monitor.Register(s, initialize, host, slog.New(slog.DiscardHandler))
	})
}

// joinedV1 is joined for an unconverted monitor.
func joinedV1(t *testing.T, initialize monitor.InitializeV1) *grpc.ClientConn {
	t.Helper()
	return served(t, func(s *grpc.Server, host *wire.Host) {
		monitor.RegisterV1(s, initialize, host, slog.New(slog.DiscardHandler))
	})
}

func served(t *testing.T, register func(s *grpc.Server, host *wire.Host)) *grpc.ClientConn {
	t.Helper()
	l := bufconn.Listen(1 << 20)
	s := grpc.NewServer()
	conn, err := grpc.NewClient("passthrough:///buf", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(wire.MaxReply)))
	check(t, err)
	register(s, wire.NewHost(conn))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.Serve(l)
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		s.Stop()
		<-ended
	})
	return conn
}

func initialized(t *testing.T, conn *grpc.ClientConn, server string) *monitorwire.Monitor {
	t.Helper()
	m, err := monitorwire.Initialize(deadline(t), conn, monitorwire.Init{
		Token: "token", Root: 5, MonitorName: "Test Port", ServerName: server, Local: true,
	})
	check(t, err)
	return m
}

// journal is what an author's code was called with.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) note(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprintf(format, args...))
}

func (j *journal) take() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	text := strings.Join(j.lines, "\n")
	j.lines = nil
	return text
}

// plain is a monitor without anything optional. What a method answers can be set.
type plain struct {
	*journal
	name  string
	ports []spool.PortInfo
	err   error // of every method
	port  monitor.Port
	xcv   monitor.Xcv
}

func (p *plain) EnumPorts(context.Context) ([]spool.PortInfo, error) {
	p.note("%s EnumPorts", p.name)
	return p.ports, p.err
}

func (p *plain) OpenPort(_ context.Context, name string) (monitor.Port, error) {
	p.note("%s OpenPort %s", p.name, name)
	return p.port, p.err
}

func (p *plain) XcvOpenPort(_ context.Context, object string, granted spool.Access) (monitor.Xcv, error) {
	p.note("%s XcvOpenPort %s %x", p.name, object, granted)
	return p.xcv, p.err
}

func (p *plain) Shutdown(context.Context) error {
	p.note("%s Shutdown", p.name)
	return p.err
}

func starts(m monitor.Monitor) monitor.Initialize {
	return func(context.Context, monitor.Init) (monitor.Monitor, error) { return m, nil }
}

// plainPort is a port without anything optional.
type plainPort struct {
	*journal
	write func(ctx context.Context, p []byte) (int, error)
	err   error
}

func (p *plainPort) StartDoc(_ context.Context, doc spool.Doc) error {
	p.note("StartDoc %+v", doc)
	return p.err
}

func (p *plainPort) Write(ctx context.Context, b []byte) (int, error) {
	p.note("Write %d", len(b))
	if p.write != nil {
		return p.write(ctx, b)
	}
	return len(b), p.err
}

func (p *plainPort) EndDoc(_ context.Context, job spool.JobStatus) error {
	p.note("EndDoc %x", job)
	return p.err
}

func (p *plainPort) Close(context.Context) error {
	p.note("Close")
	return p.err
}

// plainXcv answers with what it was given.
type plainXcv struct {
	*journal
	out []byte
	err error
}

func (x *plainXcv) Data(_ context.Context, name string, in []byte) ([]byte, error) {
	x.note("Data %s %s", name, in)
	return x.out, x.err
}

func (x *plainXcv) Close(context.Context) error {
	x.note("CloseXcv")
	return x.err
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, err error, kind spoolerr.Kind, code spoolerr.Code) {
	t.Helper()
	if err == nil || spoolerr.KindOf(err) != kind || spoolerr.CodeOf(err) != code {
		t.Errorf("error %v (kind %v, code %d), want kind %v, code %d", err, spoolerr.KindOf(err), spoolerr.CodeOf(err), kind, code)
	}
}

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}
