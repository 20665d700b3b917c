package ippmon

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/OpenPrinting/goipp"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// The states of a job at the printer that are the end of it.
const (
	canceled  = 7
	aborted   = 8
	completed = 9
)

// follow asks for the job's state until it has ended, or the time for that is over: then
// the printer has the document, and the paper is its business.
func (j *job) follow(ctx context.Context, stalled func()) error {
	const first, longest, margin = 100 * time.Millisecond, 5 * time.Second, 2 * time.Second
	limit := time.Now().Add(j.followTimeout)
	if end, ok := ctx.Deadline(); ok && end.Add(-margin).Before(limit) {
		limit = end.Add(-margin)
	}
	for pause := first; ; pause = min(2*pause, longest) {
		over, err := j.look(ctx)
		if over || err != nil {
			return err
		}
		if time.Now().Add(pause).After(limit) {
			j.log.Info("the printer has the document and has not finished it; it counts as sent", "printer", j.uri.Redacted(), "its job", j.number())
			return nil
		}
		j.report(ctx, stalled)
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil // it has the document
		}
	}
}

// look asks for the job's state once. That the printer does not answer, or has forgotten
// the job, is no failure of the document, which it has.
func (j *job) look(ctx context.Context) (over bool, err error) {
	id := j.number()
	m := j.about(goipp.OpGetJobAttributes, id,
		keywords("requested-attributes", "job-state", "job-state-reasons", "job-state-message", "job-media-sheets-completed", "job-impressions-completed"))
	answer, err := j.do(ctx, m)
	var refused *statusError
	switch {
	case errors.As(err, &refused):
		return true, nil
	case err != nil:
		return false, nil //nolint:nilerr // it is asked again
	}
	state, _ := number(answer.Job, "job-state")
	switch state {
	case completed:
		return true, nil
	case canceled:
		return true, j.lost(answer.Job, "was canceled at the printer")
	case aborted:
		return true, j.lost(answer.Job, "was given up by the printer")
	}
	return false, nil
}

// lost says how a job came to a bad end, and how much paper it cost.
func (j *job) lost(list goipp.Attributes, how string) error {
	sheets, counted := number(list, "job-media-sheets-completed")
	if !counted {
		sheets, _ = number(list, "job-impressions-completed")
	}
	var why []string
	for _, v := range find(list, "job-state-reasons") {
		if word := v.V.String(); word != "none" {
			why = append(why, word)
		}
	}
	id := j.setNumber(0) // there is nothing to cancel any more
	return spoolerr.New(spoolerr.Unavailable, 0, "job %d at %s %s after %d sheets (%s)", id, j.uri.Redacted(), how, sheets, strings.Join(why, ", "))
}

// report tells of the printer's state while the job waits there.
func (j *job) report(ctx context.Context, stalled func()) {
	p, err := j.client.printer(ctx)
	if err != nil {
		return
	}
	j.mu.Lock()
	j.status = p.status
	j.mu.Unlock()
	if !p.status.Clear() {
		stalled()
	}
}
