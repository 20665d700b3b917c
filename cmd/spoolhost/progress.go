package main

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

// bar shows progress on standard error, if a person sits before it. The zero bar shows
// nothing.
type bar struct{ shown *progressbar.ProgressBar }

// newBar begins a bar of so many bytes; a negative number is unknown.
func newBar(o output, label string, bytes int64) *bar {
	f, ok := o.err.(*os.File)
	if o.json || !ok || !term.IsTerminal(int(f.Fd())) {
		return &bar{}
	}
	return newBarOn(f, label, bytes)
}

func newBarOn(w io.Writer, label string, bytes int64) *bar {
	return &bar{shown: progressbar.NewOptions64(bytes,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription(cut(clean(label), 30)),
		progressbar.OptionShowBytes(true),
		progressbar.OptionSetWidth(20),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSpinnerType(14),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionSetRenderBlankState(true),
	)}
}

// A bar that cannot be drawn is no reason to stop printing: its errors are dropped.

func (b *bar) set(bytes uint64) {
	if b.shown != nil {
		_ = b.shown.Set64(int64(bytes))
	}
}

// follow shows the state of a job, and how much of it the device has. The last byte is
// left out: a full bar would clear itself, while the device still works on its answer.
func (b *bar) follow(job *apiv1.Job) {
	if b.shown == nil {
		return
	}
	label := job.GetState()
	if job.GetReason() != "" {
		label += ": " + job.GetReason()
	}
	b.shown.Describe(cut(clean(label), 40))
	if last := lastAttempt(job); last != nil && job.GetState() == jobPrinting {
		b.set(min(last.GetBytesSent(), max(job.GetSize(), 1)-1))
	}
}

func (b *bar) finish() {
	if b.shown != nil {
		_ = b.shown.Finish()
	}
}
