package ipp

import (
	"slices"
	"time"

	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/spooler"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// The values of printer-state.
const (
	printerIdle       = 3
	printerProcessing = 4
	printerStopped    = 5
)

// printerState gives printer-state. A printer is stopped when nothing prints until
// somebody does something; one that is only tried again later is idle.
func printerState(p spooler.PrinterView) int {
	switch p.State {
	case "printing":
		return printerProcessing
	case "paused", "missing":
		return printerStopped
	case "offline":
		return printerStopped
	}
	return printerIdle
}

// printerReasons gives printer-state-reasons.
func printerReasons(p spooler.PrinterView, conditions []spooler.Condition) []string {
	var reasons []string
	switch {
	case p.Paused && p.State == "printing":
		reasons = append(reasons, "moving-to-paused")
	case p.Paused:
		reasons = append(reasons, "paused")
	}
	if p.HoldNew {
		reasons = append(reasons, "hold-new-jobs")
	}
	broken := 0
	for _, c := range conditions {
		of, out := portReasons(c)
		reasons = append(reasons, of...)
		if out {
			broken++
		}
	}
	if broken > 0 && broken < len(conditions) {
		reasons = append(reasons, "stopped-partly")
	}
	slices.Sort(reasons)
	if reasons = slices.Compact(reasons); len(reasons) == 0 {
		return []string{"none"}
	}
	return reasons
}

// portReasons gives the reasons that one port adds, and whether it does not print now.
func portReasons(c spooler.Condition) (reasons []string, out bool) {
	if !c.Device.Clear() && c.Device.Code != spool.PortStatusClear || c.Device.Text != "" {
		reasons = append(reasons, deviceReason(c.Device))
	}
	switch c.State {
	case "missing":
		return append(reasons, monitorReason(c.Monitor)), true
	case "starting":
		return append(reasons, monitorReason(c.State)), true
	case "waiting":
		return append(reasons, "offline-report"), true
	case "offline":
		if len(reasons) == 0 {
			reasons = []string{"offline-error"}
		}
		return reasons, true
	}
	return reasons, false
}

// monitorReason says why the monitor of a port does not serve it. The words of the field
// have none for this.
func monitorReason(state string) string {
	switch state {
	case "starting", "backoff":
		return "connecting-to-device"
	case "quarantined":
		return "spoolhost-monitor-quarantined-error"
	}
	return "spoolhost-port-missing-error"
}

// deviceReason gives the word for what a device reports, with its severity.
func deviceReason(st spool.PortStatus) string {
	words := map[spool.PortStatusCode]string{
		spool.PortStatusOffline: "offline", spool.PortStatusPaperJam: "media-jam", spool.PortStatusPaperOut: "media-empty",
		spool.PortStatusOutputBinFull: "output-area-full", spool.PortStatusPaperProblem: "media-needed",
		spool.PortStatusNoToner: "toner-empty", spool.PortStatusDoorOpen: "door-open",
		spool.PortStatusUserIntervention: "spoolhost-user-intervention", spool.PortStatusOutOfMemory: "spool-area-full",
		spool.PortStatusTonerLow: "toner-low", spool.PortStatusWarmingUp: "power-up", spool.PortStatusPowerSave: "standby",
	}
	word := "other"
	if w, known := words[st.Code]; known {
		word = w
	}
	switch st.Severity {
	case spool.SeverityError:
		return word + "-error"
	case spool.SeverityWarning:
		return word + "-warning"
	}
	return word + "-report"
}

// The values of job-state.
const (
	jobPending    = 3
	jobHeld       = 4
	jobProcessing = 5
	jobCanceled   = 7
	jobAborted    = 8
	jobCompleted  = 9
)

// jobState gives job-state and job-state-reasons.
func jobState(j *job.Job, p spooler.PrinterView, now time.Time) (state int, reasons []string) {
	switch j.State {
	case job.Incoming:
		reasons = []string{"job-incoming"}
		if len(j.Documents) == 0 {
			reasons = append(reasons, "job-data-insufficient")
		}
		return jobHeld, reasons
	case job.Held:
		if j.MayHavePrinted || j.Faults > 0 {
			return jobHeld, []string{"job-stopped", "errors-detected"}
		}
		return jobHeld, []string{"job-hold-until-specified"}
	case job.Printing:
		if j.Intent != job.NoIntent {
			return jobProcessing, []string{"processing-to-stop-point"}
		}
		if j.Spooling {
			return jobProcessing, []string{"job-incoming", "job-printing"}
		}
		return jobProcessing, []string{"job-printing"}
	case job.Printed:
		return jobCompleted, []string{"job-completed-successfully"}
	case job.Cancelled:
		return jobCanceled, []string{"job-canceled-by-user"}
	case job.Failed:
		return jobAborted, []string{"aborted-by-system"}
	}
	return pending(j, p, now)
}

// pending says why a queued job waits.
func pending(j *job.Job, p spooler.PrinterView, now time.Time) (int, []string) {
	if j.Opens(now) > 0 {
		return jobHeld, []string{"job-hold-until-specified"}
	}
	switch printerState(p) {
	case printerStopped:
		return jobPending, []string{"printer-stopped"}
	case printerIdle:
		return jobPending, []string{"none"}
	}
	return jobPending, []string{"job-queued"}
}
