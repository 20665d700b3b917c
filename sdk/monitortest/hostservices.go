package monitortest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"google.golang.org/grpc"

	hostservicev1 "github.com/spoolhost/spoolhost/proto/spoolhost/hostservice/v1"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/registry/registrytest"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// hostServices is what the kit serves to the module: MONITORREG and the callbacks, for
// each instance that was given a token, with a memory for what was wrong.
type hostServices struct {
	hostservicev1.UnimplementedSpoolerServer
	hostservicev1.UnimplementedMonitorRegistryServer

	mu        sync.Mutex
	instances map[string]*spooler
	strays    []string // calls with a token or a key that was never given
	late      []string // calls after Shutdown
	bounded   bool     // a registry value was asked for with a buffer's size
	squeeze   bool     // from now on every buffer of less than 64 KiB is too small
}

// spooler is the far side of one instance.
type spooler struct {
	server string
	tree   *registrytest.Registry
	root   uint64

	// Under the mutex of hostServices.
	keys    map[uint64]registry.Key
	opened  int    // keys open besides the root
	last    uint64 // key given out last, counted from the root
	ended   bool
	phases  map[uint64]phase
	reports []jobReport
}

// phase is how far a document is.
type phase int

const (
	unknown phase = iota
	started
	ending
	over
)

type jobReport struct {
	job     uint64
	control spool.JobControl
	phase   phase // at which it came
}

func newHostServices() *hostServices { return &hostServices{instances: make(map[string]*spooler)} }

func (h *hostServices) server() *grpc.Server {
	s := grpc.NewServer(grpc.MaxRecvMsgSize(wire.MaxRequest))
	hostservicev1.RegisterMonitorRegistryServer(s, h)
	hostservicev1.RegisterSpoolerServer(s, h)
	return s
}

// add gives an instance its token and its root key.
func (h *hostServices) add(token, server string, tree *registrytest.Registry) *spooler {
	s := h.serve(token, server, tree.Root())
	s.tree = tree
	return s
}

// serve gives an instance its token and an existing root key.
func (h *hostServices) serve(token, server string, key registry.Key) *spooler {
	h.mu.Lock()
	defer h.mu.Unlock()
	// Numbers are far apart, so that a key of one instance is none in another.
	root := uint64(len(h.instances)+1) << 32
	s := &spooler{server: server, root: root, phases: make(map[uint64]phase), keys: map[uint64]registry.Key{root: key}}
	h.instances[token] = s
	return s
}

// look reads or writes what the mutex protects.
func (h *hostServices) look(fn func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	fn()
}

// find gives the instance of a token and, for registry calls, the key; it remembers what
// a module may not do.
func (h *hostServices) find(call, token string, key *uint64) (*spooler, registry.Key, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, ok := h.instances[token]
	switch {
	case !ok:
		h.strays = append(h.strays, call+" with a spooler token that no instance was given")
	case s.ended:
		h.late = append(h.late, call)
	case key == nil:
		return s, nil, nil
	default:
		if k, ok := s.keys[*key]; ok {
			return s, k, nil
		}
		h.strays = append(h.strays, fmt.Sprintf("%s on key %d, which the instance does not have open", call, *key))
	}
	return nil, nil, spoolgrpc.ToStatus(spoolerr.New(spoolerr.BadHandle, 0, "%s: the handle is not valid", call))
}

// SetJob takes reports of jobs that are being printed.
func (h *hostServices) SetJob(_ context.Context, r *hostservicev1.SetJobRequest) (*hostservicev1.SetJobResponse, error) {
	s, _, err := h.find("SetJob", r.GetSpooler(), nil)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	at := s.phases[r.GetJobId()]
	s.reports = append(s.reports, jobReport{r.GetJobId(), spool.JobControl(r.GetControl()), at})
	if at == unknown || at == over {
		return nil, spoolgrpc.ToStatus(spoolerr.New(spoolerr.Invalid, 0, "job %d is not being printed by this monitor", r.GetJobId()))
	}
	return &hostservicev1.SetJobResponse{}, nil
}

// SetPort takes reports of ports.
func (h *hostServices) SetPort(_ context.Context, r *hostservicev1.SetPortRequest) (*hostservicev1.SetPortResponse, error) {
	_, _, err := h.find("SetPort", r.GetSpooler(), nil)
	return &hostservicev1.SetPortResponse{}, err
}

// sent gives the reports that a job was printed.
func (h *hostServices) sent(s *spooler) []jobReport {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.reports), func(r jobReport) bool { return r.control != spool.JobControlSentToPrinter })
}

// note counts a report that came with an answer among those by SetJob.
func (h *hostServices) note(s *spooler, job uint64) {
	h.look(func() {
		s.reports = append(s.reports, jobReport{job: job, control: spool.JobControlSentToPrinter, phase: ending})
	})
}

func (h *hostServices) setPhase(s *spooler, job uint64, p phase) {
	h.look(func() { s.phases[job] = p })
}
