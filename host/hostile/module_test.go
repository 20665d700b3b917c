//go:build linux

package hostile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	plugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	hostservicev1 "github.com/spoolhost/spoolhost/proto/spoolhost/hostservice/v1"
	monitorv2 "github.com/spoolhost/spoolhost/proto/spoolhost/monitor/v2"
	pluginv1 "github.com/spoolhost/spoolhost/proto/spoolhost/plugin/v1"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// moduleArg makes the test binary, launched again, a hostile module: its further arguments
// are the row's group and name, a directory that all its lives share, and the first and
// last life in which it misbehaves.
const moduleArg = "spoolhost-hostile-module"

// module is a port monitor without the sdk: it says what it likes. As it comes it behaves;
// a row's do makes it worse.
type module struct {
	monitorv2.UnimplementedPrintMonitorServer
	pluginv1.UnimplementedPluginServer

	name, dir string
	// before runs ahead of a method, whose call fails with its error; after changes the
	// reply, then when it has been given.
	before map[string]func(context.Context) error
	after  map[string]func(proto.Message)
	then   map[string]func()

	kind, version string
	services      []string
	ports         []string
	capabilities  []string // of ports
	report        bool     // SENT_TO_PRINTER in EndDocPort
	settles       bool     // says that every call which was given up has ended

	conn  *grpc.ClientConn
	mu    sync.Mutex
	token string
	root  uint64
	job   uint64
}

// runModule serves if the process was launched as a module, and else returns.
func runModule() {
	if len(os.Args) < 7 || os.Args[1] != moduleArg {
		return
	}
	group, name, dir := os.Args[2], os.Args[3], os.Args[4]
	first, _ := strconv.Atoi(os.Args[5])
	last, _ := strconv.Atoi(os.Args[6])
	m := &module{
		name: name, dir: dir, kind: wire.KindMonitor, version: "1", services: []string{wire.ServiceMonitorV2},
		ports: []string{name}, report: true,
		before: map[string]func(context.Context) error{}, after: map[string]func(proto.Message){}, then: map[string]func(){},
	}
	if life := m.countLife(); life >= first && life <= last {
		for _, r := range groups()[group] {
			if r.name == name {
				r.do(m)
			}
		}
	}
	m.serve()
	os.Exit(0)
}

// countLife gives the number of this life; the first is the one in which the monitor is
// added.
func (m *module) countLife() int {
	f, err := os.OpenFile(filepath.Join(m.dir, "lives"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return 0
	}
	defer f.Close()
	f.WriteString(".")
	at, _ := f.Seek(0, 1)
	return int(at)
}

func (m *module) serve() {
	var err error
	m.conn, err = grpc.NewClient("unix:"+os.Getenv(wire.EnvHostAddr), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		panic(err)
	}
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion: wire.ProtocolVersion, MagicCookieKey: wire.CookieKey, MagicCookieValue: wire.CookieValue,
		},
		Plugins: plugin.PluginSet{wire.PluginName: &served{module: m}},
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(opts, grpc.UnaryInterceptor(m.intercept))...)
		},
		Logger: hclog.NewNullLogger(),
	})
}

type served struct {
	plugin.NetRPCUnsupportedPlugin
	module *module
}

func (p *served) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	pluginv1.RegisterPluginServer(s, p.module)
	monitorv2.RegisterPrintMonitorServer(s, p.module)
	return nil
}

func (p *served) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("a module is not a client")
}

func (m *module) intercept(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	method := path.Base(info.FullMethod)
	if f := m.before[method]; f != nil {
		if err := f(ctx); err != nil {
			return nil, err
		}
	}
	reply, err := next(ctx, req)
	if f := m.after[method]; f != nil && err == nil {
		f(reply.(proto.Message))
	}
	if f := m.then[method]; f != nil {
		time.AfterFunc(5*time.Millisecond, f) // the reply goes out first
	}
	return reply, err
}

// What follows is the good monitor. It drops what it is given.

func (m *module) Describe(context.Context, *pluginv1.DescribeRequest) (*pluginv1.DescribeResponse, error) {
	return &pluginv1.DescribeResponse{Kind: m.kind, Name: "hostile", Version: m.version, Services: m.services}, nil
}

func (m *module) Drain(context.Context, *pluginv1.DrainRequest) (*pluginv1.DrainResponse, error) {
	return &pluginv1.DrainResponse{}, nil
}

func (m *module) Settle(ctx context.Context, r *pluginv1.SettleRequest) (*pluginv1.SettleResponse, error) {
	if m.settles {
		return &pluginv1.SettleResponse{}, nil
	}
	return m.UnimplementedPluginServer.Settle(ctx, r)
}

