package monitoruiwire

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	monitoruiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/monitorui/v1"
	"github.com/spoolhost/spoolhost/sdk/monitorui/form"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

// The bounds of one dialogue.
const (
	MaxPages   = 200
	MaxNotices = 1000
)

// Operation is which of the three functions of MONITORUI is meant.
type Operation int

// The operations.
const (
	AddPort Operation = iota
	ConfigurePort
	DeletePort
)

// String gives the name that MONITORUI has for it.
func (o Operation) String() string {
	return [...]string{"AddPortUI", "ConfigurePortUI", "DeletePortUI"}[o]
}

// Begin is what a dialogue is about.
type Begin struct {
	Token     string // of XcvData
	Operation Operation
	// Port is empty for AddPort.
	Port        string
	MonitorName string
	ServerName  string
}

// Notice is something to see while the person waits.
type Notice struct {
	Text string
	// Percent is how much is done; less than 0 for no progress.
	Percent int
}

// Person is who a dialogue is held with.
type Person interface {
	// Ask shows a page and waits. A person who gives up is spoolerr.Cancelled.
	Ask(ctx context.Context, page form.Page) (form.Answers, error)
	// Tell shows a notice.
	Tell(ctx context.Context, n Notice) error
}

// Hold holds a dialogue between a module and a person. It gives the port of AddPort, or
// how the dialogue failed. When it returns with an error other than the module's own, the
// module may still be busy.
func Hold(ctx context.Context, conn grpc.ClientConnInterface, begin Begin, person Person) (port string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := monitoruiv1.NewMonitorUIClient(conn).Dialogue(ctx)
	if err != nil {
		return "", spoolgrpc.FromStatus(err)
	}
	h := &holding{stream: stream, person: person, operation: begin.Operation}
	if err := h.send(&monitoruiv1.DialogueRequest{Request: &monitoruiv1.DialogueRequest_Begin{Begin: beginToProto(begin)}}); err != nil {
		return "", err
	}
	return h.run(ctx)
}

func beginToProto(b Begin) *monitoruiv1.Begin {
	m := &monitoruiv1.Begin{Token: b.Token, ServerName: b.ServerName, MonitorName: b.MonitorName}
	switch b.Operation {
	case AddPort:
		m.Operation = &monitoruiv1.Begin_AddPort{AddPort: &monitoruiv1.AddPortUI{}}
	case ConfigurePort:
		m.Operation = &monitoruiv1.Begin_ConfigurePort{ConfigurePort: &monitoruiv1.ConfigurePortUI{Port: b.Port}}
	case DeletePort:
		m.Operation = &monitoruiv1.Begin_DeletePort{DeletePort: &monitoruiv1.DeletePortUI{Port: b.Port}}
	}
	return m
}

// holding is a dialogue under way.
type holding struct {
	stream    grpc.BidiStreamingClient[monitoruiv1.DialogueRequest, monitoruiv1.DialogueResponse]
	person    Person
	operation Operation
	pages     int
	notices   int
	cancelled bool
}

// send reports nothing when the module has ended the stream: what it answered is still to
// be received.
func (h *holding) send(m *monitoruiv1.DialogueRequest) error {
	if err := h.stream.Send(m); err != nil && !errors.Is(err, io.EOF) {
		return spoolgrpc.FromStatus(err)
	}
	return nil
}

func (h *holding) run(ctx context.Context) (string, error) {
	for {
		m, err := h.stream.Recv()
		if errors.Is(err, io.EOF) {
			return "", broken("it ended the dialogue without an outcome")
		}
		if err != nil {
			return "", lost(err)
		}
		switch r := m.GetResponse().(type) {
		case *monitoruiv1.DialogueResponse_Page:
			err = h.page(ctx, r.Page)
		case *monitoruiv1.DialogueResponse_Notice:
			err = h.notice(ctx, r.Notice)
		case *monitoruiv1.DialogueResponse_Outcome:
			return h.outcome(r.Outcome)
		default:
			err = broken("it sent an empty message")
		}
		if err != nil {
			return "", err
		}
	}
}

// lost tells a connection that broke, which gRPC reports without a detail of ours, from what
// the module answered.
func lost(err error) error {
	if st := status.Convert(err); st.Code() == codes.Unavailable && len(st.Details()) == 0 {
		return spoolerr.New(spoolerr.Exited, 0, "its connection broke")
	}
	return spoolgrpc.FromStatus(err)
}

func (h *holding) page(ctx context.Context, m *monitoruiv1.Page) error {
	if h.pages++; h.pages > MaxPages {
		return broken("it asked for more than %d pages", MaxPages)
	}
	if h.cancelled {
		return broken("it asked on after the dialogue was cancelled")
	}
	page, err := PageFromProto(m)
	if err != nil {
		return broken("%s", err)
	}
	answers, err := form.AskValid(ctx, page, h.person.Ask)
	switch {
	case err != nil && spoolerr.KindOf(err) == spoolerr.Cancelled && ctx.Err() == nil:
		h.cancelled = true
		return h.send(&monitoruiv1.DialogueRequest{Request: &monitoruiv1.DialogueRequest_Cancel{Cancel: &monitoruiv1.Cancel{}}})
	case err != nil:
		return err
	}
	return h.send(&monitoruiv1.DialogueRequest{Request: &monitoruiv1.DialogueRequest_Answers{Answers: AnswersToProto(answers)}})
}

func (h *holding) notice(ctx context.Context, m *monitoruiv1.Notice) error {
	if h.notices++; h.notices > MaxNotices {
		return broken("it sent more than %d notices", MaxNotices)
	}
	return h.person.Tell(ctx, NoticeFromProto(m))
}

func (h *holding) outcome(m *monitoruiv1.Outcome) (string, error) {
	switch {
	case h.cancelled:
		return "", broken("it went on after the dialogue was cancelled")
	case h.operation != AddPort:
		return "", nil
	}
	if err := spool.CheckPortName(m.GetPort()); err != nil {
		return "", broken("the port that it says it added: %s", err)
	}
	return m.GetPort(), nil
}

func broken(format string, args ...any) error {
	return spoolerr.New(spoolerr.Internal, spoolerr.CodeInvalidPrintMonitor, "the UI module broke its contract: "+format, args...)
}
