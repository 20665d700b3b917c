package ipp

import (
	"context"
	"strconv"
	"strings"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/frontend/ipp/notify"
)

// followEvents turns the host's events into those of IPP until ctx ends.
func (s *Server) followEvents(ctx context.Context) {
	if s.cfg.Events == nil {
		return
	}
	for e := range s.cfg.Events.Follow(ctx, eventlog.Filter{AfterSeq: s.cfg.Events.Last()}) {
		if !s.notify.Empty() {
			for _, n := range s.translate(e) {
				s.notify.Post(n)
			}
		}
	}
}

// translate gives the events of IPP that an event of the host is.
func (s *Server) translate(e eventlog.Event) []notify.Event {
	name, also := notifyName(e.ID)
	if name == "" {
		return nil
	}
	n := notify.Event{Name: name, Also: also, Spooler: e.Spooler, Text: e.Text, At: e.Time}
	switch e.Object {
	case eventlog.Job:
		n.Job, _ = strconv.ParseUint(e.Name, 10, 64)
		n.Printer = related(e, eventlog.Printer)
		n.Text = "job " + e.Name + ": " + name // the event's own text tells the title
	case eventlog.Printer:
		n.Printer = e.Name
	case eventlog.Port:
		return s.ofPort(n, e.Name)
	}
	return []notify.Event{n}
}

// ofPort makes an event of a port one of each of its printers.
func (s *Server) ofPort(n notify.Event, port string) (list []notify.Event) {
	for _, sp := range s.cfg.Spoolers() {
		if sp.Name() != n.Spooler {
			continue
		}
		if v, err := sp.Port(port); err == nil {
			for _, p := range v.Printers {
				n.Printer = p
				list = append(list, n)
			}
		}
	}
	return list
}

func related(e eventlog.Event, object string) string {
	for _, r := range e.Related {
		if name, ok := strings.CutPrefix(r, object+" "); ok {
			return name
		}
	}
	return ""
}

func notifyName(id eventlog.ID) (name string, also []string) {
	job, printer := []string{"job-state-changed"}, []string{"printer-state-changed"}
	switch id {
	case eventlog.JobAccepted:
		return "job-created", job
	case eventlog.JobPrinted, eventlog.JobCancelled, eventlog.JobFailed:
		return "job-completed", job
	case eventlog.JobAttemptStarted, eventlog.JobAttemptEnded, eventlog.JobHeld, eventlog.JobReleased, eventlog.JobRestarted, eventlog.JobComplete:
		return "job-state-changed", nil
	case eventlog.JobMoved, eventlog.JobChanged:
		return "job-config-changed", job
	case eventlog.PrinterPaused:
		return "printer-stopped", printer
	case eventlog.PrinterResumed, eventlog.PrinterOnline, eventlog.PrinterMissing, eventlog.PrinterPurged:
		return "printer-state-changed", nil
	case eventlog.PortStatus, eventlog.PortOffline, eventlog.PortRecovered:
		return "printer-state-changed", nil
	case eventlog.PrinterChanged:
		return "printer-config-changed", []string{"printer-modified", "printer-state-changed"}
	case eventlog.PrinterAdded:
		return "printer-added", nil
	case eventlog.PrinterDeleted:
		return "printer-deleted", nil
	}
	return "", nil
}
