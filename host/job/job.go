package job

import (
	"time"

	"github.com/spoolhost/spoolhost/host/document"
)

// State is where a job stands.
type State string

// The states. The last three are final.
const (
	// Incoming: the job has its id, and its submitter still brings documents.
	Incoming  State = "incoming"
	Queued    State = "queued"
	Held      State = "held"
	Printing  State = "printing"
	Printed   State = "printed"
	Cancelled State = "cancelled"
	Failed    State = "failed"
)

// Final says that the job will not print any more by itself.
func (s State) Final() bool { return s == Printed || s == Cancelled || s == Failed }

// Outcome is how an attempt ended.
type Outcome string

// The outcomes.
const (
	// Running: the attempt has not ended.
	Running Outcome = "printing"
	// Sent: the monitor reported JOB_CONTROL_SENT_TO_PRINTER.
	Sent Outcome = "printed"
	// DeviceFailed: the monitor returned an error.
	DeviceFailed Outcome = "failed"
	// Crashed: the module's process ended during the attempt.
	Crashed Outcome = "crashed"
	// TimedOut: a call of the attempt outlived its deadline.
	TimedOut Outcome = "timed-out"
	// Interrupted: the host ended, or it ended the module for a reason that is not this job,
	// or the spooler went to another node.
	Interrupted Outcome = "interrupted"
	// AttemptCancelled: the job was cancelled while it printed.
	AttemptCancelled Outcome = "cancelled"
	// Stopped: the job was held, restarted or moved while it printed.
	Stopped Outcome = "stopped"
	// Unconfirmed: the monitor ended the document but never reported it sent.
	Unconfirmed Outcome = "unconfirmed"
)

// Policy is what becomes of a job whose attempt ended without a result.
type Policy string

// The policies.
const (
	Retry  Policy = "retry"
	Hold   Policy = "hold"
	Cancel Policy = "cancel"
)

// Intent is what somebody asked of a job while it printed; it is carried out when the
// attempt ends, also after a crash of the host.
type Intent string

// The intents.
const (
	NoIntent      Intent = ""
	IntentCancel  Intent = "cancel"
	IntentHold    Intent = "hold"
	IntentRestart Intent = "restart"
	IntentMove    Intent = "move"
)

// Attempt is one try to print a job.
type Attempt struct {
	Number      uint32    `json:"number"`
	Port        string    `json:"port"`
	Monitor     string    `json:"monitor"`
	Incarnation uint64    `json:"incarnation"`
	Epoch       uint64    `json:"epoch,omitempty"`
	Started     time.Time `json:"started"`
	Ended       time.Time `json:"ended,omitzero"`
	Outcome     Outcome   `json:"outcome"`
	BytesSent   int64     `json:"bytes_sent"`
	Error       string    `json:"error,omitempty"`
	// Tries counts tries in a row that ended alike without a byte sent.
	Tries uint32 `json:"tries"`
}

// Job is the durable record.
type Job struct {
	ID       uint64 `json:"id"`
	Printer  string `json:"printer"`
	Title    string `json:"title"`
	User     string `json:"user"`
	UID      int64  `json:"uid"` // the submitter's user id on the node; -1 if there is none
	Datatype string `json:"datatype"`
	// Document is the one that prints next, or printed last. Documents are all of a job that
	// has several or whose document was described; Document is then Documents[At].
	Document  document.Ref `json:"document"`
	Documents []Part       `json:"documents,omitempty"`
	At        int          `json:"at,omitempty"`
	// Copies is how often all documents print; 0 is once. CopiesDone counts those finished.
	Copies     uint32 `json:"copies,omitempty"`
	CopiesDone uint32 `json:"copies_done,omitempty"`
	// Ticket is what the submitter wants of the device: a message of IPP with a group of job
	// attributes. It is kept and handed on, not read.
	Ticket []byte `json:"ticket,omitempty"`
	// Account is who submitted it by password or certificate; Origin is the machine it came from.
	Account string `json:"account,omitempty"`
	Origin  string `json:"origin,omitempty"`
	// Submission is the key under which its submitter may ask again, without making another job;
	// empty for none.
	Submission string `json:"submission,omitempty"`
	// Restarts counts how often it was restarted after it had finished.
	Restarts uint32 `json:"restarts,omitempty"`
	// Forwarded are the jobs of other hosts that its documents have become.
	Forwarded []Forward `json:"forwarded,omitempty"`
	// Spooling: its document is still being received, and its submitter has not been told of
	// it. It may print already.
	Spooling bool `json:"spooling,omitempty"`
	// DocumentGone is set when the document has been removed.
	DocumentGone bool `json:"document_gone,omitempty"`

	State    State  `json:"state"`
	Reason   string `json:"reason,omitempty"`
	Intent   Intent `json:"intent,omitempty"`
	MoveTo   string `json:"move_to,omitempty"`
	Priority uint32 `json:"priority"`
	// StartTime and UntilTime are minutes after 00:00 UTC between which the job prints;
	// equal means always.
	StartTime uint32 `json:"start_time,omitempty"`
	UntilTime uint32 `json:"until_time,omitempty"`

	// NotBefore is the time before which it does not print; zero for none.
	NotBefore time.Time `json:"not_before,omitzero"`
	// Promoted, if not zero, puts the job before all that have less of it, whatever their
	// priority. Place is its place among its equals; 0 stands for its id.
	Promoted int64   `json:"promoted,omitempty"`
	Place    float64 `json:"place,omitempty"`
	// HoldAfter, if not empty, is why an incoming job is held when it is complete.
	HoldAfter string `json:"hold_after,omitempty"`
	// Touched is when an incoming job's submitter was last heard of.
	Touched time.Time `json:"touched,omitzero"`

	Submitted time.Time `json:"submitted"`
	Ended     time.Time `json:"ended,omitzero"`
	Attempts  []Attempt `json:"attempts,omitempty"`
	// Earlier counts attempts whose records were dropped to bound the job's size.
	Earlier uint32 `json:"earlier,omitempty"`
	// Faults counts attempts that count against the printer's limit.
	Faults uint32 `json:"faults,omitempty"`
	// MayHavePrinted: an attempt may have put the document on paper, though it is not
	// recorded as printed.
	MayHavePrinted bool `json:"may_have_printed,omitempty"`
	// Revision grows with each change.
	Revision uint64 `json:"revision"`

	// record is the hash of the record in the store that says all this.
	record uint64
}

