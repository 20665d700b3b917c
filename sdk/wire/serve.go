package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/hashicorp/go-hclog"
	plugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	pluginv1 "github.com/spoolhost/spoolhost/proto/spoolhost/plugin/v1"
)

// Module is what a module kind's Serve function gives to Serve.
type Module struct {
	Kind, Name, Version string
	Services            []string
	Capabilities        []string
	// Register adds the kind's services.
	Register func(s grpc.ServiceRegistrar, host *Host, log *slog.Logger)
}

// Option says something about a module to its kind's Serve function.
type Option func(*Module)

// Name is the module's name, as operators see it.
func Name(s string) Option { return func(m *Module) { m.Name = s } }

// Version is the module's version, as operators see it.
func Version(s string) Option { return func(m *Module) { m.Version = s } }

// With gives the module as its author's options make it. Its version is, if nobody says
// another, the one that the Go build recorded.
func (m Module) With(opts []Option) Module {
	m.Version = BuildVersion()
	for _, opt := range opts {
		opt(&m)
	}
	return m
}

// moduleHeap is what a module that holds little may let lie before it collects, in bytes.
const moduleHeap = 16 << 20

// Serve runs the process as a module until the host ends it; it does not return. Started
// by hand it says what it is and exits with status 1.
func Serve(m Module) {
	if os.Getenv(CookieKey) != CookieValue {
		fmt.Fprintf(os.Stderr, "%s %s is a spoolhost %s module: it is started by a spoolhost host, not by hand.\n"+
			"Install it with: spoolhost %s NAME --module %s\n", m.Name, m.Version, m.Kind, m.installer(), os.Args[0])
		os.Exit(1)
	}
	guard()
	log := newLogger()
	conn, err := dialHost()
	if err != nil {
		log.Error("cannot reach the host services", "error", err)
		os.Exit(1)
	}
	host := NewHost(conn).WithDocuments(inheritedDocuments())
	collecting, end := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		CollectLess(collecting, moduleHeap)
	}()
	calls := newCallGate()
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion: ProtocolVersion, MagicCookieKey: CookieKey, MagicCookieValue: CookieValue,
		},
		Plugins: plugin.PluginSet{PluginName: &modulePlugin{register: func(s *grpc.Server) {
			m.attach(s, calls, host, log)
		}}},
		GRPCServer:  calls.server,
		TLSProvider: inheritedIdentity(),
		Logger:      hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: os.Stderr, JSONFormat: true}),
	})
	end()
	<-ended
	os.Exit(0)
}

// Server gives a server of the module without a process around it, for the conformance kits.
func (m Module) Server(host *Host, log *slog.Logger) *grpc.Server {
	calls := newCallGate()
	s := calls.server(nil)
	m.attach(s, calls, host, log)
	return s
}

func (m Module) attach(s *grpc.Server, calls *callGate, host *Host, log *slog.Logger) {
	pluginv1.RegisterPluginServer(s, &describer{module: m, calls: calls})
	m.Register(s, host, log)
}

// installer is the command that installs such a module.
func (m Module) installer() string {
	if m.Kind == KindMonitor {
		return "monitor add"
	}
	return "module add --kind " + m.Kind
}

// BuildVersion is the main module's version as the Go build recorded it, or "devel".
func BuildVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

// newLogger writes the JSON that hclog writes, which the host parses. It keeps the real
// standard error, which go-plugin replaces later.
func newLogger() *slog.Logger {
	rename := map[string]string{slog.TimeKey: "@timestamp", slog.LevelKey: "@level", slog.MessageKey: "@message"}
	return slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if to, ok := rename[a.Key]; ok && len(groups) == 0 {
				a.Key = to
			}
			return a
		},
	}))
}

// dialHost connects lazily; the socket lies in a directory that only the host's user can
// enter, and every call carries the instance's token.
func dialHost() (*grpc.ClientConn, error) {
	addr := os.Getenv(EnvHostAddr)
	if addr == "" {
		return nil, errors.New(EnvHostAddr + " is not set")
	}
	return grpc.NewClient("unix:"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MaxReply)))
}

type modulePlugin struct {
	plugin.NetRPCUnsupportedPlugin
	register func(*grpc.Server)
}

func (p *modulePlugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	p.register(s)
	return nil
}

func (p *modulePlugin) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("a module is not a client")
}

// describer serves the Plugin service.
type describer struct {
	pluginv1.UnimplementedPluginServer
	module Module
	calls  *callGate
}

func (d *describer) Describe(context.Context, *pluginv1.DescribeRequest) (*pluginv1.DescribeResponse, error) {
	return &pluginv1.DescribeResponse{
		Kind: d.module.Kind, Name: d.module.Name, Version: d.module.Version,
		Services: d.module.Services, Capabilities: d.module.Capabilities,
	}, nil
}

func (d *describer) Drain(ctx context.Context, _ *pluginv1.DrainRequest) (*pluginv1.DrainResponse, error) {
	if err := d.calls.drain(ctx); err != nil {
		return nil, err
	}
	return &pluginv1.DrainResponse{}, nil
}

func (d *describer) Settle(ctx context.Context, _ *pluginv1.SettleRequest) (*pluginv1.SettleResponse, error) {
	if err := d.calls.settle(ctx); err != nil {
		return nil, err
	}
	return &pluginv1.SettleResponse{}, nil
}
