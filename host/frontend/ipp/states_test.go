package ipp

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/spooler"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

func TestPrinterStates(t *testing.T) {
	device := func(code spool.PortStatusCode, severity spool.Severity) spool.PortStatus {
		return spool.PortStatus{Code: code, Severity: severity}
	}
	idle := spooler.Condition{State: "idle"}
	for _, c := range []struct {
		printer    spooler.PrinterView
		conditions []spooler.Condition
		state      int
		reasons    []string
	}{
		{spooler.PrinterView{State: "idle"}, []spooler.Condition{idle}, 3, []string{"none"}},
		{spooler.PrinterView{State: "printing"}, []spooler.Condition{{State: "printing", Device: device(spool.PortStatusTonerLow, spool.SeverityWarning)}}, 4, []string{"toner-low-warning"}},
		{spooler.PrinterView{State: "printing", Paused: true}, nil, 4, []string{"moving-to-paused"}},
		{spooler.PrinterView{State: "paused", Paused: true, HoldNew: true}, nil, 5, []string{"hold-new-jobs", "paused"}},
		{spooler.PrinterView{State: "offline"}, []spooler.Condition{{State: "offline", Device: device(spool.PortStatusPaperOut, spool.SeverityError)}}, 5, []string{"media-empty-error"}},
		{spooler.PrinterView{State: "offline"}, []spooler.Condition{{State: "waiting"}}, 5, []string{"offline-report"}},
		{spooler.PrinterView{State: "idle"}, []spooler.Condition{idle, {State: "offline", Device: device(spool.PortStatusPaperJam, spool.SeverityError)}}, 3, []string{"media-jam-error", "stopped-partly"}},
		{spooler.PrinterView{State: "missing"}, []spooler.Condition{{State: "missing", Monitor: "quarantined"}}, 5, []string{"spoolhost-monitor-quarantined-error"}},
		{spooler.PrinterView{State: "missing"}, []spooler.Condition{{State: "missing", Monitor: "backoff"}}, 5, []string{"connecting-to-device"}},
		{spooler.PrinterView{State: "missing"}, []spooler.Condition{{State: "missing"}}, 5, []string{"spoolhost-port-missing-error"}},
		{spooler.PrinterView{State: "idle"}, []spooler.Condition{{State: "idle", Device: spool.PortStatus{Text: "counting sheep", Severity: spool.SeverityInfo}}}, 3, []string{"other-report"}},
	} {
		if got := printerState(c.printer); got != c.state {
			t.Errorf("%+v is %d, want %d", c.printer, got, c.state)
		}
		if got := printerReasons(c.printer, c.conditions); !slices.Equal(got, c.reasons) {
			t.Errorf("%s with %+v: %v, want %v", c.printer.State, c.conditions, got, c.reasons)
		}
	}
}

func TestJobStates(t *testing.T) {
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	idle, stopped := spooler.PrinterView{State: "idle"}, spooler.PrinterView{State: "paused"}
	for _, c := range []struct {
		job     job.Job
		printer spooler.PrinterView
		state   int
		reason  string
	}{
		{job.Job{State: job.Incoming}, idle, 4, "job-incoming"},
		{job.Job{State: job.Queued}, idle, 3, "none"},
		{job.Job{State: job.Queued}, stopped, 3, "printer-stopped"},
		{job.Job{State: job.Queued, NotBefore: now.Add(time.Hour)}, idle, 4, "job-hold-until-specified"},
		{job.Job{State: job.Held}, idle, 4, "job-hold-until-specified"},
		{job.Job{State: job.Held, MayHavePrinted: true}, idle, 4, "job-stopped"},
		{job.Job{State: job.Printing}, idle, 5, "job-printing"},
		{job.Job{State: job.Printing, Intent: job.IntentCancel}, idle, 5, "processing-to-stop-point"},
		{job.Job{State: job.Printed}, idle, 9, "job-completed-successfully"},
		{job.Job{State: job.Cancelled}, idle, 7, "job-canceled-by-user"},
		{job.Job{State: job.Failed}, idle, 8, "aborted-by-system"},
	} {
		state, reasons := jobState(&c.job, c.printer, now)
		if state != c.state || reasons[0] != c.reason {
			t.Errorf("%+v: %d %v, want %d %s", c.job, state, reasons, c.state, c.reason)
		}
	}
}

func TestHoldUntil(t *testing.T) {
	wednesday := time.Date(2026, 3, 4, 12, 30, 0, 0, time.UTC)
	at := func(day, hour, minute int) time.Time { return time.Date(2026, 3, day, hour, minute, 0, 0, time.UTC) }
	for _, c := range []struct {
		until string
		hold  bool
		at    time.Time
		known bool
	}{
		{"no-hold", false, time.Time{}, true}, {"indefinite", true, time.Time{}, true}, {"day-time", false, time.Time{}, true},
		{"evening", false, at(4, 18, 0), true}, {"night", false, at(4, 18, 0), true}, {"third-shift", false, at(5, 0, 0), true},
		{"weekend", false, at(7, 0, 0), true}, {"13:00", false, at(4, 13, 0), true}, {"12:30:00", false, at(5, 12, 30), true},
		{"25:00", false, time.Time{}, false}, {"soon", false, time.Time{}, false},
	} {
		hold, when, known := holdUntil(c.until, wednesday)
		if hold != c.hold || known != c.known || !when.Equal(c.at) {
			t.Errorf("%s: %v %v %v, want %v %v %v", c.until, hold, when, known, c.hold, c.at, c.known)
		}
	}
}

// TestJobUUID: what a job is called does not depend on how its time was read.
func TestJobUUID(t *testing.T) {
	now := time.Now()
	again := now.Round(0).In(time.FixedZone("elsewhere", 3600))
	a := jobUUID("node", &job.Job{Submitted: now}, "/jobs/7")
	if b := jobUUID("node", &job.Job{Submitted: again}, "/jobs/7"); a != b {
		t.Errorf("%s before the restart, %s after it", a, b)
	}
	if b := jobUUID("node", &job.Job{Submitted: now}, "/jobs/8"); a == b {
		t.Errorf("two jobs are called %s", a)
	}
	if !regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(a) {
		t.Errorf("%s is no UUID of version 5", a)
	}
}
