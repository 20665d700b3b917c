package client

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"

	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/host/job"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

// Document is a document that goes to a server.
type Document struct {
	Title, User string
	Priority    uint32
	// Key is the same for each try to send it, and no other document's of this spooler.
	Key string
}

// Jobs are the jobs that print at the ports of connections.
type Jobs interface {
	// Outgoing describes the document of a job that prints now.
	Outgoing(ctx context.Context, id uint64) (Document, error)
	// Forwarded records durably which job of the server it has become; without an id, that it
	// may have become one.
	Forwarded(ctx context.Context, id uint64, to job.Forward) error
	// Stands records durably how it stands there.
	Stands(ctx context.Context, id uint64, f job.Forward) error
	// Job gives a job, Away those that have documents on other hosts.
	Job(ctx context.Context, id uint64) (*job.Job, error)
	Away(ctx context.Context) ([]*job.Job, error)
}

// OpenPort opens the port of a connection: what is printed there becomes a job of the server,
// exactly once, however often it has to be sent. It talks to nobody yet.
func (c *Client) OpenPort(_ context.Context, name string) (monitor.Port, error) {
	n, err := ParseName(name)
	if err != nil {
		return nil, err
	}
	if _, err := c.Get(n); err != nil {
		return nil, err
	}
	return &forwarder{c: c, name: n}, nil
}

// forwarder is the port of a connection. It takes one document at a time.
type forwarder struct {
	c      *Client
	name   Name
	remote *remote
	doc    *outgoing
}

// outgoing is a document on its way.
type outgoing struct {
	job    spool.Doc
	link   *link
	stream grpc.ClientStreamingClient[apiv1.SubmitJobRequest, apiv1.SubmitJobResponse]
	cancel context.CancelFunc
	sent   uint64
	key    string
	ended  bool // the server has been told that this is all of it

	answered chan struct{} // closed when the server has answered, or the stream has broken
	id       uint64
	err      error
}

// server gives the way to the server, by the addresses that the connection has now.
func (f *forwarder) server() (*remote, error) {
	con, err := f.c.Get(f.name)
	if err != nil {
		return nil, err
	}
	if err := f.c.cfg.Policy.allowed(con.Name.Server); err != nil {
		return nil, err
	}
	if f.remote == nil {
		f.remote = f.c.remote(&con)
	}
	return f.remote, nil
}

// StartDoc implements monitor.Port: it begins the submission.
func (f *forwarder) StartDoc(ctx context.Context, doc spool.Doc) error {
	r, err := f.server()
	if err != nil {
		return err
	}
	d, err := f.c.cfg.Jobs.Outgoing(ctx, doc.JobID)
	if err != nil {
		return err
	}
	key, err := f.c.submissionKey(ctx, d.Key)
	if err != nil {
		return err
	}
	err = r.try(ctx, func(ctx context.Context, l *link) error {
		f.doc, err = begin(ctx, doc, l, &apiv1.SubmitHeader{
			Spooler: r.to(), Printer: f.name.Printer, Title: d.Title, Priority: d.Priority, IdempotencyKey: key, OnBehalfOf: d.User,
		})
		return err
	})
	if err != nil {
		f.drop()
	}
	return err
}

// begin sends the header. The stream outlives the call that makes it.
func begin(ctx context.Context, doc spool.Doc, l *link, h *apiv1.SubmitHeader) (*outgoing, error) {
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	o := &outgoing{job: doc, link: l, cancel: cancel, key: h.GetIdempotencyKey(), answered: make(chan struct{})}
	err := o.within(ctx, func() (err error) {
		if o.stream, err = l.jobs.SubmitJob(life); err != nil {
			return err
		}
		return o.stream.Send(&apiv1.SubmitJobRequest{Part: &apiv1.SubmitJobRequest_Header{Header: h}})
	})
	if err != nil && !errors.Is(err, io.EOF) { // at EOF the answer says why
		cancel()
		return nil, err
	}
	go o.receive()
	return o, nil
}

// receive waits for the server's answer: it may come before the document has gone.
func (o *outgoing) receive() {
	defer close(o.answered)
	r := &apiv1.SubmitJobResponse{}
	err := o.stream.RecvMsg(r)
	if err == nil && r.GetJob().GetId() == 0 || errors.Is(err, io.EOF) {
		err = spoolerr.New(spoolerr.Unavailable, 0, "the server ended the submission without an answer")
	}
	o.id, o.err = r.GetJob().GetId(), spoolgrpc.FromStatus(err)
}

// within ends the stream if ctx ends before fn does.
func (o *outgoing) within(ctx context.Context, fn func() error) error {
	stop := context.AfterFunc(ctx, o.cancel)
	defer stop()
	return fn()
}

