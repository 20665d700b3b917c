package ipp

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/OpenPrinting/goipp"

	"github.com/spoolhost/spoolhost/host/frontend/access"
	"github.com/spoolhost/spoolhost/host/spooler"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Elsewhere is what the front end needs of cluster spoolers that are not open on this host.
type Elsewhere interface {
	// Has says whether the cluster has a spooler of this name.
	Has(name string) bool
	// Intake gives a spooler that takes jobs for a printer, or knows no printer if the name is
	// empty.
	Intake(ctx context.Context, spooler, printer string) (*spooler.Spooler, error)
	// Pass has the spooler's owner answer. No answer and no error say that this host has
	// become the owner, and that nothing was done.
	Pass(ctx context.Context, p Passed) (io.ReadCloser, error)
}

// Passed is a request that goes from one node to another. Who asks is known, and may.
type Passed struct {
	Spooler string
	Caller  access.Caller
	// User is the name that the caller goes by, Origin the client's address.
	User, Origin string
	// Host is what the client calls the node that it has asked.
	Host          string
	Secure, Local bool
	// Message is the request without a document.
	Message []byte
}

// way says which node does an operation on a cluster spooler.
type way int

const (
	atOwner  way = iota // the one that owns it
	atAny               // each: intake does not depend on the owner
	ownerNow            // the owner if it answers in a moment, else each by what is recorded
)

// ownerPatience is how long an operation of the way ownerNow waits for the owner.
const ownerPatience = 2 * time.Second

// runElsewhere carries out a request for a spooler that is not open here.
func (s *Server) runElsewhere(r *request) (*reply, error) {
	if s.cfg.Elsewhere == nil || !s.cfg.Elsewhere.Has(r.target.spooler) {
		return nil, fail(goipp.StatusErrorNotFound, "spooler %s does not exist on this host", spool.Quote(r.target.spooler))
	}
	if r.passed {
		return nil, fail(goipp.StatusErrorServiceUnavailable, "spooler %s has moved to another node; try again", spool.Quote(r.target.spooler))
	}
	switch r.op.way {
	case atAny:
		return s.runRecorded(r)
	case ownerNow:
		out, err := s.passFor(r, ownerPatience)
		if kind := spoolerr.KindOf(err); err != nil && (kind == spoolerr.Unavailable || kind == spoolerr.Cancelled || errors.Is(err, context.Canceled)) {
			return s.runRecorded(r)
		}
		return out, err
	}
	return s.passFor(r, 0)
}

// runRecorded carries out a request by what is recorded of the spooler.
func (s *Server) runRecorded(r *request) (_ *reply, err error) {
	printer := r.target.printer
	r.recorded = true
	if r.spooler, err = s.cfg.Elsewhere.Intake(r.ctx, r.target.spooler, printer); err != nil {
		return nil, err
	}
	if printer == "" {
		id, err := jobID(r)
		if err != nil || id == 0 {
			return nil, errors.Join(err, fail(goipp.StatusErrorServiceUnavailable, "no node owns spooler %s at this moment; try again", spool.Quote(r.target.spooler)))
		}
		j, err := r.spooler.Queue().Get(r.ctx, id)
		if err != nil {
			return nil, err
		}
		if r.spooler, err = s.cfg.Elsewhere.Intake(r.ctx, r.target.spooler, j.Printer); err != nil {
			return nil, err
		}
	}
	return s.runHere(r)
}

// passFor has the owner answer; most, if not 0, is how long it may take to begin.
func (s *Server) passFor(r *request, most time.Duration) (*reply, error) {
	message, err := r.msg.EncodeBytes()
	if err != nil {
		return nil, fail(goipp.StatusErrorBadRequest, "the request cannot be passed on: %v", err)
	}
	ctx, cancel := context.WithCancel(r.ctx)
	if most > 0 {
		late := time.AfterFunc(most, cancel)
		defer late.Stop()
	}
	answer, err := s.cfg.Elsewhere.Pass(ctx, Passed{
		Spooler: r.target.spooler, Caller: r.caller, User: r.user, Origin: r.origin, Host: r.base.host, Secure: r.base.secure, Local: r.local, Message: message,
	})
	switch {
	case err != nil:
		cancel()
		return nil, err
	case answer == nil:
		cancel()
		if !s.findSpooler(r) {
			return nil, fail(goipp.StatusErrorServiceUnavailable, "spooler %s is on its way from one node to another; try again", spool.Quote(r.target.spooler))
		}
		return s.runHere(r)
	}
	return &reply{whole: passedAnswer{answer, cancel}}, nil
}

type passedAnswer struct {
	io.ReadCloser
	cancel context.CancelFunc
}

// Close ends the request at the other node.
func (p passedAnswer) Close() error {
	p.cancel()
	return p.ReadCloser.Close()
}

// Answer carries out a request that another node has passed on, and writes the answer.
func (s *Server) Answer(ctx context.Context, p Passed, w io.Writer) error {
	s.closing.Do(s.start)
	r := &request{
		ctx: ctx, base: base{host: p.Host, secure: p.Secure}, origin: p.Origin, local: p.Local, caller: p.Caller, user: p.User,
		document: strings.NewReader(""), passed: true,
	}
	err := decodeMessage(&r.msg, bytes.NewReader(p.Message))
	if err == nil {
		err = s.checkEnvelope(r)
	}
	var out *reply
	switch {
	case err != nil:
	case r.caller.Role < r.op.role:
		err = fail(goipp.StatusErrorForbidden, "%s needs the role %s", r.op.name, r.op.role)
	default:
		out, err = s.run(r)
	}
	out = s.settle(r, out, err, p.Origin)
	defer out.close()
	buffered := bufio.NewWriterSize(w, 32<<10)
	if err := out.write(buffered, r); err != nil {
		return err
	}
	return buffered.Flush()
}
