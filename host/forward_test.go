//go:build unix

package host

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/spoolhost/spoolhost/host/hosttest"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

// cable is the network between client and server, which a test cuts.
type cable struct {
	t        *testing.T
	listener net.Listener
	to       string
	// deaf swallows what the server says; limit cuts a connection after so many bytes of it.
	deaf  atomic.Bool
	limit atomic.Int64
	// down is how many bytes of the server have reached the client in all, cuts how many
	// connections have come to the limit.
	down, cuts atomic.Int64

	wait  sync.WaitGroup
	mu    sync.Mutex
	conns map[net.Conn]bool
}

func newCable(t *testing.T, to string) *cable {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{t: t, listener: l, to: to, conns: make(map[net.Conn]bool)}
	c.wait.Go(c.accept)
	t.Cleanup(func() {
		_ = l.Close()
		c.cut()
		c.wait.Wait()
	})
	return c
}

func (c *cable) address() string { return c.listener.Addr().String() }

func (c *cable) accept() {
	for {
		near, err := c.listener.Accept()
		if err != nil {
			return
		}
		far, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", c.to)
		if err != nil {
			_ = near.Close()
			continue
		}
		c.mu.Lock()
		c.conns[near], c.conns[far] = true, true
		c.mu.Unlock()
		c.wait.Go(func() { c.up(far, near) })
		c.wait.Go(func() { c.back(near, far) })
	}
}

// up carries what the client says.
func (c *cable) up(far, near net.Conn) {
	defer func() { _, _ = far.Close(), near.Close() }()
	_, _ = io.Copy(far, near)
}

// back carries what the server says, frame by frame of HTTP/2. A deaf client gets only those
// by which the server lets it go on sending.
func (c *cable) back(near, far net.Conn) {
	defer func() { _, _ = far.Close(), near.Close() }()
	const header, data, headers = 9, 0, 1
	b := make([]byte, header+1<<20) // gRPC sends frames of 16 KiB
	for sent := int64(0); ; {
		if _, err := io.ReadFull(far, b[:header]); err != nil {
			return
		}
		n := header + int(b[0])<<16 + int(b[1])<<8 + int(b[2])
		if _, err := io.ReadFull(far, b[header:n]); err != nil {
			return
		}
		if c.deaf.Load() && (b[3] == data || b[3] == headers) {
			continue
		}
		limit := c.limit.Load()
		if limit > 0 {
			n = int(min(int64(n), limit-sent))
		}
		if _, err := near.Write(b[:n]); err != nil {
			return
		}
		c.down.Add(int64(n))
		if sent += int64(n); limit > 0 && sent >= limit {
			c.cuts.Add(1)
			return
		}
	}
}

// cut ends all connections.
func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.conns {
		_ = conn.Close()
		delete(c.conns, conn)
	}
}

// queues are a pair whose printer prints to a device that counts.
type queues struct {
	*pair
	sink  *hosttest.Sink
	cable *cable
}

func newQueues(t *testing.T) *queues {
	t.Helper()
	q := &queues{pair: newPair(t)}
	q.cable = newCable(t, q.address()) // the server keeps its port when it is started again
	q.connect(q.cable.address())
	return q
}

// connect makes the printer print to a device that counts, and the connection to it.
func (q *queues) connect(address string) {
	q.t.Helper()
	var err error
	if q.sink, err = hosttest.NewSink(nil); err != nil {
		q.t.Fatal(err)
	}
	q.t.Cleanup(q.sink.Close)
	if err = q.printTo(q.sink); err == nil {
		_, _, err = q.client.connections.Add(q.t.Context(), q.name(), []string{address}, nil)
	}
	if err != nil {
		q.t.Fatal(err)
	}
}

// printTo gives HpColor another port.
func (p *pair) printTo(sink *hosttest.Sink) error {
	_, err := apiv1.NewPortsClient(p.conn).AddPort(p.t.Context(), &apiv1.AddPortRequest{Spooler: p.spooler, Name: "SINK:", Monitor: "Mock", Settings: map[string]string{
		"to": "127.0.0.1:" + strconv.Itoa(sink.Port()),
	}})
	if err == nil {
		_, err = apiv1.NewPrintersClient(p.conn).UpdatePrinter(p.t.Context(), &apiv1.UpdatePrinterRequest{
			Spooler: p.spooler, Name: "HpColor", Settings: &apiv1.PrinterSettings{Ports: []string{"SINK:"}},
		})
	}
	return err
}

// stall keeps the server from printing until resume is called.
func (q *queues) stall() (resume func()) {
	q.t.Helper()
	printers := apiv1.NewPrintersClient(q.conn)
	if _, err := printers.PausePrinter(q.t.Context(), &apiv1.PausePrinterRequest{Spooler: q.spooler, Name: "HpColor"}); err != nil {
		q.t.Fatal(err)
	}
	return func() {
		if _, err := printers.ResumePrinter(q.t.Context(), &apiv1.ResumePrinterRequest{Spooler: q.spooler, Name: "HpColor"}, grpc.WaitForReady(true)); err != nil {
			q.t.Error(err)
		}
	}
}

