package monitor_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/wire"
	"github.com/spoolhost/spoolhost/sdk/wire/monitorwire"
)

// idle is a monitor whose calls cost nothing: what is measured is the way to it.
type idle struct{}

func (idle) EnumPorts(context.Context) ([]spool.PortInfo, error)         { return nil, nil }
func (idle) OpenPort(context.Context, string) (monitor.Port, error)      { return idlePort{}, nil }
func (idle) Shutdown(context.Context) error                              { return nil }
func (idle) Data(_ context.Context, _ string, in []byte) ([]byte, error) { return in, nil }
func (idle) Close(context.Context) error                                 { return nil }
func (idle) XcvOpenPort(context.Context, string, spool.Access) (monitor.Xcv, error) {
	return idle{}, nil
}

type idlePort struct{}

func (idlePort) StartDoc(context.Context, spool.Doc) error                 { return nil }
func (idlePort) Write(_ context.Context, p []byte) (int, error)            { return len(p), nil }
func (idlePort) EndDoc(context.Context, spool.JobStatus) error             { return nil }
func (idlePort) EndDocSent(context.Context, spool.JobStatus) (bool, error) { return true, nil }
func (idlePort) Close(context.Context) error                               { return nil }

// connect gives the monitor by a Unix socket, as the host has it but for the process and TLS.
func connect(b *testing.B) (context.Context, *monitorwire.Monitor) {
	b.Helper()
	m := monitor.Module(func(context.Context, monitor.Init) (monitor.Monitor, error) { return idle{}, nil })
	server := m.Server(wire.NewHost(nil), slog.New(slog.DiscardHandler))
	l, err := net.Listen("unix", filepath.Join(b.TempDir(), "s"))
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = server.Serve(l) }()
	b.Cleanup(server.Stop)
	conn, err := grpc.NewClient("unix:"+l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	b.Cleanup(cancel)
	mon, err := monitorwire.Initialize(ctx, conn, monitorwire.Init{})
	if err != nil {
		b.Fatal(err)
	}
	return ctx, mon
}

func benchPort(b *testing.B) (context.Context, *monitorwire.Port) {
	b.Helper()
	ctx, m := connect(b)
	p, err := m.OpenPort(ctx, "P")
	if err != nil {
		b.Fatal(err)
	}
	return ctx, p.(*monitorwire.Port)
}

func BenchmarkWritePort(b *testing.B) {
	for _, size := range []int{64 << 10, spool.ChunkSize} {
		b.Run(fmt.Sprint("bytes=", size), func(b *testing.B) {
			ctx, p := benchPort(b)
			data := make([]byte, size)
			b.SetBytes(int64(size))
			for b.Loop() {
				if n, err := p.Write(ctx, data); n != size || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}

// BenchmarkPrintDocPort is a job of 10 KB in one round trip.
func BenchmarkPrintDocPort(b *testing.B) {
	ctx, p := benchPort(b)
	data := make([]byte, 10_000)
	for b.Loop() {
		done, err := p.PrintDoc(ctx, spool.Doc{JobID: 1, Printer: "p", Title: "t", User: "u", Size: int64(len(data)), Attempt: 1}, data)
		if err != nil || !done.Sent {
			b.Fatal(done, err)
		}
	}
}

func BenchmarkXcvData(b *testing.B) {
	ctx, m := connect(b)
	x, err := m.XcvOpenPort(ctx, "", spool.ServerAccessAdminister)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := x.Data(ctx, "Command", []byte("input")); err != nil {
			b.Fatal(err)
		}
	}
}
