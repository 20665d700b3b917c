package api

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/host/frontend/access"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/pointprint/client"
	"github.com/spoolhost/spoolhost/host/pointprint/confine"
	"github.com/spoolhost/spoolhost/host/spooler"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

type connectionsServer struct {
	apiv1.UnimplementedConnectionsServer
	*Server
}

// client gives the connections of this host.
func (s *Server) client() (*client.Client, error) {
	if s.cfg.Connections == nil {
		return nil, spoolerr.New(spoolerr.Unsupported, 0, "this host makes no connections to printers of others")
	}
	return s.cfg.Connections, nil
}

// named gives the client and the connection that a request names.
func (s *Server) named(name string) (*client.Client, client.Name, error) {
	c, err := s.client()
	if err != nil {
		return nil, client.Name{}, err
	}
	n, err := client.ParseName(name)
	return c, n, err
}

func (s *connectionsServer) AddPrinterConnection(r *apiv1.AddPrinterConnectionRequest, stream grpc.ServerStreamingServer[apiv1.AddPrinterConnectionResponse]) error {
	c, n, err := s.named(r.GetName())
	if err != nil {
		return err
	}
	w := newStreamed(
		func(p *apiv1.ConnectionStep) error {
			return stream.Send(&apiv1.AddPrinterConnectionResponse{Message: &apiv1.AddPrinterConnectionResponse_Step{Step: p}})
		},
		func(p *apiv1.ConnectionProgress) error {
			return stream.Send(&apiv1.AddPrinterConnectionResponse{Message: &apiv1.AddPrinterConnectionResponse_Progress{Progress: p}})
		})
	con, _, err := c.Add(stream.Context(), n, r.GetAddresses(), w)
	w.end()
	if err != nil {
		return err
	}
	return stream.Send(&apiv1.AddPrinterConnectionResponse{Message: &apiv1.AddPrinterConnectionResponse_Connection{Connection: s.connection(con)}})
}

func (s *connectionsServer) RefreshConnection(r *apiv1.RefreshConnectionRequest, stream grpc.ServerStreamingServer[apiv1.RefreshConnectionResponse]) error {
	c, n, err := s.named(r.GetName())
	if err != nil {
		return err
	}
	if len(r.GetAddresses()) > 0 && callerOf(stream.Context()).Role < access.Administrator {
		return spoolerr.New(spoolerr.Denied, 0, "an administrator of this host may give a connection other addresses")
	}
	w := newStreamed(
		func(p *apiv1.ConnectionStep) error {
			return stream.Send(&apiv1.RefreshConnectionResponse{Message: &apiv1.RefreshConnectionResponse_Step{Step: p}})
		},
		func(p *apiv1.ConnectionProgress) error {
			return stream.Send(&apiv1.RefreshConnectionResponse{Message: &apiv1.RefreshConnectionResponse_Progress{Progress: p}})
		})
	con, _, err := c.Refresh(stream.Context(), n, r.GetAddresses(), w)
	w.end()
	if err != nil {
		return err
	}
	return stream.Send(&apiv1.RefreshConnectionResponse{Message: &apiv1.RefreshConnectionResponse_Connection{Connection: s.connection(con)}})
}

func (s *connectionsServer) ListConnections(context.Context, *apiv1.ListConnectionsRequest) (*apiv1.ListConnectionsResponse, error) {
	if s.cfg.Connections == nil {
		return &apiv1.ListConnectionsResponse{}, nil
	}
	return &apiv1.ListConnectionsResponse{Connections: convertAll(s.cfg.Connections.List(), s.connection)}, nil
}

func (s *connectionsServer) GetConnection(_ context.Context, r *apiv1.GetConnectionRequest) (*apiv1.GetConnectionResponse, error) {
	c, n, err := s.named(r.GetName())
	if err != nil {
		return nil, err
	}
	con, err := c.Get(n)
	if err != nil {
		return nil, err
	}
	return &apiv1.GetConnectionResponse{Connection: s.connection(con)}, nil
}

func (s *connectionsServer) DeletePrinterConnection(ctx context.Context, r *apiv1.DeletePrinterConnectionRequest) (*apiv1.DeletePrinterConnectionResponse, error) {
	c, n, err := s.named(r.GetName())
	if err != nil {
		return nil, err
	}
	steps, err := c.Delete(ctx, n, nil)
	if err != nil {
		return nil, err
	}
	return &apiv1.DeletePrinterConnectionResponse{Steps: convertAll(steps, stepToProto)}, nil
}

func stepToProto(p client.Step) *apiv1.ConnectionStep {
	return &apiv1.ConnectionStep{Number: uint32(p.Number), Call: p.Call, Result: p.Result}
}

func (s *Server) connection(c client.Connection) *apiv1.Connection {
	return &apiv1.Connection{
		Name: c.Name.String(), State: string(c.State), Addresses: c.Addresses, Identities: c.Identities, ChangeId: c.ChangeID,
		Driver: c.Driver.Name, DriverModule: c.Driver.Module, DriverFiles: convertAll(c.Driver.Files, s.file),
		Components: convertAll(c.Components, func(p client.Component) *apiv1.ConnectionComponent {
			return &apiv1.ConnectionComponent{
				Key: p.Key, Directory: p.Directory, Module: p.Module, SourceDir: p.SourceDir, TargetDir: p.TargetDir,
				Files: convertAll(p.Files, s.file), Refused: p.Refused,
			}
		}),
		AddedAt: stamp(c.Added), RefreshedAt: stamp(c.Refreshed), Trouble: c.Trouble,
	}
}

