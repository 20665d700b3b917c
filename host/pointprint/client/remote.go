package client

import (
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"sync"
	"time"

	"google.golang.org/grpc"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

// Link is a connection to one address of a server.
type Link interface {
	grpc.ClientConnInterface
	io.Closer
}

// Dialer makes a link to an address of a server. pinned is the identity that the server had
// at the first connection, empty if there was none; a server with another one is refused
// with spoolerr.Denied. The identity of the server comes back; empty where none is needed.
type Dialer func(ctx context.Context, server, address, pinned string) (l Link, identity string, err error)

// remote is a server as one operation speaks to it: the first of its addresses that answers.
type remote struct {
	dial      Dialer
	name      Name
	spooler   string
	addresses []string
	call      time.Duration

	mu         sync.Mutex
	identities map[string]string // by address
	at         int               // of addresses
	link       *link
	closed     bool
}

// link is a Link with the services of the API.
type link struct {
	Link
	printers apiv1.PrintersClient
	data     apiv1.PrinterDataClient
	drivers  apiv1.DriversClient
	share    apiv1.ShareClient
	jobs     apiv1.JobsClient
}

func (c *Client) remote(con *Connection) *remote {
	identities := make(map[string]string)
	maps.Copy(identities, con.Identities)
	return &remote{
		dial: c.cfg.Dial, name: con.Name, spooler: con.Spooler, addresses: con.Addresses, identities: identities, call: c.cfg.Call,
	}
}

// to gives the spooler that requests name.
func (r *remote) to() string { return r.spooler }

// do makes a call within its deadline, at the other addresses too if one does not answer.
func (r *remote) do(ctx context.Context, fn func(ctx context.Context, l *link) error) error {
	return r.try(ctx, func(ctx context.Context, l *link) error {
		ctx, cancel := context.WithTimeout(ctx, r.call)
		defer cancel()
		return fn(ctx, l)
	})
}

// try is do for a call that has its own deadline.
func (r *remote) try(ctx context.Context, fn func(ctx context.Context, l *link) error) (err error) {
	for range r.addresses {
		var l *link
		if l, err = r.open(ctx); err == nil {
			if err = spoolgrpc.FromStatus(fn(ctx, l)); !passing(err) {
				return err
			}
		}
		if ctx.Err() != nil {
			return err
		}
		r.next(l)
	}
	return err
}

// passing says that a failure is that of an address or of the moment.
func passing(err error) bool {
	switch spoolerr.KindOf(err) {
	case spoolerr.Unavailable, spoolerr.TimedOut, spoolerr.Exited, spoolerr.NotReady, spoolerr.Busy, spoolerr.Cancelled:
		return err != nil
	}
	return false
}

// open gives the link to the current address.
func (r *remote) open(ctx context.Context) (*link, error) {
	r.mu.Lock()
	l, address := r.link, r.addresses[r.at]
	pinned, downgrade := r.identities[address], len(r.identities) > 0
	r.mu.Unlock()
	if l != nil {
		return l, nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.call)
	defer cancel()
	made, identity, err := r.dial(ctx, r.name.Server, address, pinned)
	if err != nil {
		return nil, spoolerr.Wrap(err, "server %s at %s", spool.Quote(r.name.Server), address)
	}
	if identity != pinned && (pinned != "" || identity == "" && downgrade) {
		_ = made.Close()
		return nil, spoolerr.New(spoolerr.Denied, codeIdentity,
			"server %s at %s is not the one of the first connection: it has the identity %s, and had %s; if it was set up anew, delete the connection and add it again",
			spool.Quote(r.name.Server), address, cmp.Or(identity, "none"), cmp.Or(pinned, "one"))
	}
	l = &link{
		Link: made, printers: apiv1.NewPrintersClient(made), data: apiv1.NewPrinterDataClient(made), drivers: apiv1.NewDriversClient(made),
		share: apiv1.NewShareClient(made), jobs: apiv1.NewJobsClient(made),
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.link != nil { // meanwhile
		_ = made.Close()
		return r.link, closedUnless(r.link)
	}
	if r.link = l; identity != "" {
		r.identities[address] = identity
	}
	return l, nil
}

func closedUnless(l *link) error {
	if l != nil {
		return nil
	}
	return spoolerr.New(spoolerr.Cancelled, 0, "the connection was given up")
}

// next goes on to the next address, unless somebody has already.
func (r *remote) next(l *link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.link != l {
		return
	}
	if l != nil {
		_ = l.Close()
	}
	r.link, r.at = nil, (r.at+1)%len(r.addresses)
}

// Close ends the link.
func (r *remote) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	if r.link == nil {
		return nil
	}
	err := r.link.Close()
	r.link = nil
	return err
}

// known gives the identities that the server has shown, by address.
func (r *remote) known() map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.identities) == 0 {
		return nil
	}
	return maps.Clone(r.identities)
}

// codeIdentity is ERROR_TRUST_FAILURE.
const codeIdentity spoolerr.Code = 1790

// ended says that a stream came to its end.
func ended(err error) bool { return errors.Is(err, io.EOF) }