// near is the API of the client host.
func (q *queues) near() apiv1.JobsClient { return apiv1.NewJobsClient(q.dialClient()) }

func (q *queues) dialClient() *grpc.ClientConn {
	q.t.Helper()
	conn, err := grpc.NewClient(q.clientNode.cfg.Listen[0], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		q.t.Fatal(err)
	}
	q.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func (q *queues) far() apiv1.JobsClient { return apiv1.NewJobsClient(q.conn) }

// print queues a document on the client.
func (q *queues) print(doc []byte) uint64 {
	q.t.Helper()
	s, err := q.near().SubmitJob(q.t.Context())
	if err != nil {
		q.t.Fatal(err)
	}
	_ = s.Send(&apiv1.SubmitJobRequest{Part: &apiv1.SubmitJobRequest_Header{Header: &apiv1.SubmitHeader{Printer: q.name().String(), Title: "t"}}})
	for rest := doc; len(rest) > 0; {
		n := min(len(rest), 256<<10)
		_ = s.Send(&apiv1.SubmitJobRequest{Part: &apiv1.SubmitJobRequest_Chunk{Chunk: rest[:n]}})
		rest = rest[n:]
	}
	_ = s.Send(&apiv1.SubmitJobRequest{Part: &apiv1.SubmitJobRequest_End{End: &apiv1.SubmitEnd{Size: uint64(len(doc))}}})
	r, err := s.CloseAndRecv()
	if err != nil {
		q.t.Fatal(err)
	}
	return r.GetJob().GetId()
}

// here and there list the jobs of the client and of the server.
func (q *queues) here(all bool) []*apiv1.Job  { return q.jobs(q.near(), "", all) }
func (q *queues) there(all bool) []*apiv1.Job { return q.jobs(q.far(), q.spooler, all) }

func (q *queues) jobs(c apiv1.JobsClient, spooler string, all bool) (list []*apiv1.Job) {
	s, err := c.ListJobs(q.t.Context(), &apiv1.ListJobsRequest{Spooler: spooler, All: all})
	if err != nil {
		return nil
	}
	for {
		m, err := s.Recv()
		if err != nil {
			return list
		}
		list = append(list, m.GetJobs()...)
	}
}

// printed waits until the device has so many documents, and checks that the server never had
// another job, and that each is the whole document.
func (q *queues) printed(n int, doc []byte) {
	q.t.Helper()
	await(q.t, "the documents", func() bool {
		ended := 0
		for _, r := range q.sink.Receipts() {
			if !r.Ended.IsZero() {
				ended++
			}
		}
		return ended >= n
	})
	await(q.t, "the end at the server", func() bool {
		done := 0
		for _, j := range q.there(true) {
			if j.GetState() == "printed" {
				done++
			}
		}
		return done >= n
	})
	if got := q.there(true); len(got) != n {
		q.t.Errorf("the server has %d jobs, and should have %d: %v", len(got), n, got)
	}
	for _, r := range q.sink.Receipts() {
		if r.Bytes != int64(len(doc)) {
			q.t.Errorf("a document of %d bytes was printed; it has %d", r.Bytes, len(doc))
		}
	}
}

func page(size int) []byte { return bytes.Repeat([]byte("forward!"), size/8) }

// TestForwardThroughAServersRestart restarts the server in the middle of a document.
func TestForwardThroughAServersRestart(t *testing.T) {
	t.Parallel()
	q := newQueues(t)
	doc := page(32 << 20)
	q.print(doc)
	await(t, "the beginning", q.begun)
	q.serverNode.stop()
	q.server = q.serverNode.start()
	q.printed(1, doc)
}

// begun says that the server has received something of a document.
func (q *queues) begun() bool {
	return len(hosttest.Documents(filepath.Join(q.serverNode.cfg.Data, "documents"))) > 0
}

// TestForwardWhoseAnswerIsLost: the server has the job, and the client does not hear of it.
func TestForwardWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	q := newQueues(t)
	doc := page(1 << 20)
	q.cable.deaf.Store(true)
	id := q.print(doc)
	await(t, "the job at the server", func() bool { return len(q.there(true)) == 1 })
	q.cable.cut()
	q.cable.deaf.Store(false)
	q.printed(1, doc)
	await(t, "the client to know", func() bool {
		r, err := q.near().GetJob(t.Context(), &apiv1.GetJobRequest{Id: id})
		f := r.GetJob().GetForwarded()
		return err == nil && len(f) == 1 && f[0].GetId() == 1 && f[0].GetJob().GetState() == "printed"
	})
}