func (s *Server) file(f client.File) *apiv1.ConnectionFile {
	return &apiv1.ConnectionFile{
		Path: append(append(confine.Rel{}, f.Dir...), f.Name).Path(s.cfg.Connections.Dir()), Size: f.Size, Digest: f.Digest,
	}
}

// streamed sends steps and progress to a client: progress at most ten times a second. It
// runs on a goroutine of its own, so that a slow client does not hold the connection up.
type streamed struct {
	mu       sync.Mutex
	steps    []*apiv1.ConnectionStep
	progress *apiv1.ConnectionProgress
	wake     chan struct{}
	done     chan struct{}
	stop     chan struct{}
}

func newStreamed(step func(*apiv1.ConnectionStep) error, progress func(*apiv1.ConnectionProgress) error) *streamed {
	w := &streamed{wake: make(chan struct{}, 1), done: make(chan struct{}), stop: make(chan struct{})}
	go w.run(step, progress)
	return w
}

// Step implements client.Watcher.
func (w *streamed) Step(p client.Step) {
	w.mu.Lock()
	w.steps = append(w.steps, stepToProto(p))
	w.mu.Unlock()
	w.soon()
}

// Files implements client.Watcher.
func (w *streamed) Files(done, all int, bytes, total int64) {
	w.mu.Lock()
	w.progress = &apiv1.ConnectionProgress{Files: uint32(done), AllFiles: uint32(all), Bytes: bytes, AllBytes: total}
	w.mu.Unlock()
	w.soon()
}

func (w *streamed) soon() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// end sends what is left and waits until it is sent.
func (w *streamed) end() {
	close(w.stop)
	<-w.done
}

func (w *streamed) run(step func(*apiv1.ConnectionStep) error, progress func(*apiv1.ConnectionProgress) error) {
	defer close(w.done)
	pace := time.NewTicker(100 * time.Millisecond)
	defer pace.Stop()
	for last := false; !last; {
		select {
		case <-w.stop:
			last = true
		case <-w.wake:
			select {
			case <-w.stop:
				last = true
			case <-pace.C:
			}
		}
		w.mu.Lock()
		steps, p := w.steps, w.progress
		w.steps, w.progress = nil, nil
		w.mu.Unlock()
		for _, one := range steps {
			if step(one) != nil {
				return // the client is gone, and with it the context of the operation
			}
		}
		if p != nil && progress(p) != nil {
			return
		}
	}
}

// ask gives a job; one that went to the printer of a connection as it stands there just now.
func (s *Server) ask(ctx context.Context, sp *spooler.Spooler, j *job.Job) *apiv1.Job {
	j = s.heard(j)
	p := jobToProto(sp, j)
	if s.cfg.Connections == nil {
		return p
	}
	for i, f := range p.GetForwarded() {
		if f.GetOver() || f.GetId() == 0 {
			continue
		}
		found, err := s.cfg.Connections.Job(ctx, j.Forwarded[i])
		if err != nil && f.GetProblem() == "" {
			f.Problem = err.Error()
		}
		if spoolerr.KindOf(err) == spoolerr.NotFound {
			f.Over = true // the server has no record of it any more
		}
		if err == nil {
			f.Job, f.Over = found, job.State(found.GetState()).Final()
		}
	}
	return p
}

// away gives the jobs of a spooler that print on other hosts, as they were last heard of.
func (s *Server) away(ctx context.Context, sp *spooler.Spooler) (list []*job.Job) {
	if s.cfg.Connections == nil || sp.Name() != spooler.NodeName {
		return nil
	}
	for _, id := range s.cfg.Connections.Away() {
		if j, err := sp.Queue().Get(ctx, id); err == nil && j.State.Final() {
			list = append(list, j)
		}
	}
	return list
}

// heard puts in what was last heard of a job's documents on other hosts.
func (s *Server) heard(j *job.Job) *job.Job {
	if s.cfg.Connections == nil || !j.Away() {
		return j
	}
	now := *j
	now.Forwarded = s.cfg.Connections.Forwards(j)
	return &now
}

// follow goes on with the watch of a job that another host prints, until it has ended there.
func (s *jobsServer) follow(ctx context.Context, sp *spooler.Spooler, j *job.Job, send func(*apiv1.Job) error) error {
	const pause = time.Second
	t := time.NewTicker(pause)
	defer t.Stop()
	before := ""
	for {
		now, err := sp.Queue().Get(ctx, j.ID) // what is recorded of it meanwhile, also of another document
		switch {
		case err == nil:
			j = now
		case spoolerr.KindOf(err) != spoolerr.NotFound: // its record may expire here before it ends there
			return err
		}
		p := s.ask(ctx, sp, j)
		open, stands := false, fmt.Sprint(j.State)
		for _, f := range p.GetForwarded() {
			open = open || !f.GetOver()
			stands += ";" + f.GetJob().GetState() + "," + f.GetJob().GetReason() + "," + f.GetProblem()
		}
		if stands != before {
			if err := send(p); err != nil {
				return err
			}
		}
		before = stands
		if !open {
			return nil
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return cutOff(ctx)
		}
	}
}
