package client

import (
	"context"
	"errors"
	"io"
	"maps"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/host/dial"
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

// Known is what is known of the server at an address.
type Known struct {
	// Identity is what it must prove; empty if it was never met.
	Identity string
	// Meet says that one that was never met is taken for what it says: somebody asks for the
	// connection. Later, nobody is there to look.
	Meet bool
}

// The forms of an identity. Any other is the fingerprint of a server's own key.
const (
	// ByAuthority: its certificate came from an authority that the configuration names.
	ByAuthority = "authority"
	// OfCluster, with the fingerprint of a cluster's authority: it is one of the nodes.
	OfCluster = "cluster "
)

// Dialer makes a link to an address of a server. The identity that it has proved comes back,
// empty where none is needed; a server that does not prove what is known of it is refused
// with CodeIdentity.
type Dialer func(ctx context.Context, address string, known Known) (l Link, identity string, err error)

// remote is a server as one operation speaks to it: the first of its addresses that answers.
type remote struct {
	dial      Dialer
	name      Name
	spooler   string
	addresses []string
	call      time.Duration
	// meets says that servers that were never met may be, refused is told of those that are not
	// who they should be.
	meets   bool
	refused func(address string, err error)

	mu         sync.Mutex
	identities map[string]string // by address
	at         int               // of addresses
	link       *link
	closed     bool
}

// link is a Link with the services of the API.
type link struct {
	Link
	address  string
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
		refused: func(address string, err error) { c.strange(con.Name, address, err) },
	}
}

// to gives the spooler that requests name.
func (r *remote) to() string { return r.spooler }

// do makes a call within its deadline, at the other addresses too if one does not answer. A
// server that many want at once may refuse somebody once.
func (r *remote) do(ctx context.Context, fn func(ctx context.Context, l *link) error) (err error) {
	pause := backoff{first: 200 * time.Millisecond, most: time.Second}
	for range 2 {
		err = r.try(ctx, func(ctx context.Context, l *link) error {
			ctx, cancel := context.WithTimeout(ctx, r.call)
			defer cancel()
			return fn(ctx, l)
		})
		if !passing(err) || pause.wait(ctx) != nil {
			break
		}
	}
	return err
}

// try is do for a call that has its own deadline.
func (r *remote) try(ctx context.Context, fn func(ctx context.Context, l *link) error) (err error) {
	for range r.addresses {
		var l *link
		if l, err = r.open(ctx); err == nil {
			if err = r.explain(l, fn(ctx, l)); !passing(err) {
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

// explain gives the error of a call a kind; one of the way to the server names both.
func (r *remote) explain(l *link, err error) error {
	if plain := dial.Explain(l.address, err); plain != err { //nolint:errorlint // whether it is the same
		return spoolerr.Wrap(plain, "server %s at %s", spool.Quote(r.name.Server), l.address)
	}
	return spoolgrpc.FromStatus(err)
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
	r.mu.Unlock()
	if l != nil {
		return l, nil
	}
	made, identity, err := r.prove(ctx, address)
	if err != nil {
		return nil, err
	}
	l = &link{
		Link: made, address: address, printers: apiv1.NewPrintersClient(made), data: apiv1.NewPrinterDataClient(made), drivers: apiv1.NewDriversClient(made),
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

// prove makes a link to an address whose server is the one that is meant.
func (r *remote) prove(ctx context.Context, address string) (Link, string, error) {
	known := r.expected(address)
	ctx, cancel := context.WithTimeout(ctx, r.call)
	defer cancel()
	made, identity, err := r.dial(ctx, address, known)
	if err == nil && identity == "" && len(r.known()) > 0 {
		_ = made.Close()
		err = spoolerr.New(spoolerr.Denied, CodeIdentity, "it proves no identity, and the server had one; use its address with tls:, or delete the connection and add it again")
	}
	if err != nil {
		err = spoolerr.Wrap(err, "server %s at %s", spool.Quote(r.name.Server), address)
	}
	r.refused(address, err)
	return made, identity, err
}

// expected gives what the server at an address must prove: what it has shown, or that it is
// of the cluster that others are of. The ways to a server that has shown an identity all
// need one.
func (r *remote) expected(address string) Known {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := Known{Identity: r.identities[address], Meet: r.meets}
	for _, other := range r.identities {
		if known.Identity == "" && (strings.HasPrefix(other, OfCluster) || other == ByAuthority) {
			known.Identity = other
		}
	}
	return known
}

// meetAll learns the identities of the addresses that have not been needed, so that each is
// known before there is something to gain by another in its place. Those that do not answer
// are left.
func (r *remote) meetAll(ctx context.Context) error {
	for _, address := range r.addresses {
		if r.known()[address] != "" {
			continue
		}
		l, identity, err := r.prove(ctx, address)
		if err != nil && !passing(err) {
			return err
		}
		if err != nil {
			continue
		}
		_ = l.Close()
		r.mu.Lock()
		if identity != "" {
			r.identities[address] = identity
		}
		r.mu.Unlock()
	}
	return nil
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

// CodeIdentity is ERROR_TRUST_FAILURE.
const CodeIdentity spoolerr.Code = 1790

// ended says that a stream came to its end.
func ended(err error) bool { return errors.Is(err, io.EOF) }
