package host

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"path/filepath"
	"strings"

	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/host/dial"
	"github.com/spoolhost/spoolhost/host/pointprint/client"
	"github.com/spoolhost/spoolhost/host/pointprint/confine"
	"github.com/spoolhost/spoolhost/host/spooler"
	"github.com/spoolhost/spoolhost/host/trust"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// openConnections reads the connections to printers of other hosts, which are printers of
// the node's spooler.
func (h *Host) openConnections(ctx context.Context) (err error) {
	if err := h.cfg.PointPrint.open(); err != nil {
		return err
	}
	if h.drivers, err = confine.OpenTree(filepath.Join(h.cfg.Data, "drivers")); err != nil {
		return err
	}
	h.connections, err = client.New(ctx, client.Config{
		Spooler: spooler.NodeName, Hive: h.node.Hive(), Modules: h.node.Modules(), Printers: h.node, Jobs: h.node,
		Tree: h.drivers, Dial: h.dialServer, Policy: h.cfg.PointPrint.Policy, Environment: h.cfg.PointPrint.Environment,
		Client: client.ThisSystem(), Call: h.cfg.Limits.Call, Events: h.events, Logger: h.cfg.Logger, Now: h.cfg.Now,
	})
	if err == nil {
		h.node.Provide("Print Connections", h.connections)
	}
	return err
}

// closeConnections gives back what openConnections opened.
func (h *Host) closeConnections() error {
	if h.drivers == nil {
		return nil
	}
	return h.drivers.Close()
}

// dialServer reaches a print server for the connections, and makes sure whom it has reached:
// by an authority if the configuration names one, else by the identity that the server had
// at the first connection.
func (h *Host) dialServer(ctx context.Context, address string, known client.Known) (client.Link, string, error) {
	target, err := dial.Parse(address)
	if err != nil {
		return nil, "", err
	}
	o, identity := dial.Options{User: h.cfg.PointPrint.User, Password: h.cfg.PointPrint.password, Certificate: h.cfg.PointPrint.certificate}, ""
	switch {
	case target.Network == "tls":
		if identity, err = h.identify(ctx, &o, target, known); err != nil {
			return nil, "", err
		}
	case target.Network == "tcp" && !loopback(target.Address):
		return nil, "", spoolerr.New(spoolerr.Denied, 0, "address %s is not of this machine and has no encryption; use tls:%s", address, address)
	}
	conn, err := dial.New(target, o, grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxServerMessage)))
	return conn, identity, err
}

// maxServerMessage bounds a message of a server: a printer's data, or a part of a file.
const maxServerMessage = 16 << 20

// identify finds out who is at an address. From then on the options take nobody else.
func (h *Host) identify(ctx context.Context, o *dial.Options, target dial.Target, known client.Known) (identity string, err error) {
	cluster, ofCluster := strings.CutPrefix(known.Identity, client.OfCluster)
	switch identity = known.Identity; {
	case h.cfg.PointPrint.roots != nil:
		o.Roots, identity = h.cfg.PointPrint.roots, client.ByAuthority
	case identity == client.ByAuthority:
		return "", spoolerr.New(spoolerr.Denied, client.CodeIdentity,
			"it was known by an authority, and point_and_print in the configuration names no ca now; name it again, or delete the connection and add it again")
	case ofCluster:
		o.Authority = cluster
	case identity != "":
		o.Fingerprint = identity
	case known.Meet:
		return meet(ctx, o, target)
	default:
		return "", spoolerr.New(spoolerr.Unavailable, client.CodeIdentity, "it was never met; have it met with spoolhost connection refresh")
	}
	ctx, cancel := context.WithTimeout(ctx, dial.Timeout)
	defer cancel()
	conn, err := o.Conn(ctx, target)
	if spoolerr.KindOf(err) == spoolerr.Denied {
		return "", spoolerr.New(spoolerr.Denied, client.CodeIdentity, "%s; if it was set up anew, delete the connection and add it again", err)
	}
	if err != nil {
		return "", spoolerr.As(err, spoolerr.Unavailable, "it cannot be reached")
	}
	return identity, conn.Close()
}

// meet takes a server that was never met for what it says: a node of a cluster, or the
// holder of a key.
func meet(ctx context.Context, o *dial.Options, target dial.Target) (identity string, err error) {
	cfg := o.TLS(target)
	cfg.InsecureSkipVerify = true //nolint:gosec // the key is what the caller pins
	cfg.VerifyConnection = func(state tls.ConnectionState) error {
		if authority, ok := trust.ClusterOf(state.PeerCertificates); ok {
			o.Authority, identity = authority, client.OfCluster+authority
			return nil
		}
		identity = trust.Fingerprint(state.PeerCertificates[0])
		o.Fingerprint = identity
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, dial.Timeout)
	defer cancel()
	conn, err := (&tls.Dialer{Config: cfg}).DialContext(ctx, "tcp", target.Address)
	var unreached *net.OpError
	if errors.As(err, &unreached) && unreached.Op == "dial" {
		return "", spoolerr.As(err, spoolerr.Unavailable, "it cannot be reached")
	}
	if err != nil {
		return "", dial.HandshakeError(target, err)
	}
	return identity, conn.Close()
}

// loopback says that an address is of this machine.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}
