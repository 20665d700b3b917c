package monitorui

import (
	"context"
	"log/slog"
	"strings"
	"sync"

	"google.golang.org/grpc"

	monitoruiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/monitorui/v1"
	"github.com/spoolhost/spoolhost/sdk/monitorui/form"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
	"github.com/spoolhost/spoolhost/sdk/wire"
	"github.com/spoolhost/spoolhost/sdk/wire/monitoruiwire"
)

type stream = grpc.BidiStreamingServer[monitoruiv1.DialogueRequest, monitoruiv1.DialogueResponse]

// server is the module's side of monitorui/v1.
type server struct {
	monitoruiv1.UnimplementedMonitorUIServer
	ui   UI
	host *wire.Host
	log  *slog.Logger
}

// Dialogue runs one function of MONITORUI.
func (s *server) Dialogue(stream stream) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	begin := first.GetBegin()
	if begin == nil {
		return spoolgrpc.ToStatus(spoolerr.New(spoolerr.Invalid, 0, "a dialogue begins with its subject"))
	}
	d := &dialogue{
		stream: stream, xcv: s.host.Xcv(begin.GetToken()), subject: Subject{
			MonitorName: begin.GetMonitorName(), ServerName: begin.GetServerName(),
			Logger: s.log.With("monitor", begin.GetMonitorName(), "spooler", begin.GetServerName()),
		},
	}
	port, err := s.run(stream.Context(), d, begin)
	if err != nil {
		return spoolgrpc.ToStatus(err)
	}
	return d.send(&monitoruiv1.DialogueResponse{Response: &monitoruiv1.DialogueResponse_Outcome{
		Outcome: &monitoruiv1.Outcome{Port: strings.ToValidUTF8(port, "\ufffd")},
	}})
}

func (s *server) run(ctx context.Context, d Dialogue, begin *monitoruiv1.Begin) (port string, err error) {
	switch op := begin.GetOperation().(type) {
	case *monitoruiv1.Begin_AddPort:
		return s.ui.AddPort(ctx, d)
	case *monitoruiv1.Begin_ConfigurePort:
		return "", s.ui.ConfigurePort(ctx, d, op.ConfigurePort.GetPort())
	case *monitoruiv1.Begin_DeletePort:
		return "", s.ui.DeletePort(ctx, d, op.DeletePort.GetPort())
	}
	return "", spoolerr.New(spoolerr.Unsupported, 0, "this UI module does not know the operation")
}

// dialogue is a Dialogue over the wire.
type dialogue struct {
	stream  stream
	xcv     func(ctx context.Context, name string, in []byte) ([]byte, error)
	subject Subject

	mu sync.Mutex // held by the one call that uses the stream
}

// Ask implements Dialogue.
func (d *dialogue) Ask(ctx context.Context, page form.Page) (form.Answers, error) {
	return form.AskValid(ctx, page, d.ask)
}

func (d *dialogue) ask(_ context.Context, page form.Page) (form.Answers, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	err := d.sendLocked(&monitoruiv1.DialogueResponse{Response: &monitoruiv1.DialogueResponse_Page{Page: monitoruiwire.PageToProto(page)}})
	if err != nil {
		return nil, err
	}
	m, err := d.stream.Recv()
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Cancelled, "the person is gone")
	}
	switch {
	case m.GetCancel() != nil:
		return nil, spoolerr.New(spoolerr.Cancelled, 0, "the dialogue was cancelled")
	case m.GetAnswers() == nil:
		return nil, spoolerr.New(spoolerr.Internal, 0, "the host sent no answers to page %q", page.Title)
	}
	return monitoruiwire.AnswersFromProto(m.GetAnswers()), nil
}

// Inform implements Dialogue.
func (d *dialogue) Inform(_ context.Context, text string) error { return d.notice(text, -1) }

// Progress implements Dialogue.
func (d *dialogue) Progress(_ context.Context, text string, percent int) error {
	return d.notice(text, min(max(percent, 0), 100))
}

func (d *dialogue) notice(text string, percent int) error {
	return d.send(&monitoruiv1.DialogueResponse{Response: &monitoruiv1.DialogueResponse_Notice{
		Notice: &monitoruiv1.Notice{Text: strings.ToValidUTF8(text, "\ufffd"), Percent: int32(percent)},
	}})
}

// Xcv implements Dialogue.
func (d *dialogue) Xcv(ctx context.Context, name string, in []byte) ([]byte, error) {
	return d.xcv(ctx, name, in)
}

// Subject implements Dialogue.
func (d *dialogue) Subject() Subject { return d.subject }

func (d *dialogue) send(m *monitoruiv1.DialogueResponse) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sendLocked(m)
}

func (d *dialogue) sendLocked(m *monitoruiv1.DialogueResponse) error {
	return spoolerr.As(d.stream.Send(m), spoolerr.Cancelled, "the person is gone")
}
