package job

import (
	"cmp"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// maxAttemptRecords bounds a job's record: older attempts are counted, not kept.
const maxAttemptRecords = 32

// Result is what an attempt came to.
type Result struct {
	Outcome   Outcome
	BytesSent int64
	// Offered is BytesSent and what the monitor was given in a call that never answered: it
	// may have left all the same. Less than BytesSent is BytesSent.
	Offered int64
	Error   string
	// Lost says that BytesSent is not known, because the host died in the attempt.
	Lost bool
}

// mayBeWhole says that the device may have the whole document.
func (r Result) mayBeWhole(size int64) bool { return r.Lost || max(r.BytesSent, r.Offered) >= size }

// begin records an attempt before its first byte leaves.
func begin(j *Job, a Attempt, now time.Time) (*Job, error) {
	if j.State != Queued {
		return nil, wrongState(j, "begin printing")
	}
	j = j.clone()
	a.Number, a.Started, a.Outcome, a.Tries = j.Earlier+uint32(len(j.Attempts))+1, now, Running, 1
	if n := len(j.Attempts); n > 0 && repeats(j.Attempts[n-1], a) {
		// The device was not reached last time either: one record tells both.
		a.Number, a.Tries, a.Started = j.Attempts[n-1].Number, j.Attempts[n-1].Tries+1, j.Attempts[n-1].Started
		j.Attempts = j.Attempts[:n-1]
	}
	j.Attempts = append(j.Attempts, a)
	if n := len(j.Attempts); n > maxAttemptRecords {
		j.Earlier += uint32(n - maxAttemptRecords)
		j.Attempts = j.Attempts[n-maxAttemptRecords:]
	}
	j.State, j.Reason = Printing, ""
	return j, nil
}

func repeats(last, next Attempt) bool {
	return last.Outcome == DeviceFailed && last.BytesSent == 0 && last.Port == next.Port && last.Incarnation == next.Incarnation
}

// end records how the running attempt came out and decides what becomes of the job.
func end(j *Job, r Result, rules Rules, now time.Time) (*Job, error) {
	if j.State != Printing || j.Current() == nil {
		return nil, wrongState(j, "end an attempt")
	}
	j = j.clone()
	a := j.Current()
	if r.Outcome == Stopped && j.Intent == IntentCancel {
		r.Outcome = AttemptCancelled
	}
	a.Ended, a.Outcome, a.BytesSent, a.Error = now, r.Outcome, r.BytesSent, r.Error
	if r.Outcome != Sent && !j.Spooling && r.mayBeWhole(j.Document.Size) {
		j.MayHavePrinted = true
	}
	intent, moveTo := j.Intent, j.MoveTo
	j.Intent, j.MoveTo = NoIntent, ""
	if r.Outcome == Sent && !j.advance() {
		// Printed wins over everything asked for meanwhile: the paper is out.
		j.MayHavePrinted = false
		j = finish(j, Printed, "", now)
		j.DocumentGone = !rules.KeepPrinted
		return j, nil
	}
	return follow(j, r, intent, moveTo, rules, now), nil
}

// follow decides what becomes of a job that is not printed yet.
func follow(j *Job, r Result, intent Intent, moveTo string, rules Rules, now time.Time) *Job {
	switch {
	case intent == IntentCancel:
		return finish(j, Cancelled, cmp.Or(j.Reason, "cancelled while it printed"), now)
	case intent == IntentHold:
		j.State, j.Reason = Held, "held while it printed; it will start from the beginning"
	case intent == IntentMove:
		j.State, j.Reason, j.Printer = Queued, "", moveTo
	case intent == IntentRestart:
		j.rewind()
		j.State, j.Reason = Queued, ""
	case r.Outcome == Sent: // another document follows
		j.State, j.Reason, j.MayHavePrinted = Queued, "", false
	default:
		return afterFault(j, r, rules, now)
	}
	return j
}

// afterFault applies the printer's policy. A device that could not be reached, and a
// process that was ended for another reason, are not the document's fault.
func afterFault(j *Job, r Result, rules Rules, now time.Time) *Job {
	j.State, j.Reason = Queued, r.Error
	switch {
	case r.Outcome == Unconfirmed:
		j.State = Held
		j.Reason = "the monitor never reported the document as sent; it may have been printed: release it to print it again, or cancel it"
		j.MayHavePrinted = true
		return j
	case r.Outcome == DeviceFailed && r.BytesSent == 0:
		return j
	case r.Outcome == Interrupted && !r.Lost:
		return afterInterruption(j, r, rules)
	case r.Outcome != Interrupted:
		j.Faults++
	}
	switch {
	case rules.Policy == Hold:
		j.State, j.Reason = Held, "held by the printer's policy: the attempt "+string(r.Outcome)+because(r.Error)
	case rules.Policy == Cancel:
		return finish(j, Cancelled, "cancelled by the printer's policy: the attempt "+string(r.Outcome)+because(r.Error), now)
	case rules.MaxAttempts > 0 && j.Faults >= rules.MaxAttempts:
		j.State, j.Reason = Held, "held after too many failed attempts"+because(r.Error)
	}
	return j
}

// afterInterruption never cancels a job, which has done nothing, and counts nothing against
// it. Only what may be on paper is not printed again without somebody's word.
func afterInterruption(j *Job, r Result, rules Rules) *Job {
	switch {
	case rules.Policy == Hold && max(r.BytesSent, r.Offered) > 0:
		j.State, j.Reason = Held, "held by the printer's policy: the attempt "+string(r.Outcome)+because(r.Error)
	case rules.Policy == Cancel && !j.Spooling && r.mayBeWhole(j.Document.Size):
		j.State = Held
		j.Reason = "held because it may have been printed: release it to print it again, or cancel it; the attempt was " + string(r.Outcome) + because(r.Error)
	}
	return j
}

func because(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}

// cancel ends a job, or asks its attempt to end.
func cancel(j *Job, reason string, now time.Time) (*Job, error) {
	switch {
	case j.State.Final():
		return nil, wrongState(j, "be cancelled")
	case j.State == Printing:
		j = j.clone()
		j.Intent, j.MoveTo = IntentCancel, ""
		return j, nil
	}
	return finish(j.clone(), Cancelled, reason, now), nil
}

func hold(j *Job) (*Job, error) {
	switch {
	case j.State.Final(), j.Intent == IntentCancel:
		return nil, wrongState(j, "be held")
	case j.State == Printing:
		j = j.clone()
		j.Intent, j.MoveTo = IntentHold, ""
	case j.State == Incoming:
		j = j.clone()
		j.HoldAfter = "held on request"
	default:
		j = j.clone()
		j.State, j.Reason = Held, "held on request"
	}
	return j, nil
}

func release(j *Job) (*Job, error) {
	if j.State == Incoming {
		j = j.clone()
		j.HoldAfter = ""
		return j, nil
	}
	if j.State != Held {
		if j.State == Queued || j.State == Printing && j.Intent == NoIntent {
			return j, nil // nothing to undo
		}
		if j.State != Printing || j.Intent != IntentHold {
			return nil, wrongState(j, "be released")
		}
	}
	j = j.clone()
	if j.State == Printing {
		j.Intent = IntentRestart // the attempt is being stopped already
		return j, nil
	}
	j.State, j.Reason, j.Faults, j.NotBefore = Queued, "", 0, time.Time{}
	return j, nil
}

// restart prints a job from its beginning, also one that has finished.
func restart(j *Job) (*Job, error) {
	switch {
	case j.DocumentGone:
		return nil, spoolerr.New(spoolerr.Precondition, spoolerr.CodeSpoolFileNotFound,
			"job %d cannot be restarted: its document is no longer kept; submit it again, or let the printer keep printed jobs", j.ID)
	case j.Intent == IntentCancel, j.State == Incoming:
		return nil, wrongState(j, "be restarted")
	}
	j = j.clone()
	if j.State == Printing {
		j.Intent, j.MoveTo = IntentRestart, ""
		return j, nil
	}
	if j.State.Final() {
		j.Restarts++
	}
	j.rewind()
	j.State, j.Reason, j.Faults, j.Ended, j.MayHavePrinted = Queued, "", 0, time.Time{}, false
	return j, nil
}

func move(j *Job, printer string) (*Job, error) {
	if j.State.Final() || j.Intent == IntentCancel {
		return nil, wrongState(j, "be moved")
	}
	j = j.clone()
	if j.State == Printing {
		j.Intent, j.MoveTo = IntentMove, printer
		return j, nil
	}
	j.Printer, j.Faults = printer, 0
	return j, nil
}

// fail ends a job that cannot be printed at all, such as one whose document is damaged.
func fail(j *Job, reason string, now time.Time) (*Job, error) {
	if j.State.Final() {
		return nil, wrongState(j, "fail")
	}
	j = j.clone()
	j.Intent, j.MoveTo = NoIntent, ""
	if a := j.Current(); a != nil {
		a.Ended, a.Outcome, a.Error = now, DeviceFailed, reason
	}
	return finish(j, Failed, reason, now), nil
}

// finish ends a job; its document goes with it unless the caller decides otherwise.
func finish(j *Job, s State, reason string, now time.Time) *Job {
	j.State, j.Reason, j.Ended, j.DocumentGone, j.Spooling = s, reason, now, true, false
	return j
}

func wrongState(j *Job, what string) error {
	return spoolerr.New(spoolerr.Precondition, spoolerr.CodeInvalidPrinterState, "job %d is %s and cannot %s", j.ID, describe(j), what)
}

func describe(j *Job) string {
	if j.Intent == IntentCancel {
		return "being cancelled"
	}
	return string(j.State)
}
