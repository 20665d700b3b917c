//go:build linux

package hostile

import (
	"context"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/job"
	monitorv2 "github.com/spoolhost/spoolhost/proto/spoolhost/monitor/v2"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// wayRows break in the two other ways in which a document goes to a module: all of it in
// one call, and by a descriptor of its file.
func wayRows() []row {
	retried := func(outcome job.Outcome) []job.Outcome { return []job.Outcome{outcome, job.Sent} }
	rows := []row{
		together("prints together", func(*module) {}, row{outcomes: sent}),
		lies("took more than it was given", "took 100001 of 100000", func(r *monitorv2.PrintDocPortResponse) { r.Written++ }),
		lies("ended without having started", "started false, ended true", func(r *monitorv2.PrintDocPortResponse) { r.Started = false }),
		lies("ended with half of it", "took 50000 of 100000", func(r *monitorv2.PrintDocPortResponse) { r.Written /= 2 }),
		lies("did nothing and gives no error", "did not start the document", func(r *monitorv2.PrintDocPortResponse) { proto.Reset(r) }),
		lies("fails as if its process had ended", "so it says", func(r *monitorv2.PrintDocPortResponse) {
			proto.Reset(r)
			r.Kind, r.Code, r.Message = uint32(spoolerr.Exited), 5, "so it says"
		}),
		lies("fails of an unknown kind", "[2J", func(r *monitorv2.PrintDocPortResponse) {
			r.Ended, r.Kind, r.Code, r.Message = false, 1<<31, 1<<31, "\x1b[2J"
		}),
		lies("fails in 20 MB", "too much", func(r *monitorv2.PrintDocPortResponse) { r.Code, r.Message = 5, strings.Repeat("m", 20<<20) }),
		together("takes half of it together and the rest in parts", after("PrintDocPort", func(r proto.Message) {
			half := r.(*monitorv2.PrintDocPortResponse)
			half.Written, half.Ended = half.Written/2, false
		}), row{outcomes: sent}),
		together("exits in PrintDocPort", on("PrintDocPort", exit), row{
			outcomes: retried(job.Crashed), event: eventlog.JobAttemptEnded, says: "exit status 3",
		}),
		together("blocks in PrintDocPort", on("PrintDocPort", hang), row{
			outcomes: retried(job.TimedOut), event: eventlog.JobAttemptEnded, says: "PrintDocPort did not return within",
		}),
		together("stops itself in PrintDocPort", on("PrintDocPort", func(context.Context) error { stopSelf(); return nil }), row{
			outcomes: retried(job.TimedOut), event: eventlog.JobAttemptEnded, says: "PrintDocPort did not return within",
		}),

		byFile("sends ranges", func(*module) {}, row{outcomes: sent}),
		byFile("takes more than the range", changed("WritePort", func(r *monitorv2.WritePortResponse) { r.Written++ }), row{
			outcomes: []job.Outcome{job.DeviceFailed}, event: eventlog.JobAttemptEnded, says: "took 262145 of 262144", // of the first part
		}),
		byFile("exits in a range", on("WritePort", exit), row{
			outcomes: retried(job.Crashed), event: eventlog.JobAttemptEnded, says: "exit status 3",
		}),
		byFile("blocks in a range", on("WritePort", hang), row{
			outcomes: retried(job.TimedOut), event: eventlog.JobAttemptEnded, says: "WritePort did not return within",
		}),
		byFile("never takes a descriptor", func(*module) {}, row{also: (*trial).fillTheSocket, event: eventlog.ModuleMisbehaves, says: "goes in chunks"}),
		byFile("says that it took what was not sent", func(m *module) { m.capabilities = nil }, row{outcomes: sent}),
	}
	return rows
}

// with is a row of a module whose port has a capability, in the first life after it was
// added.
func with(capability, name string, fault func(*module), r row) row {
	r.name, r.lives = name, 1
	r.do = func(m *module) {
		m.capabilities = []string{capability}
		fault(m)
	}
	return r
}

func together(name string, fault func(*module), r row) row {
	return with(monitor.CapPrintDocPort, name, fault, r)
}

// lies is a row whose reply to PrintDocPort ends the attempt.
func lies(name, says string, change func(*monitorv2.PrintDocPortResponse)) row {
	return together(name, func(m *module) {
		m.report = false
		changed("PrintDocPort", change)(m)
	}, row{outcomes: []job.Outcome{job.DeviceFailed}, event: eventlog.JobAttemptEnded, says: says})
}

// fileSize is that of a document which has a file of its own: only such go by descriptor.
const fileSize = 300_000

// byFile is a row of a module that says it took the descriptor, and takes none.
func byFile(name string, fault func(*module), r row) row {
	r.size = fileSize
	return with(monitor.CapDocumentFD, name, func(m *module) {
		m.after["StartDocPort"] = func(r proto.Message) { r.(*monitorv2.StartDocPortResponse).DocumentTaken = true }
		fault(m)
	}, r)
}

// fillTheSocket prints until the host cannot send another descriptor: what comes then
// goes in chunks.
func (tr *trial) fillTheSocket() {
	tr.addPrinter()
	complained := func() bool { return len(tr.events(uint32(eventlog.ModuleMisbehaves))) > 0 }
	for n := 0; !complained(); n++ {
		if n > 2000 {
			tr.Fatal("the socket for documents takes thousands")
		}
		for range 20 {
			tr.submit(fileSize)
		}
		tr.wantSent()
	}
}

// wantSent waits until the last document has been printed at the first try.
func (tr *trial) wantSent() {
	tr.Helper()
	if j := tr.house.final(tr, tr.job); j.State != job.Printed || len(j.Attempts) != 1 {
		tr.Fatalf("a document is %s after %+v", j.State, j.Attempts)
	}
}
