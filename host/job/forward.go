package job

import (
	"context"
	"slices"
)

// Forward is a job of another host that a document has become.
type Forward struct {
	// Printer is \\SERVER\PRINTER.
	Printer string `json:"printer"`
	// ID is the job's there; 0 while nobody knows whether it is one: the server's answer was lost.
	ID uint64 `json:"id,omitempty"`
	// Key is the submission key of the document.
	Key string `json:"key,omitempty"`
	// State and Reason are how it stood there when the server was last heard of.
	State  State  `json:"state,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Cancel is set when somebody has cancelled it here, and the server is still to be told.
	Cancel bool `json:"cancel,omitempty"`
	// Over says that nothing more will be heard of it.
	Over bool `json:"over,omitempty"`
}

// maxForwards bounds what a job's record carries: older ones are dropped.
const maxForwards = 64

// SetForwarded notes which job of another host a document of a job has become, or how that
// stands there. What is known of the same document is replaced.
func (q *Queue) SetForwarded(ctx context.Context, id uint64, to Forward) (*Job, error) {
	return q.change(ctx, id, func(j *Job) (*Job, error) {
		i := slices.IndexFunc(j.Forwarded, func(f Forward) bool { return f.Printer == to.Printer && f.Key == to.Key })
		if i >= 0 && j.Forwarded[i] == to {
			return j, nil
		}
		j = j.clone()
		j.Forwarded = slices.Clone(j.Forwarded)
		if i >= 0 {
			j.Forwarded[i] = to
		} else {
			j.Forwarded = append(j.Forwarded, to)
		}
		j.Forwarded = j.Forwarded[max(0, len(j.Forwarded)-maxForwards):]
		return j, nil
	})
}

// Away says that documents of the job are on another host that has not ended with them.
func (j *Job) Away() bool {
	return slices.ContainsFunc(j.Forwarded, func(f Forward) bool { return !f.Over })
}
