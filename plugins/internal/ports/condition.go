package ports

import (
	"context"
	"log/slog"

	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// condition is what the spooler knows of a port by SetPort. It reports changes only,
// and never fails a document: a condition is news, the document is the work. One
// goroutine at a time uses it.
type condition struct {
	port    string
	spooler monitor.Spooler
	log     *slog.Logger

	// told: the spooler holds a warning of ours.
	told bool
	// known: there was nothing of an earlier life, or it was taken back.
	known bool
}

// warn tells the spooler, once, of a condition that does not stop the document.
func (c *condition) warn(ctx context.Context, text string) {
	if !c.told {
		c.told = c.report(ctx, spool.PortStatus{Text: text, Severity: spool.SeverityWarning})
	}
}

// working takes back a warning.
func (c *condition) working(ctx context.Context) {
	if c.told && c.report(ctx, spool.PortStatus{}) {
		c.told = false
	}
}

// reached takes back whatever the spooler may hold: the device has just been opened.
func (c *condition) reached(ctx context.Context) {
	if (c.told || !c.known) && c.report(ctx, spool.PortStatus{}) {
		c.told, c.known = false, true
	}
}

// lost notes that the device could not be opened: the error tells the spooler.
func (c *condition) lost() { c.known = false }

func (c *condition) report(ctx context.Context, status spool.PortStatus) bool {
	err := c.spooler.SetPort(ctx, c.port, status)
	if err != nil {
		c.log.Warn("the spooler could not be told of a port's condition",
			"port", c.port, "condition", status.String(), "error", err)
	}
	return err == nil
}
