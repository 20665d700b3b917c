package monitortest_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	monitorv2 "github.com/spoolhost/spoolhost/proto/spoolhost/monitor/v2"
	pluginv1 "github.com/spoolhost/spoolhost/proto/spoolhost/plugin/v1"
	"github.com/spoolhost/spoolhost/sdk/mockmonitor"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/monitortest"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

func goodMock() monitor.Initialize {
	return mockmonitor.New(mockmonitor.Options{UI: "mockui"}).Initialize
}

// below breaks what the SDK does for an author, as a module without the SDK could.
type below struct {
	monitorv2.PrintMonitorServer
	mu   sync.Mutex
	gone uint64 // the handle that was shut down last

	enum  func(r *monitorv2.EnumPortsRequest) bool // true: answer an empty list
	close bool                                     // ClosePort knows every handle
	read  bool                                     // ReadPort is there, though it is not announced
	large bool                                     // output buffers are never too small
	node  bool                                     // serves the node spooler only
}

func (b *below) InitializePrintMonitor2(ctx context.Context, r *monitorv2.InitializePrintMonitor2Request) (*monitorv2.InitializePrintMonitor2Response, error) {
	if b.node && !r.GetLocal() {
		return nil, spoolgrpc.ToStatus(spoolerr.New(spoolerr.Unsupported, 0, "not for clusters"))
	}
	return b.PrintMonitorServer.InitializePrintMonitor2(ctx, r)
}

func (b *below) EnumPorts(ctx context.Context, r *monitorv2.EnumPortsRequest) (*monitorv2.EnumPortsResponse, error) {
	if b.enum != nil && b.enum(r) {
		return &monitorv2.EnumPortsResponse{}, nil
	}
	return b.PrintMonitorServer.EnumPorts(ctx, r)
}

func (b *below) Shutdown(ctx context.Context, r *monitorv2.ShutdownRequest) (*monitorv2.ShutdownResponse, error) {
	a, err := b.PrintMonitorServer.Shutdown(ctx, r)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		b.gone = r.GetMonitor()
	}
	return a, err
}

func (b *below) wasShutDown(r *monitorv2.EnumPortsRequest) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return r.GetMonitor() == b.gone
}

func (b *below) ClosePort(ctx context.Context, r *monitorv2.ClosePortRequest) (*monitorv2.ClosePortResponse, error) {
	a, err := b.PrintMonitorServer.ClosePort(ctx, r)
	if b.close {
		return &monitorv2.ClosePortResponse{}, nil
	}
	return a, err
}

func (b *below) ReadPort(ctx context.Context, r *monitorv2.ReadPortRequest) (*monitorv2.ReadPortResponse, error) {
	if b.read {
		return &monitorv2.ReadPortResponse{}, nil
	}
	return b.PrintMonitorServer.ReadPort(ctx, r)
}

func (b *below) XcvDataPort(ctx context.Context, r *monitorv2.XcvDataPortRequest) (*monitorv2.XcvDataPortResponse, error) {
	if b.large {
		r.OutputSize = wire.MaxXcv
	}
	return b.PrintMonitorServer.XcvDataPort(ctx, r)
}

// registrar puts a below between gRPC and the SDK.
type registrar struct {
	grpc.ServiceRegistrar
	below *below
}

func (r registrar) RegisterService(desc *grpc.ServiceDesc, impl any) {
	r.below.PrintMonitorServer = impl.(monitorv2.PrintMonitorServer)
	r.ServiceRegistrar.RegisterService(desc, r.below)
}

func module(change func(m *wire.Module, b *below)) monitortest.Subject {
	m := monitor.Module(goodMock(), monitor.Name("variant"), monitor.Version("1"))
	b := &below{}
	register := m.Register
	m.Register = func(s grpc.ServiceRegistrar, host *wire.Host, log *slog.Logger) { register(registrar{s, b}, host, log) }
	change(&m, b)
	return monitortest.InProcess(m)
}

// drainless is a module whose Drain does nothing.
type drainless struct {
	pluginv1.UnimplementedPluginServer
	module wire.Module
}

func (drainless) Describe(context.Context, *pluginv1.DescribeRequest) (*pluginv1.DescribeResponse, error) {
	return &pluginv1.DescribeResponse{Kind: wire.KindMonitor, Name: "variant", Version: "1", Services: []string{wire.ServiceMonitorV2}}, nil
}

func (drainless) Drain(context.Context, *pluginv1.DrainRequest) (*pluginv1.DrainResponse, error) {
	return &pluginv1.DrainResponse{}, nil
}

func (d drainless) Server(host *wire.Host, log *slog.Logger) *grpc.Server {
	s := grpc.NewServer()
	pluginv1.RegisterPluginServer(s, d)
	d.module.Register(s, host, log)
	return s
}

