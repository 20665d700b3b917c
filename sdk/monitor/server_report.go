package monitor

import (
	"context"
	"sync"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// reports are the documents in PrintDocPort whose end the host takes in the reply: the
// author's SetJob(JOB_CONTROL_SENT_TO_PRINTER) then costs no call.
type reports struct {
	mu   sync.Mutex
	open map[reportKey]*report
}

type reportKey struct {
	token string
	job   uint64
}

// report is the word that one document has been sent. It goes with the reply, or by SetJob
// if the reply takes long: what the author said must not wait for his next step, nor be
// lost with the process.
type report struct {
	mu     sync.Mutex
	said   bool
	gone   bool // by SetJob
	timer  *time.Timer
	setJob func() error
}

// patience is how long a report waits for the reply.
const patience = 20 * time.Millisecond

// expect begins a document; end must follow.
func (r *reports) expect(key reportKey, setJob func() error) *report {
	p := &report{setJob: setJob}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == nil {
		r.open = make(map[reportKey]*report)
	}
	r.open[key] = p
	return p
}

// end takes the report along with a reply: in says that it has been made and did not go
// by SetJob. Without a reply, after a panic, it goes by SetJob.
func (r *reports) end(key reportKey, replied bool) (in bool) {
	r.mu.Lock()
	p := r.open[key]
	delete(r.open, key)
	r.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
	}
	if !replied {
		p.send()
	}
	return p.said && !p.gone
}

// say takes the author's word; false if nobody waits for it.
func (r *reports) say(key reportKey) bool {
	r.mu.Lock()
	p := r.open[key]
	r.mu.Unlock()
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.said {
		p.said = true
		p.timer = time.AfterFunc(patience, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.send()
		})
	}
	return true
}

// send gives the word by SetJob; p.mu is held. If the host cannot be told so, the reply
// tries once more.
func (p *report) send() {
	if p.said && !p.gone {
		p.gone = p.setJob() == nil
	}
}

// spooler is the author's Spooler, which knows what a reply will carry.
type spooler struct {
	wire.Callbacks
	token   string
	reports *reports
}

// SetJob implements Spooler.
func (s *spooler) SetJob(ctx context.Context, jobID uint64, control spool.JobControl) error {
	if control == spool.JobControlSentToPrinter && s.reports.say(reportKey{s.token, jobID}) {
		return nil
	}
	return s.Callbacks.SetJob(ctx, jobID, control)
}