// TestForwardThroughTheClientsRestart restarts the client in the middle of a document, and
// again after it; what the server says in the end is in the client's record.
func TestForwardThroughTheClientsRestart(t *testing.T) {
	t.Parallel()
	q := newQueues(t)
	resume := q.stall()
	doc := page(32 << 20)
	id := q.print(doc)
	await(t, "the beginning", q.begun)
	q.clientNode.stop()
	q.client = q.clientNode.start()
	await(t, "the job at the server", func() bool { return len(q.there(false)) == 1 })
	await(t, "the client to list it", func() bool {
		list := q.here(false)
		return len(list) == 1 && list[0].GetState() == "printed" && list[0].GetForwarded()[0].GetJob().GetState() == "queued"
	})
	q.clientNode.stop()
	resume()
	q.client = q.clientNode.start()
	q.printed(1, doc)
	await(t, "the client to hear of the end", func() bool { return len(q.here(false)) == 0 })
	q.serverNode.stop() // the client knows by itself now
	r, err := q.near().GetJob(t.Context(), &apiv1.GetJobRequest{Id: id})
	if f := r.GetJob().GetForwarded(); err != nil || len(f) != 1 || !f[0].GetOver() || f[0].GetJob().GetState() != "printed" {
		t.Errorf("%v, %v", r, err)
	}
}

// TestCancelReachesTheServer cancels a job that has been forwarded: at once, while the server
// is away, and one whose answer was lost.
func TestCancelReachesTheServer(t *testing.T) {
	t.Parallel()
	q := newQueues(t)
	q.stall()
	cancelled := func(n int) {
		t.Helper()
		await(t, "the cancellation at the server", func() bool {
			there := 0
			for _, j := range q.there(true) {
				if j.GetState() == "cancelled" {
					there++
				}
			}
			return there == n
		})
		await(t, "the client to know of it", func() bool { return len(q.here(false)) == 0 })
	}
	sentAway := func(id uint64) {
		t.Helper()
		await(t, "the job to be sent", func() bool {
			r, err := q.near().GetJob(t.Context(), &apiv1.GetJobRequest{Id: id})
			return err == nil && r.GetJob().GetState() == "printed"
		})
	}
	cancel := func(id uint64) error {
		_, err := q.near().CancelJob(t.Context(), &apiv1.CancelJobRequest{Id: id})
		return spoolgrpc.FromStatus(err)
	}
	first := q.print(page(1 << 10))
	sentAway(first)
	if err := cancel(first); err != nil {
		t.Fatal(err)
	}
	cancelled(1)
	if err := cancel(first); spoolerr.KindOf(err) != spoolerr.Precondition {
		t.Errorf("the second time: %v", err)
	}

	second := q.print(page(1 << 10))
	sentAway(second)
	q.serverNode.stop()
	if err := cancel(second); err != nil {
		t.Fatal(err)
	}
	q.server = q.serverNode.start()
	cancelled(2)

	q.cable.deaf.Store(true)
	third := q.print(page(1 << 10))
	await(t, "the third at the server", func() bool { return len(q.there(true)) == 3 })
	q.cable.cut() // and it stays deaf: the client does not hear of it
	await(t, "the client to hold it unsent", func() bool {
		r, err := q.near().GetJob(t.Context(), &apiv1.GetJobRequest{Id: third})
		return err == nil && len(r.GetJob().GetForwarded()) == 1 && r.GetJob().GetState() == "queued"
	})
	if err := cancel(third); err != nil {
		t.Fatal(err)
	}
	q.cable.cut()
	q.cable.deaf.Store(false)
	cancelled(3)
	if got := q.sink.Receipts(); len(got) != 0 {
		t.Errorf("%d documents were printed", len(got))
	}
}

// TestJobsOfADeletedConnection are given up.
func TestJobsOfADeletedConnection(t *testing.T) {
	t.Parallel()
	q := newQueues(t)
	q.stall()
	id := q.print(page(1 << 10))
	await(t, "the job to be away and its attempt to have ended", func() bool {
		r, err := q.near().GetJob(t.Context(), &apiv1.GetJobRequest{Id: id})
		return err == nil && r.GetJob().GetState() == "printed" && len(q.client.connections.Away()) == 1
	})
	if _, err := q.client.connections.Delete(t.Context(), q.name(), nil); err != nil {
		t.Fatal(err)
	}
	await(t, "the job to be given up", func() bool { return len(q.client.connections.Away()) == 0 })
	r, err := q.near().GetJob(t.Context(), &apiv1.GetJobRequest{Id: id})
	if f := r.GetJob().GetForwarded(); err != nil || len(f) != 1 || !strings.Contains(f[0].GetProblem()+fmt.Sprint(f[0].GetJob()), "deleted") {
		t.Errorf("%v, %v", r, err)
	}
}