// modules are the rules that only a module without the SDK, or a process, can break.
func modules() map[string]monitortest.Subject {
	return map[string]monitortest.Subject{
		"start.describe":         module(func(m *wire.Module, _ *below) { m.Name = `acme\port` }),
		"start.services":         module(func(m *wire.Module, _ *below) { m.Services = append(m.Services, wire.ServiceMonitorV1) }),
		"start.initialize":       module(func(_ *wire.Module, b *below) { b.node = true }),
		"capabilities.announced": module(func(_ *wire.Module, b *below) { b.read = true }),
		"handles.unknown":        module(func(_ *wire.Module, b *below) { b.close = true }),
		"shutdown.handles":       module(func(_ *wire.Module, b *below) { b.enum = b.wasShutDown }),
		"xcv.buffer":             module(func(_ *wire.Module, b *below) { b.large = true }),
		"registry.more-data":     monitortest.InProcess(bounded{monitor.Module(goodMock())}),
		"process.drain":          monitortest.InProcess(drainless{module: monitor.Module(goodMock())}),
	}
}

func TestModules(t *testing.T) {
	checked := map[string]func() monitortest.Report{
		"xcv.add-port": func() monitortest.Report {
			opts := monitortest.Options{Settings: map[string]string{"unheard": "of"}, Only: besides("xcv.add-port")}
			return monitortest.Verify(t.Context(), monitortest.Serve(goodMock()), opts, nil)
		},
	}
	for rule, subject := range modules() {
		checked[rule] = func() monitortest.Report {
			opts := monitortest.Small(sinkOptions())
			opts.Only = besides(rule)
			return monitortest.Verify(t.Context(), subject, opts, nil)
		}
	}
	eachOnlyFails(t, checked)
}

// An unconverted monitor is told what it lacks.
func TestUnconverted(t *testing.T) {
	m := monitor.ModuleV1(func(context.Context, monitor.InitV1) (monitor.Unconverted, error) { return nil, nil })
	report := monitortest.Verify(t.Context(), monitortest.InProcess(m), monitortest.Options{}, nil)
	onlyFails(t, report, "start.initialize")
	i := slices.IndexFunc(report.Results, func(r monitortest.Result) bool { return r.ID == "start.initialize" })
	if text := report.Results[i].Detail; !strings.Contains(text, "InitializePrintMonitor2") {
		t.Errorf("it says: %s", text)
	}
}

// processVariant makes the test binary a module that breaks a rule of processes.
func processVariant() {
	if len(os.Args) < 3 || os.Args[1] != "kit-variant" {
		return
	}
	serve := func(initialize monitor.Initialize) {
		monitor.Serve(initialize, monitor.Name("variant"), monitor.Version("1"))
	}
	writing := func(to *os.File, text string) monitor.Initialize {
		good := goodMock()
		return func(ctx context.Context, init monitor.Init) (monitor.Monitor, error) {
			_, _ = to.WriteString(text) // what was os.Stdout before go-plugin put a pipe in its place
			return good(ctx, init)
		}
	}
	switch os.Args[2] {
	case "start.handshake":
		fmt.Println("Acme monitor 1.0, all rights reserved")
		serve(goodMock())
	case "start.stdout":
		serve(writing(os.Stdout, "printing...\n"))
	case "start.log":
		serve(writing(os.Stderr, "{\"@message\": 7}\n"))
	case "process.lifeline":
		_ = os.Unsetenv(wire.EnvLifeline)
		serve(goodMock())
	}
}

func TestProcesses(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	checked := map[string]func() monitortest.Report{}
	for _, rule := range processRules() {
		checked[rule] = func() monitortest.Report {
			opts := monitortest.Small(sinkOptions())
			opts.Grace, opts.Only = 2*time.Second, besides(rule)
			return monitortest.Verify(t.Context(), monitortest.Executable(self, "kit-variant", rule), opts, nil)
		}
	}
	eachOnlyFails(t, checked)
}

func processRules() []string {
	return []string{"start.handshake", "start.stdout", "start.log", "process.lifeline"}
}

// TestEveryRule makes sure that no rule is without a variant that breaks it.
func TestEveryRule(t *testing.T) {
	broken := append(processRules(), "xcv.add-port", "resources.memory")
	for rule := range variants() {
		broken = append(broken, rule)
	}
	for rule := range modules() {
		broken = append(broken, rule)
	}
	seen := map[string]bool{}
	for _, r := range monitortest.Rules() {
		if seen[r.ID] {
			t.Errorf("rule %s is there twice", r.ID)
		}
		seen[r.ID] = true
		if !slices.Contains(broken, r.ID) {
			t.Errorf("no variant breaks rule %s", r.ID)
		}
		if r.Text == "" || r.Source == "" || !strings.HasSuffix(r.Text, ".") {
			t.Errorf("rule %s: a sentence and a source are wanted", r.ID)
		}
	}
}