// isAnswered says that the server has answered; the error is its refusal.
func (o *outgoing) isAnswered() (bool, error) {
	select {
	case <-o.answered:
		return true, o.err
	default:
		return false, nil
	}
}

// Write implements monitor.Port. A server that has the document already wants no more of it.
func (f *forwarder) Write(ctx context.Context, p []byte) (int, error) {
	o := f.doc
	if o == nil {
		return 0, spoolerr.New(spoolerr.Precondition, spoolerr.CodeNoStartDoc, "no document was begun at port %s", f.name)
	}
	if done, err := o.isAnswered(); done {
		return len(p), f.failed(err)
	}
	err := o.within(ctx, func() error {
		return o.stream.Send(&apiv1.SubmitJobRequest{Part: &apiv1.SubmitJobRequest_Chunk{Chunk: p}})
	})
	if errors.Is(err, io.EOF) {
		<-o.answered // the stream is over
		err = o.err
	}
	if err != nil {
		return 0, f.failed(err)
	}
	o.sent += uint64(len(p))
	return len(p), nil
}

// EndDoc implements monitor.Port: when it returns without error, the server has the job on
// its disk, and that is recorded here.
func (f *forwarder) EndDoc(ctx context.Context, status spool.JobStatus) error {
	o := f.doc
	if o == nil {
		return nil
	}
	defer f.drop()
	if status&(spool.JobStatusDeleting|spool.JobStatusRestart) != 0 {
		return nil
	}
	id, err := o.end(ctx)
	if err != nil && (!o.ended || !passing(err)) {
		return f.failed(err)
	}
	to := job.Forward{Printer: f.name.String(), ID: id, Key: o.key}
	// Also when ctx has ended: what the server may have must not be forgotten.
	saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.c.cfg.Call)
	defer cancel()
	noted := f.c.cfg.Jobs.Forwarded(saving, o.job.JobID, to)
	if noted == nil {
		f.c.note(o.job.JobID, to)
	}
	return cmp.Or(f.failed(err), noted)
}

// end tells the server that this was all of the document, and waits for its answer.
func (o *outgoing) end(ctx context.Context) (id uint64, err error) {
	if done, _ := o.isAnswered(); !done {
		err := o.within(ctx, func() error {
			o.ended = true
			if err := o.stream.Send(&apiv1.SubmitJobRequest{Part: &apiv1.SubmitJobRequest_End{End: &apiv1.SubmitEnd{Size: o.sent}}}); err != nil {
				return err
			}
			return o.stream.CloseSend()
		})
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, spoolgrpc.FromStatus(err)
		}
	}
	select {
	case <-o.answered:
		return o.id, o.err
	case <-ctx.Done():
		return 0, spoolerr.As(ctx.Err(), spoolerr.TimedOut, "it did not answer")
	}
}

// failed has the next try go to another address, if the failure is of the address.
func (f *forwarder) failed(err error) error {
	if err = spoolgrpc.FromStatus(err); err == nil {
		return nil
	}
	if passing(err) && f.remote != nil && f.doc != nil {
		f.remote.next(f.doc.link)
	}
	return spoolerr.Wrap(err, "server %s", spool.Quote(f.name.Server))
}

// drop ends the document's stream; a server that has no end of it forgets what came.
func (f *forwarder) drop() {
	if f.doc != nil {
		f.doc.cancel()
		<-f.doc.answered
		f.doc = nil
	}
}

// Close implements monitor.Port.
func (f *forwarder) Close(context.Context) error {
	f.drop()
	if f.remote == nil {
		return nil
	}
	err := f.remote.Close()
	f.remote = nil
	return err
}

// submissionKey makes a key that no other host has.
func (c *Client) submissionKey(ctx context.Context, key string) (string, error) {
	id, err := c.id(ctx)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(id + "/" + key))
	return hex.EncodeToString(sum[:]), nil
}

// id gives what tells this spooler from all others, made at its first use.
func (c *Client) id(ctx context.Context) (string, error) {
	const value = "ClientID"
	unlock, err := c.lock(ctx, "id")
	if err != nil {
		return "", err
	}
	defer unlock()
	if v, err := c.cfg.Hive.QueryValue(ctx, root, value); err == nil {
		return v.Text()
	} else if !errors.Is(err, spoolerr.NotFound) {
		return "", err
	}
	id := rand.Text()
	if _, err := c.cfg.Hive.CreateKey(ctx, root); err != nil {
		return "", err
	}
	return id, c.cfg.Hive.SetValues(ctx, root, registry.String(value, id))
}
