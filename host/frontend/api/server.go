// Package api is the host's own API over gRPC: it finds out who is calling and what they
// may do, turns requests into calls of a spooler, and its answers into messages.
//
// The composition root imports it. It decides nothing about printing.
package api

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/dialogue"
	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/frontend/access"
	"github.com/spoolhost/spoolhost/host/pointprint/client"
	"github.com/spoolhost/spoolhost/host/pointprint/filepart"
	"github.com/spoolhost/spoolhost/host/spooler"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Info is what status says of the host.
type Info struct {
	Version string
	Started time.Time
	Data    string
	Listen  func() []string
	// Identity is the fingerprint of the host's key, or empty.
	Identity string
}

// Config is what the API serves.
type Config struct {
	Spoolers func() []*spooler.Spooler
	Catalog  *catalog.Catalog
	Events   *eventlog.Log
	// Dialogues are how dialogues are held, and with which modules.
	Dialogues dialogue.Config
	Info      Info
	// Cluster is the host's; nil if it is in none.
	Cluster *Cluster
	// Connections are those to printers of other hosts; nil for none.
	Connections *client.Client
	// AnswerIPP answers a request of IPP that another node has passed on; nil for none.
	AnswerIPP func(ctx context.Context, who access.Caller, r *apiv1.PassIppRequest, answer io.Writer) error
	// Operators is the name of the group that operates, or empty.
	Operators string
	// Engine is what the nodes of a cluster share; nil for none.
	Engine *ClusterEngine
	// Secure identifies those who call by listeners that Secure has marked.
	Secure *access.Secure

	readers *readers // a test's own
}

// Server is the API.
type Server struct {
	cfg  Config
	grpc *grpc.Server
}

// maxChunk bounds one message of a client, in bytes.
const maxChunk = 1 << 20

// New makes the server; it listens on nothing yet.
func New(cfg Config) *Server { return newServer(cfg, newPeerCredentials(cfg.Operators, cfg.Secure)) }

func newServer(cfg Config, who credentials.TransportCredentials) *Server {
	s := &Server{cfg: cfg}
	s.grpc = grpc.NewServer(
		grpc.Creds(who),
		grpc.ForceServerCodecV2(filepart.Codec()),
		grpc.MaxRecvMsgSize(maxChunk+64<<10),
		grpc.ChainUnaryInterceptor(s.authorizeUnary, s.routeUnary),
		grpc.ChainStreamInterceptor(s.authorizeStream, s.routeStream),
		// A client that vanished without a word must not keep its submission open for ever.
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 30 * time.Second, Timeout: 20 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
		// A thousand clients may be connected that say little.
		grpc.ReadBufferSize(32<<10),
		grpc.SharedWriteBuffer(true),
	)
	cluster := &spoolersServer{Server: s}
	apiv1.RegisterSpoolersServer(s.grpc, cluster)
	apiv1.RegisterNodesServer(s.grpc, cluster)
	apiv1.RegisterHostServer(s.grpc, &hostServer{Server: s})
	apiv1.RegisterClusterServer(s.grpc, &clusterServer{Server: s})
	apiv1.RegisterEventsServer(s.grpc, &eventsServer{Server: s})
	apiv1.RegisterIppServer(s.grpc, &ippServer{Server: s})
	apiv1.RegisterMonitorsServer(s.grpc, &monitorsServer{Server: s})
	apiv1.RegisterPortsServer(s.grpc, &portsServer{Server: s})
	apiv1.RegisterPrintersServer(s.grpc, &printersServer{Server: s})
	apiv1.RegisterJobsServer(s.grpc, &jobsServer{Server: s})
	apiv1.RegisterPrinterDataServer(s.grpc, &printerDataServer{Server: s})
	apiv1.RegisterDriversServer(s.grpc, &driversServer{Server: s})
	apiv1.RegisterShareServer(s.grpc, &shareServer{Server: s, readers: cmp.Or(cfg.readers, newReaders(readersAtOnce, readersTurn, readersPatience))})
	apiv1.RegisterRegistryServer(s.grpc, &registryServer{Server: s})
	apiv1.RegisterModulesServer(s.grpc, &modulesServer{Server: s})
	apiv1.RegisterDialoguesServer(s.grpc, &dialoguesServer{Server: s, open: openDialogues()})
	apiv1.RegisterConnectionsServer(s.grpc, &connectionsServer{Server: s})
	apiv1.RegisterXcvServer(s.grpc, &xcvServer{Server: s, sessions: xcvSessions()})
	return s
}

// Serve answers on a listener until Close. It may be called for several.
func (s *Server) Serve(l net.Listener) error {
	if err := s.grpc.Serve(l); !errors.Is(err, grpc.ErrServerStopped) {
		return err
	}
	return nil // closed before it began
}

// Close takes no new calls, gives those under way until ctx ends, and then cuts them.
func (s *Server) Close(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.grpc.GracefulStop()
	}()
	select {
	case <-done:
	case <-ctx.Done():
		s.grpc.Stop()
		<-done
	}
}

// spooler finds the spooler that a request names; empty is the node's own.
func (s *Server) spooler(name string) (*spooler.Spooler, error) {
	all := s.cfg.Spoolers()
	for _, sp := range all {
		if name == "" && sp.Local() || spool.Fold(sp.Name()) == spool.Fold(name) {
			return sp, nil
		}
	}
	if s.cfg.Cluster != nil {
		return nil, unknownSpooler(name)
	}
	return nil, spoolerr.New(spoolerr.NotFound, 0, "spooler %s does not exist on this host", spool.Quote(name))
}
