package netport

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"github.com/spoolhost/spoolhost/plugins/internal/deadline"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Remote is a printer's address and how to connect to it.
type Remote struct {
	Host string
	Port int
	// ConnectTimeout is how long Dial tries, over all of the host's addresses.
	ConnectTimeout time.Duration
	// KeepAlive is the time between TCP keep-alive probes; 0 is none. A printer that
	// answers nothing for four of them is gone.
	KeepAlive time.Duration
}

// Address is host and port as one text.
func (r Remote) Address() string { return net.JoinHostPort(r.Host, strconv.Itoa(r.Port)) }

// Dial connects. Its errors say what to check.
func (r Remote) Dial(ctx context.Context) (*net.TCPConn, error) {
	return r.dial(ctx, nil, limitUnsent)
}

// The source ports that RFC 1179 wants.
const (
	firstReserved = 721
	lastReserved  = 731
)

// DialReserved connects from one of the source ports 721 to 731, which only root can
// take: to line printer daemons that trust such ports.
func (r Remote) DialReserved(ctx context.Context) (conn *net.TCPConn, err error) {
	for port := lastReserved; port >= firstReserved; port-- {
		conn, err = r.dial(ctx, &net.TCPAddr{Port: port}, limitUnsent, reuseAddress)
		switch {
		case errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM):
			return nil, spoolerr.New(spoolerr.Denied, 0,
				"source port %d for %s may not be taken; run the host as root, or leave out the setting reservedPort", port, r.Address())
		case !errors.Is(err, syscall.EADDRINUSE) && !errors.Is(err, syscall.EADDRNOTAVAIL):
			return conn, err
		}
	}
	return nil, Unavailable(err, spoolerr.CodeBusy,
		"every source port from %d to %d is in use; leave out the setting reservedPort, or wait", firstReserved, lastReserved)
}

func (r Remote) dial(ctx context.Context, from *net.TCPAddr, options ...control) (*net.TCPConn, error) {
	dialer := net.Dialer{
		Deadline: deadline.Limit(ctx, r.ConnectTimeout),
		Control:  all(options),
		KeepAliveConfig: net.KeepAliveConfig{
			Enable: r.KeepAlive > 0, Idle: r.KeepAlive, Interval: r.KeepAlive, Count: probes,
		},
	}
	if r.KeepAlive == 0 {
		dialer.KeepAlive = -1
	}
	if from != nil {
		dialer.LocalAddr = from
	}
	conn, err := dialer.DialContext(ctx, "tcp", r.Address())
	if err != nil {
		return nil, r.connectError(ctx, err)
	}
	return conn.(*net.TCPConn), nil
}

// probes is how many keep-alive probes in a row may go unanswered.
const probes = 4

// control is a net.Dialer.Control.
type control func(network, address string, c syscall.RawConn) error

func all(options []control) control {
	return func(network, address string, c syscall.RawConn) error {
		for _, o := range options {
			if err := o(network, address, c); err != nil {
				return err
			}
		}
		return nil
	}
}

// Resolve gives the host's first address, looking a name up within the connect time-out.
func (r Remote) Resolve(ctx context.Context) (netip.Addr, error) {
	if a, err := netip.ParseAddr(r.Host); err == nil {
		return a, nil
	}
	limited, cancel := context.WithDeadline(ctx, deadline.Limit(ctx, r.ConnectTimeout))
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(limited, "ip", r.Host)
	if err != nil {
		return netip.Addr{}, r.connectError(ctx, err)
	}
	return found[0].Unmap(), nil
}