func (m *module) InitializePrintMonitor2(_ context.Context, r *monitorv2.InitializePrintMonitor2Request) (*monitorv2.InitializePrintMonitor2Response, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.token, m.root = r.GetSpooler(), r.GetRegistryRoot()
	m.note("token", "%s", m.token)
	return &monitorv2.InitializePrintMonitor2Response{Monitor: 1}, nil
}

func (m *module) EnumPorts(context.Context, *monitorv2.EnumPortsRequest) (*monitorv2.EnumPortsResponse, error) {
	r := &monitorv2.EnumPortsResponse{}
	for _, name := range m.ports {
		r.Ports = append(r.Ports, &monitorv2.PortInfo{Name: name, Type: uint32(spool.PortTypeWrite)})
	}
	return r, nil
}

func (m *module) OpenPort(context.Context, *monitorv2.OpenPortRequest) (*monitorv2.OpenPortResponse, error) {
	return &monitorv2.OpenPortResponse{Port: 2, Capabilities: m.capabilities}, nil
}

func (m *module) StartDocPort(_ context.Context, r *monitorv2.StartDocPortRequest) (*monitorv2.StartDocPortResponse, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.job = r.GetDoc().GetJobId()
	return &monitorv2.StartDocPortResponse{}, nil
}

func (m *module) WritePort(_ context.Context, r *monitorv2.WritePortRequest) (*monitorv2.WritePortResponse, error) {
	return &monitorv2.WritePortResponse{Written: uint32(int64(len(r.GetData())) + r.GetLength())}, nil
}

func (m *module) PrintDocPort(ctx context.Context, r *monitorv2.PrintDocPortRequest) (*monitorv2.PrintDocPortResponse, error) {
	m.mu.Lock()
	m.job = r.GetDoc().GetJobId()
	m.mu.Unlock()
	done := &monitorv2.PrintDocPortResponse{Started: true, Written: uint32(len(r.GetData())), Ended: true}
	if !m.report {
		return done, nil
	}
	return done, m.setJob(ctx, r.GetDoc().GetJobId())
}

func (m *module) EndDocPort(ctx context.Context, r *monitorv2.EndDocPortRequest) (*monitorv2.EndDocPortResponse, error) {
	if !m.report || spool.JobStatus(r.GetJobStatus()).Aborted() {
		return &monitorv2.EndDocPortResponse{}, nil
	}
	_, job, _ := m.instance()
	return &monitorv2.EndDocPortResponse{}, m.setJob(ctx, job)
}

func (m *module) ClosePort(context.Context, *monitorv2.ClosePortRequest) (*monitorv2.ClosePortResponse, error) {
	return &monitorv2.ClosePortResponse{}, nil
}

func (m *module) XcvOpenPort(context.Context, *monitorv2.XcvOpenPortRequest) (*monitorv2.XcvOpenPortResponse, error) {
	return &monitorv2.XcvOpenPortResponse{Xcv: 3}, nil
}

func (m *module) XcvDataPort(context.Context, *monitorv2.XcvDataPortRequest) (*monitorv2.XcvDataPortResponse, error) {
	return &monitorv2.XcvDataPortResponse{}, nil
}

func (m *module) XcvClosePort(context.Context, *monitorv2.XcvClosePortRequest) (*monitorv2.XcvClosePortResponse, error) {
	return &monitorv2.XcvClosePortResponse{}, nil
}

func (m *module) Shutdown(context.Context, *monitorv2.ShutdownRequest) (*monitorv2.ShutdownResponse, error) {
	return &monitorv2.ShutdownResponse{}, nil
}

func (m *module) instance() (token string, job, root uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.token, m.job, m.root
}

func (m *module) spooler() hostservicev1.SpoolerClient { return hostservicev1.NewSpoolerClient(m.conn) }

func (m *module) registry() hostservicev1.MonitorRegistryClient {
	return hostservicev1.NewMonitorRegistryClient(m.conn)
}

func (m *module) setJob(ctx context.Context, job uint64) error {
	token, _, _ := m.instance()
	_, err := m.spooler().SetJob(ctx, &hostservicev1.SetJobRequest{
		Spooler: token, JobId: job, Control: uint32(spool.JobControlSentToPrinter),
	})
	return err
}

func (m *module) setPort(ctx context.Context, port, text string) error {
	token, _, _ := m.instance()
	_, err := m.spooler().SetPort(ctx, &hostservicev1.SetPortRequest{
		Spooler: token, Port: port, Text: text, Severity: uint32(spool.SeverityInfo),
	})
	return err
}

// note leaves a line for the test.
func (m *module) note(file, format string, args ...any) {
	_ = os.WriteFile(filepath.Join(m.dir, file), fmt.Appendf(nil, format, args...), 0o600)
}
