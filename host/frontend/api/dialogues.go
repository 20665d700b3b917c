package api

import (
	"context"

	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/host/dialogue"
	"github.com/spoolhost/spoolhost/host/spooler"
	"github.com/spoolhost/spoolhost/host/xcv"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/monitorui/form"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
	"github.com/spoolhost/spoolhost/sdk/wire/monitoruiwire"
)

type dialoguesServer struct {
	apiv1.UnimplementedDialoguesServer
	*Server
	open *xcv.Limit
}

// openDialogues bounds the processes of UI modules.
func openDialogues() *xcv.Limit { return &xcv.Limit{What: "dialogues", PerCaller: 4, InAll: 32} }

type dialogueStream = grpc.BidiStreamingServer[apiv1.DialogueRequest, apiv1.DialogueResponse]

func (s *dialoguesServer) Dialogue(stream dialogueStream) error {
	ctx := stream.Context()
	first, err := stream.Recv()
	if err != nil {
		return cutShort(ctx, err)
	}
	leave, err := s.open.Enter(callerOf(ctx).Name)
	if err != nil {
		return err
	}
	defer leave()
	sp, err := s.spooler(first.GetBegin().GetSpooler())
	if err != nil {
		return err
	}
	subject, target, err := subjectOf(first.GetBegin())
	if err != nil {
		return err
	}
	// Whoever may not administer need not be asked anything.
	granted, err := grant(ctx, spool.ServerAccessAdminister|spool.ServerAccessEnumerate)
	if err != nil {
		return err
	}
	session, err := sp.OpenXcv(ctx, target, granted)
	if err != nil {
		return err
	}
	defer func() { _ = session.Close(ctx) }() // nobody is left to hear of it
	subject.Monitor, subject.Server, subject.Session = session.Monitor(), sp.Name(), session
	return s.hold(stream, sp, subject)
}

// subjectOf reads what a dialogue is to do, and on what its handle is opened.
func subjectOf(b *apiv1.DialogueBegin) (s dialogue.Subject, t xcv.Target, err error) {
	switch op := b.GetOperation().(type) {
	case *apiv1.DialogueBegin_AddWithMonitor:
		return dialogue.Subject{Operation: monitoruiwire.AddPort}, xcv.Target{Monitor: op.AddWithMonitor}, nil
	case *apiv1.DialogueBegin_ConfigurePort:
		return dialogue.Subject{Operation: monitoruiwire.ConfigurePort, Port: op.ConfigurePort}, xcv.Target{Port: op.ConfigurePort}, nil
	case *apiv1.DialogueBegin_DeletePort:
		return dialogue.Subject{Operation: monitoruiwire.DeletePort, Port: op.DeletePort}, xcv.Target{Port: op.DeletePort}, nil
	}
	return s, t, spoolerr.New(spoolerr.Invalid, 0, "a dialogue begins with a port to add, configure or delete")
}

func (s *dialoguesServer) hold(stream dialogueStream, sp *spooler.Spooler, subject dialogue.Subject) error {
	// From here on the one that receives is this goroutine; it ends with the stream.
	p := &remotePerson{stream: stream, heard: make(chan *apiv1.DialogueRequest), failed: make(chan error, 1)}
	go p.listen()
	name, err := dialogue.Hold(stream.Context(), s.cfg.Dialogues, subject, p)
	if err != nil {
		return cutShort(stream.Context(), err)
	}
	outcome := &apiv1.DialogueOutcome{}
	switch subject.Operation {
	case monitoruiwire.AddPort:
		subject.Port = name
		fallthrough
	case monitoruiwire.ConfigurePort:
		if v, err := sp.Port(subject.Port); err == nil {
			outcome.Port = portToProto(sp.Name(), v)
		}
	}
	return stream.Send(&apiv1.DialogueResponse{Response: &apiv1.DialogueResponse_Outcome{Outcome: outcome}})
}

// remotePerson is the person at the other end of a stream.
type remotePerson struct {
	stream dialogueStream
	heard  chan *apiv1.DialogueRequest
	failed chan error
}

// listen receives for Ask, which must not wait longer than its ctx.
func (p *remotePerson) listen() {
	for {
		m, err := p.stream.Recv()
		if err != nil {
			p.failed <- err
			return
		}
		select {
		case p.heard <- m:
		case <-p.stream.Context().Done():
			return
		}
	}
}

// Ask implements monitoruiwire.Person.
func (p *remotePerson) Ask(ctx context.Context, page form.Page) (form.Answers, error) {
	err := p.stream.Send(&apiv1.DialogueResponse{Response: &apiv1.DialogueResponse_Page{Page: monitoruiwire.PageToProto(page)}})
	if err != nil {
		return nil, spoolgrpc.FromStatus(err)
	}
	select {
	case m := <-p.heard:
		switch {
		case m.GetCancel() != nil:
			return nil, spoolerr.New(spoolerr.Cancelled, 0, "the dialogue was cancelled")
		case m.GetAnswers() == nil:
			return nil, spoolerr.New(spoolerr.Invalid, 0, "a page is answered by answers or by a cancel")
		}
		return monitoruiwire.AnswersFromProto(m.GetAnswers()), nil
	case <-p.failed: // the front end has said its last word: that is giving up
		return nil, spoolerr.New(spoolerr.Cancelled, 0, "the dialogue was cancelled")
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Tell implements monitoruiwire.Person.
func (p *remotePerson) Tell(_ context.Context, n monitoruiwire.Notice) error {
	return spoolgrpc.FromStatus(p.stream.Send(&apiv1.DialogueResponse{Response: &apiv1.DialogueResponse_Notice{
		Notice: monitoruiwire.NoticeToProto(n),
	}}))
}
