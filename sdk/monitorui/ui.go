package monitorui

import (
	"context"
	"log/slog"

	"github.com/spoolhost/spoolhost/sdk/monitorui/form"
)

// UI is MONITORUI. Each method is one dialogue; a process serves one and ends. A method
// returns soon after its ctx is cancelled: then the person is gone.
//
// A UI does its work at the end, when all has been asked: a dialogue that fails or is
// cancelled leaves nothing behind.
type UI interface {
	// AddPort is AddPortUI: it asks what there is to ask, has the server module add a port,
	// and names it.
	AddPort(ctx context.Context, d Dialogue) (port string, err error)
	// ConfigurePort is ConfigurePortUI. An unknown port is spoolerr.NotFound. If nothing was
	// to be changed it may return spoolerr.Cancelled.
	ConfigurePort(ctx context.Context, d Dialogue, port string) error
	// DeletePort is DeletePortUI: it asks before it deletes.
	DeletePort(ctx context.Context, d Dialogue, port string) error
}

// Dialogue is the person and the server module, as a UI sees them. Its methods are called
// one at a time.
type Dialogue interface {
	// Ask shows a page and waits for its answers, which fit the page: what does not is
	// refused and asked for again before the UI hears of it. A person who gives up is
	// spoolerr.Cancelled (ERROR_CANCELLED, 1223): clean up, and return that error.
	Ask(ctx context.Context, page form.Page) (form.Answers, error)
	// Inform shows a line that nobody answers.
	Inform(ctx context.Context, text string) error
	// Progress is Inform with how much is done, from 0 to 100.
	Progress(ctx context.Context, text string, percent int) error
	// Xcv sends a command to the server module: about the monitor in AddPort, about the port
	// in ConfigurePort and DeletePort. The monitor sees the rights of the person.
	Xcv(ctx context.Context, name string, in []byte) (out []byte, err error)
	// Subject says what the dialogue is about.
	Subject() Subject
}

// Subject is what a dialogue is about.
type Subject struct {
	// MonitorName is the name the operator installed the monitor under.
	MonitorName string
	// ServerName is the name of the spooler.
	ServerName string
	// Logger writes to the host's log. Never log a secret.
	Logger *slog.Logger
}
