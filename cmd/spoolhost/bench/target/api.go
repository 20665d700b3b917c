package target

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"time"

	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/plugins/tcpmon"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

// Conn is a connection to a host's API.
type Conn interface {
	grpc.ClientConnInterface
	io.Closer
}

// API is a spoolhost by its own API.
type API struct {
	addr    string
	spooler string
	dial    func() (Conn, error)
	admin   Conn
}

// NewAPI makes a target of a host. Each client dials a connection of its own.
func NewAPI(addr, spooler string, dial func() (Conn, error)) (*API, error) {
	admin, err := dial()
	if err != nil {
		return nil, err
	}
	return &API{addr: addr, spooler: spooler, dial: dial, admin: admin}, nil
}

// Name gives the host's address.
func (a *API) Name() string { return a.addr }

// Close ends the connection by which queues are made.
func (a *API) Close() error { return a.admin.Close() }

// Pid asks the host.
func (a *API) Pid(ctx context.Context) int {
	r, err := apiv1.NewHostClient(a.admin).GetStatus(ctx, &apiv1.GetStatusRequest{})
	if err != nil {
		return 0
	}
	return int(r.GetPid())
}

// Client dials.
func (a *API) Client() (Client, error) {
	conn, err := a.dial()
	if err != nil {
		return nil, err
	}
	const chunk = 256 << 10
	return &apiClient{conn: conn, jobs: apiv1.NewJobsClient(conn), spooler: a.spooler, buf: make([]byte, chunk)}, nil
}

// AddQueue makes a port of the Standard TCP/IP monitor and a printer of the same name.
func (a *API) AddQueue(ctx context.Context, name string, printer *net.TCPAddr) error {
	_, err := apiv1.NewPortsClient(a.admin).AddPort(ctx, &apiv1.AddPortRequest{
		Spooler: a.spooler, Name: name, Monitor: tcpmon.Name,
		Settings: map[string]string{"host": printer.IP.String(), "port": strconv.Itoa(printer.Port)},
	})
	if err != nil {
		return spoolgrpc.FromStatus(err)
	}
	_, err = apiv1.NewPrintersClient(a.admin).AddPrinter(ctx, &apiv1.AddPrinterRequest{
		Spooler: a.spooler, Name: name, Settings: &apiv1.PrinterSettings{Ports: []string{name}},
	})
	return spoolgrpc.FromStatus(err)
}

// RemoveQueue cancels the printer's jobs, and waits for one that is printing to end.
func (a *API) RemoveQueue(ctx context.Context, name string) error {
	printers, ports := apiv1.NewPrintersClient(a.admin), apiv1.NewPortsClient(a.admin)
	if _, err := printers.PurgePrinter(ctx, &apiv1.PurgePrinterRequest{Spooler: a.spooler, Name: name}); !gone(spoolgrpc.FromStatus(err)) {
		return spoolgrpc.FromStatus(err)
	}
	err := untilFree(ctx, func() error {
		_, err := printers.DeletePrinter(ctx, &apiv1.DeletePrinterRequest{Spooler: a.spooler, Name: name})
		return spoolgrpc.FromStatus(err)
	})
	if !gone(err) {
		return err
	}
	err = untilFree(ctx, func() error {
		_, err := ports.DeletePort(ctx, &apiv1.DeletePortRequest{Spooler: a.spooler, Name: name})
		return spoolgrpc.FromStatus(err)
	})
	if gone(err) {
		return nil
	}
	return err
}

func gone(err error) bool { return err == nil || spoolerr.KindOf(err) == spoolerr.NotFound }

// untilFree does again what fails because a job is just ending.
func untilFree(ctx context.Context, do func() error) error {
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for {
		err := do()
		kind := spoolerr.KindOf(err)
		if err == nil || kind != spoolerr.Busy && kind != spoolerr.Precondition {
			return err
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return err
		}
	}
}

type apiClient struct {
	conn    Conn
	jobs    apiv1.JobsClient
	spooler string
	buf     []byte
}

func (c *apiClient) Close() error { return c.conn.Close() }

// Submit streams the document.
func (c *apiClient) Submit(ctx context.Context, doc Document) error {
	ctx, cancel := context.WithCancel(ctx) // breaks the stream off if it is left early
	defer cancel()
	stream, err := c.jobs.SubmitJob(ctx)
	if err != nil {
		return spoolgrpc.FromStatus(err)
	}
	err = c.send(stream, doc)
	if err != nil && !errors.Is(err, io.EOF) { // At io.EOF the answer says why.
		return spoolgrpc.FromStatus(err)
	}
	_, err = stream.CloseAndRecv()
	return spoolgrpc.FromStatus(err)
}

func (c *apiClient) send(stream grpc.ClientStreamingClient[apiv1.SubmitJobRequest, apiv1.SubmitJobResponse], doc Document) error {
	header := &apiv1.SubmitHeader{Spooler: c.spooler, Printer: doc.Queue, Title: doc.Title}
	if err := stream.Send(&apiv1.SubmitJobRequest{Part: &apiv1.SubmitJobRequest_Header{Header: header}}); err != nil {
		return err
	}
	for {
		n, err := doc.Bytes.Read(c.buf)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&apiv1.SubmitJobRequest{Part: &apiv1.SubmitJobRequest_Chunk{Chunk: c.buf[:n]}}); err != nil {
			return err
		}
	}
	end := &apiv1.SubmitEnd{Size: uint64(doc.Size)}
	return stream.Send(&apiv1.SubmitJobRequest{Part: &apiv1.SubmitJobRequest_End{End: end}})
}
