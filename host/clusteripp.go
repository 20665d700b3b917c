package host

import (
	"context"
	"io"

	"github.com/spoolhost/spoolhost/host/frontend/access"
	"github.com/spoolhost/spoolhost/host/frontend/api"
	"github.com/spoolhost/spoolhost/host/frontend/ipp"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

var _ ipp.Elsewhere = (*clusterSpoolers)(nil)

// serves says which API the node answers with.
func (c *clusterSpoolers) serves(s *api.Server) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.api = s
}

// Has implements ipp.Elsewhere.
func (c *clusterSpoolers) Has(name string) bool {
	view, _ := c.node.View()
	s, ok := view.Spoolers[spool.Fold(name)]
	return ok && !s.Deleting
}

// Pass implements ipp.Elsewhere.
func (c *clusterSpoolers) Pass(ctx context.Context, p ipp.Passed) (io.ReadCloser, error) {
	c.mu.Lock()
	server := c.api
	c.mu.Unlock()
	if server == nil {
		return nil, spoolerr.New(spoolerr.Unavailable, 0, "the host is still starting; try again")
	}
	return server.PassIPP(ctx, p.Caller, &apiv1.PassIppRequest{
		Spooler: p.Spooler, Message: p.Message, Host: p.Host, Secure: p.Secure, Origin: p.Origin, Local: p.Local, User: p.User,
	})
}

// answer gives what answers requests that other nodes pass on.
func (f *ippFrontend) answer() func(context.Context, access.Caller, *apiv1.PassIppRequest, io.Writer) error {
	if f == nil {
		return nil
	}
	return func(ctx context.Context, who access.Caller, r *apiv1.PassIppRequest, w io.Writer) error {
		return f.server.Answer(ctx, ipp.Passed{
			Spooler: r.GetSpooler(), Caller: who, User: r.GetUser(), Origin: r.GetOrigin(), Host: r.GetHost(),
			Secure: r.GetSecure(), Local: r.GetLocal(), Message: r.GetMessage(),
		}, w)
	}
}
