package ports

import (
	"context"
	"log/slog"
	"sync"

	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// Condition is what the spooler knows of a port by SetPort. It comes from two sources:
// the document that is being written, and what the device says of itself; the graver is
// told. It reports changes only, and never fails a document: a condition is news, the
// document is the work.
type Condition struct {
	port    string
	spooler monitor.Spooler
	log     *slog.Logger

	// turn is held by the one report under way, so that an older one cannot come last.
	turn chan struct{}

	mu           sync.Mutex
	work, device spool.PortStatus
	told         spool.PortStatus
	// known: there was nothing of an earlier life, or it was taken back.
	known bool
}

func newCondition(port string, init monitor.Init) *Condition {
	return &Condition{port: port, spooler: init.Spooler, log: init.Logger, turn: make(chan struct{}, 1)}
}

// Device takes what the device says of itself; a clear status takes it back.
func (c *Condition) Device(ctx context.Context, status spool.PortStatus) {
	c.set(&c.device, status)
	c.tell(ctx, false)
}

// warn tells the spooler, once, of a condition that does not stop the document.
func (c *Condition) warn(ctx context.Context, status spool.PortStatus) {
	c.set(&c.work, status)
	c.tell(ctx, false)
}

// working takes back a warning.
func (c *Condition) working(ctx context.Context) {
	c.set(&c.work, spool.PortStatus{})
	c.tell(ctx, false)
}

// reached takes back whatever the spooler may hold: the device has just been opened.
func (c *Condition) reached(ctx context.Context) {
	c.set(&c.work, spool.PortStatus{})
	c.tell(ctx, true)
}

// lost notes that the device could not be opened: the error tells the spooler.
func (c *Condition) lost() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known = false
}

func (c *Condition) set(source *spool.PortStatus, status spool.PortStatus) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*source = status
}

// tell reports if there is something new. sure also takes back what is not known.
func (c *Condition) tell(ctx context.Context, sure bool) {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return
	}
	defer func() { <-c.turn }()
	c.mu.Lock()
	status := graver(c.device, c.work)
	news := status != c.told || sure && !c.known
	c.mu.Unlock()
	if !news || !c.report(ctx, status) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = status
	c.known = c.known || sure
}

func (c *Condition) report(ctx context.Context, status spool.PortStatus) bool {
	err := c.spooler.SetPort(ctx, c.port, status)
	if err != nil {
		c.log.Warn("the spooler could not be told of a port's condition",
			"port", c.port, "condition", status.String(), "error", err)
	}
	return err == nil
}

// TakesNothing is the condition of a device that takes no data.
func TakesNothing(text string) spool.PortStatus {
	return spool.PortStatus{Text: text, Severity: spool.SeverityWarning}
}

// graver gives the first of two conditions unless the second weighs more.
func graver(a, b spool.PortStatus) spool.PortStatus {
	if a.Clear() || !b.Clear() && weight(b.Severity) > weight(a.Severity) {
		return b
	}
	return a
}

func weight(s spool.Severity) int {
	switch s {
	case spool.SeverityError:
		return 3
	case spool.SeverityWarning:
		return 2
	case spool.SeverityInfo:
		return 1
	}
	return 0
}
