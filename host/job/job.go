package job

import (
	"time"

	"github.com/spoolhost/spoolhost/host/document"
)

// State is where a job stands.
type State string

// The states. The last three are final.
const (
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
	// Interrupted: the host ended, or its spooler went to another node.
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
	ID       uint64       `json:"id"`
	Printer  string       `json:"printer"`
	Title    string       `json:"title"`
	User     string       `json:"user"`
	UID      int64        `json:"uid"` // the submitter's user id on the node; -1 if there is none
	Datatype string       `json:"datatype"`
	Document document.Ref `json:"document"`
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
}

// clone copies the parts of j that an event may write to.
func (j *Job) clone() *Job {
	c := *j
	c.Attempts = append([]Attempt(nil), j.Attempts...)
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
