// Package bench is a load generator for print servers, with printers of its own that check
// every byte: how many documents a server accepts and prints, how long each takes, what
// that costs the server, and whether one was lost, doubled or damaged. "spoolhost bench"
// and the comparison with CUPS import it. It starts no server.
package bench

import (
	"fmt"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// MaxDocuments bounds one run, whose every document is remembered.
const MaxDocuments = 20_000_000

// Plan is the work of a run.
type Plan struct {
	// Queues are where documents go, in turn.
	Queues []string
	// Clients is how many submit at a time, each over a connection of its own.
	Clients int
	// Sizes of the documents.
	Sizes Sizes
	// Rate, if not 0, is an open loop: so many documents a second are due whether or not the
	// server keeps up, and times are counted from when a document was due.
	Rate float64
	// UntilPrinted lets each client of a closed loop wait until its document is printed.
	UntilPrinted bool
	// Count and Duration end the submitting, whichever comes first; one may be 0.
	Count    int
	Duration time.Duration
	// Drain is the longest time without an arrival, at the end, until documents count as lost.
	Drain time.Duration
	// Timeout bounds one submission; 0 is without limit.
	Timeout time.Duration
	// Label names the run in reports.
	Label string
}

// Check refuses what cannot be done.
func (p Plan) Check() error {
	bad := func(format string, args ...any) error { return spoolerr.New(spoolerr.Invalid, 0, format, args...) }
	const mostClients, mostRate = 10_000, 1_000_000
	switch {
	case len(p.Queues) == 0:
		return bad("there is no queue to print to")
	case p.Clients < 1 || p.Clients > mostClients:
		return bad("%d clients are not possible; use 1 to %d", p.Clients, mostClients)
	case p.Rate < 0 || p.Rate > mostRate:
		return bad("a rate of %g a second is not possible; use up to %d, or 0 for as fast as it goes", p.Rate, mostRate)
	case p.Count < 0 || p.Count > MaxDocuments:
		return bad("%d documents are not possible; use up to %d", p.Count, MaxDocuments)
	case p.Duration < 0:
		return bad("a duration of %s is not possible", p.Duration)
	case p.Count == 0 && p.Duration == 0:
		return bad("the run has no end: give a number of documents or a duration")
	case p.Rate > 0 && p.UntilPrinted:
		return bad("at a given rate nobody waits for documents to print; leave one of the two out")
	case p.Sizes.pick == nil:
		return bad("the documents have no size")
	}
	return nil
}

// Work says in a line what is done.
func (p Plan) Work() string {
	text := fmt.Sprintf("%s, %s, documents of %s", plural(p.Clients, "client"), plural(len(p.Queues), "queue"), p.Sizes)
	switch {
	case p.Rate > 0:
		text += fmt.Sprintf(", %g a second", p.Rate)
	case p.UntilPrinted:
		text += ", each client waits until its document is printed"
	default:
		text += ", each client waits until its document is accepted"
	}
	return text
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
