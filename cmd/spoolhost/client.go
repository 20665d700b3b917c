package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/host/dial"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

// client is a host as a command sees it. All its errors are spoolerr errors that name
// the address where it matters.
type client struct {
	apiv1.HostClient
	apiv1.ClusterClient
	apiv1.MonitorsClient
	apiv1.PortsClient
	apiv1.PrintersClient
	apiv1.JobsClient
	apiv1.RegistryClient
	apiv1.EventsClient
	apiv1.XcvClient
	apiv1.ModulesClient
	apiv1.DialoguesClient
	apiv1.PrinterDataClient
	apiv1.DriversClient
	apiv1.ShareClient
	apiv1.SpoolersClient
	apiv1.NodesClient
	apiv1.ConnectionsClient

	conn *grpc.ClientConn
	addr dial.Target
}

// call is one run of a command against a host.
type call struct {
	*client
	out     output
	spooler string
	timeout time.Duration
	// bounded says that the person gave --timeout.
	bounded bool
}

// withHost makes a RunE of a function that needs a host.
func withHost(opts *options, do func(ctx context.Context, c *call, cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		host, err := connect(opts, cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		defer host.Close()
		return do(cmd.Context(), &call{
			client: host, out: newOutput(cmd, opts),
			spooler: opts.spooler, timeout: opts.timeout, bounded: opts.bounded,
		}, cmd, args)
	}
}

// connect prepares a connection; the first request makes it. What a person should know of
// it is written to notice.
func connect(opts *options, notice io.Writer) (*client, error) {
	addr, err := clientAddr(opts.addr)
	if err != nil {
		return nil, err
	}
	known, err := opts.proof.options(addr, notice)
	if err != nil {
		return nil, err
	}
	d := &dialer{addr: addr, known: known, timeout: opts.timeout}
	limits := requestLimits{timeout: opts.timeout, bounded: opts.bounded, explain: d.explain}
	conn, err := grpc.NewClient("passthrough:///spoolhost", append(known.Grpc(addr, d.dial),
		grpc.WithUnaryInterceptor(limits.unary),
		grpc.WithStreamInterceptor(limits.stream),
	)...)
	if err != nil {
		return nil, usagef("address %s: %s", addr, err)
	}
	return &client{
		HostClient: apiv1.NewHostClient(conn), ClusterClient: apiv1.NewClusterClient(conn), MonitorsClient: apiv1.NewMonitorsClient(conn),
		PortsClient: apiv1.NewPortsClient(conn), PrintersClient: apiv1.NewPrintersClient(conn),
		JobsClient: apiv1.NewJobsClient(conn), RegistryClient: apiv1.NewRegistryClient(conn), EventsClient: apiv1.NewEventsClient(conn),
		XcvClient: apiv1.NewXcvClient(conn), ModulesClient: apiv1.NewModulesClient(conn), DialoguesClient: apiv1.NewDialoguesClient(conn),
		PrinterDataClient: apiv1.NewPrinterDataClient(conn), DriversClient: apiv1.NewDriversClient(conn), ShareClient: apiv1.NewShareClient(conn),
		SpoolersClient: apiv1.NewSpoolersClient(conn), NodesClient: apiv1.NewNodesClient(conn),
		ConnectionsClient: apiv1.NewConnectionsClient(conn),
		conn:              conn, addr: addr,
	}, nil
}

// Close ends the connection. What could fail in it concerns nobody any more.
func (c *client) Close() { _ = c.conn.Close() }

// dialer connects to one address and remembers why it could not.
type dialer struct {
	addr    dial.Target
	known   dial.Options
	timeout time.Duration

	mu        sync.Mutex
	connected bool
	lastErr   error
}

func (d *dialer) dial(ctx context.Context) (net.Conn, error) {
	conn, err := d.known.Conn(ctx, d.addr)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		d.connected = true
	}
	d.lastErr = err
	return conn, err
}

// state says whether a connection was ever made, and the last error.
func (d *dialer) state() (connected bool, last error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.connected, d.lastErr
}

// howToReach is the remedy when no host answers.
func howToReach(addr dial.Target) string {
	return fmt.Sprintf("start a host there with \"spoolhost serve --listen %s\", or name another with --addr or %s", addr, addressVariable)
}

// rootCause cuts "dial unix /run/x.sock: connect: " from the front of a dial error: the
// address stands in the message already.
func rootCause(err error) string {
	text := err.Error()
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		text = op.Err.Error()
	}
	return strings.TrimPrefix(text, "connect: ")
}
