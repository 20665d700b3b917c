//go:build linux

package hostile

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/hosttest/poll"
	"github.com/spoolhost/spoolhost/host/job"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	monitorv2 "github.com/spoolhost/spoolhost/proto/spoolhost/monitor/v2"
)

// betweenRows die when a call has been answered and before another is, and are given up
// in the middle of one.
func betweenRows() []row {
	crashed := []job.Outcome{job.Crashed, job.Sent}
	rows := []row{
		dies("StartDocPort", "WritePort", row{outcomes: crashed, event: eventlog.JobAttemptEnded, says: "exit status 3"}),
		dies("WritePort", "EndDocPort", row{outcomes: crashed, event: eventlog.JobAttemptEnded, says: "exit status 3"}),
		{name: "dies between two WritePorts", lives: 1, outcomes: crashed, event: eventlog.JobAttemptEnded, says: "exit status 3", do: func(m *module) {
			writes := 0
			m.before["WritePort"] = func(context.Context) error {
				if writes++; writes > 1 {
					select {}
				}
				return nil
			}
			m.after["WritePort"] = func(r proto.Message) { r.(*monitorv2.WritePortResponse).Written /= 2 }
			m.then["WritePort"] = func() { exits(m) }
		}},
		dies("EndDocPort", "", row{outcomes: sent, event: eventlog.MonitorExited, says: "exit status 3"}),
		dies("ClosePort", "", row{outcomes: sent}), // when it is removed
		{name: "dies before it reports", lives: 1, do: func(m *module) {
			// Late enough that the host has read the answer: a lost one is a crash in the call.
			m.report, m.then["EndDocPort"] = false, func() { time.AfterFunc(300*time.Millisecond, func() { exits(m) }) }
		}, outcomes: []job.Outcome{job.Unconfirmed}, event: eventlog.JobAttemptEnded, says: "without reporting it as sent"},
		{name: "obeys cancellation", lives: 1, also: func(tr *trial) { tr.cancelled(true) }, do: func(m *module) {
			m.settles = true
			m.before["WritePort"] = func(ctx context.Context) error {
				m.note("writing", "")
				<-ctx.Done()
				return ctx.Err()
			}
		}},
		{name: "ignores cancellation", lives: 1, also: func(tr *trial) { tr.cancelled(false) }, do: on("WritePort", func(context.Context) error {
			_ = os.WriteFile(filepath.Join(os.Args[4], "writing"), nil, 0o600)
			select {}
		}), event: eventlog.MonitorExited, says: "did not react to cancellation"},
	}
	for _, method := range []string{"InitializePrintMonitor2", "EnumPorts", "OpenPort"} {
		r := dies(method, map[string]string{"InitializePrintMonitor2": "EnumPorts", "EnumPorts": "OpenPort"}[method], row{outcomes: sent})
		r.also = (*trial).wantThirdLife // the document comes when all is over
		rows = append(rows, r)
	}
	return rows
}

// dies exits once a method has been answered; the next is not, however soon it comes.
func dies(method, next string, r row) row {
	r.name, r.lives = "dies after "+method, 1
	r.do = func(m *module) {
		m.then[method] = func() { exits(m) }
		if next != "" {
			m.before[next] = hang
		}
	}
	return r
}

func (tr *trial) wantThirdLife() {
	tr.addPrinter() // a port without one is not opened
	poll.Until(tr, "a third life", func() bool {
		lives, _ := os.ReadFile(filepath.Join(tr.dir, "lives"))
		return len(lives) >= 3
	})
	tr.wantState()
}

// cancelled cancels a document that is being written, and looks whether the process is
// still the same.
func (tr *trial) cancelled(same bool) {
	tr.addPrinter()
	tr.submit(100_000)
	poll.Until(tr, "the document is being written", func() bool {
		_, err := os.Stat(filepath.Join(tr.dir, "writing"))
		return err == nil
	})
	before := tr.pids()
	check(tr, tr.house.node().CancelJob(tr.Context(), tr.job, "ann"))
	if j := tr.house.final(tr, tr.job); j.State != job.Cancelled {
		tr.Errorf("the document is %s", j.State)
	}
	if !same {
		poll.Until(tr, "another process", func() bool { now := tr.pids(); return len(now) == 1 && !slices.Equal(now, before) })
	} else if now := tr.pids(); !slices.Equal(now, before) {
		tr.Errorf("the process obeyed and was ended: %v, then %v", before, now)
	}
}

func (tr *trial) pids() (pids []int32) {
	r, err := tr.house.monitors().GetMonitor(tr.Context(), &apiv1.GetMonitorRequest{Name: tr.name})
	check(tr, err)
	for _, p := range r.GetMonitor().GetProcesses() {
		pids = append(pids, p.GetPid())
	}
	return pids
}