// Part is one document of a job, as its submitter described it.
type Part struct {
	document.Ref
	Name string `json:"name,omitempty"`
	// Format is the media type that was declared, or found in the data.
	Format string `json:"format,omitempty"`
	// Cancelled documents do not print.
	Cancelled bool `json:"cancelled,omitempty"`
}

// MaxDocuments bounds the documents of one job.
const MaxDocuments = 1000

// Parts gives all documents of the job.
func (j *Job) Parts() []Part {
	switch {
	case len(j.Documents) > 0:
		return j.Documents
	case j.Document.ID != "":
		return []Part{{Ref: j.Document}}
	}
	return nil
}

// Size is the length of all documents, in bytes.
func (j *Job) Size() (n int64) {
	for _, p := range j.Parts() {
		n += p.Size
	}
	return n
}

// Opens gives the time until the job may print, by its hours and its date; 0 if it may now.
func (j *Job) Opens(now time.Time) time.Duration {
	wait := UntilWindow(j.StartTime, j.UntilTime, now)
	if !j.NotBefore.IsZero() {
		wait = max(wait, j.NotBefore.Sub(now))
	}
	return wait
}

// Before is the order in which jobs print.
func Before(a, b *Job) bool {
	switch {
	case a.Promoted != b.Promoted:
		return a.Promoted > b.Promoted
	case a.Priority != b.Priority:
		return a.Priority > b.Priority
	case a.place() != b.place():
		return a.place() < b.place()
	}
	return a.ID < b.ID
}

func (j *Job) place() float64 {
	if j.Place == 0 {
		return float64(j.ID)
	}
	return j.Place
}

// Current gives the running attempt, or nil.
func (j *Job) Current() *Attempt {
	if n := len(j.Attempts); n > 0 && j.Attempts[n-1].Outcome == Running {
		return &j.Attempts[n-1]
	}
	return nil
}

// Rules is what a printer decides about the jobs it prints.
type Rules struct {
	Policy Policy
	// MaxAttempts is the number of faults after which a job is held; 0 is without limit.
	MaxAttempts uint32
	// KeepPrinted keeps the documents of printed jobs.
	KeepPrinted bool
	// Limit is the longest that one document may hold a port; 0 is without limit.
	Limit time.Duration
}

// clone copies the parts of j that an event may write to.
func (j *Job) clone() *Job {
	c := *j
	c.Attempts = append([]Attempt(nil), j.Attempts...)
	c.Documents = append([]Part(nil), j.Documents...)
	return &c
}

// InWindow says whether now lies between two minutes of the UTC day; a window may pass
// over midnight, and equal ends mean always (winspool StartTime, UntilTime).
func InWindow(start, until uint32, now time.Time) bool {
	if start == until {
		return true
	}
	now = now.UTC()
	minute := uint32(now.Hour()*60 + now.Minute())
	if start < until {
		return minute >= start && minute < until
	}
	return minute >= start || minute < until
}

// UntilWindow gives the time from now to the next opening of the window; 0 if it is open.
func UntilWindow(start, until uint32, now time.Time) time.Duration {
	if InWindow(start, until, now) {
		return 0
	}
	now = now.UTC()
	midnight := now.Truncate(24 * time.Hour)
	open := midnight.Add(time.Duration(start) * time.Minute)
	if !open.After(now) {
		open = open.Add(24 * time.Hour)
	}
	return open.Sub(now)
}
