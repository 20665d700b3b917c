package api

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/spooler"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

// Stamp gives a time as the API has it.
func Stamp(t time.Time) *timestamppb.Timestamp { return stamp(t) }

// stamp leaves the zero time out.
func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func jobToProto(sp *spooler.Spooler, j *job.Job) *apiv1.Job {
	p := &apiv1.Job{
		Id: j.ID, Spooler: sp.Name(), Printer: j.Printer, Title: j.Title, User: j.User, State: string(j.State),
		Reason: j.Reason, Size: uint64(j.Size()), Sha256: j.Document.SHA256, Digest: digest(j), Datatype: j.Datatype,
		Priority: j.Priority, StartTime: j.StartTime, UntilTime: j.UntilTime, SubmittedAt: stamp(j.Submitted),
		EndedAt: stamp(j.Ended), MayHavePrinted: j.MayHavePrinted,
	}
	if why := sp.WhyWaiting(j); why != "" && !strings.Contains(why, j.Reason) {
		p.Reason = strings.TrimPrefix(j.Reason+"; "+why, "; ")
	} else if why != "" {
		p.Reason = why
	}
	if j.State == job.Printing && j.Intent != job.NoIntent {
		p.Reason = fmt.Sprintf("the document is being stopped to %s it", j.Intent)
	}
	if j.Spooling && p.Reason == "" {
		p.Reason = fmt.Sprintf("its document is still being received, %d bytes so far", j.Document.Size)
	}
	for _, to := range j.Forwarded {
		p.Forwarded = append(p.Forwarded, forwardToProto(to))
	}
	for _, a := range j.Attempts {
		p.Attempts = append(p.Attempts, &apiv1.Attempt{
			Number: a.Number, Port: a.Port, Monitor: a.Monitor, Incarnation: a.Incarnation, Epoch: a.Epoch,
			StartedAt: stamp(a.Started), EndedAt: stamp(a.Ended), Outcome: string(a.Outcome),
			BytesSent: uint64(max(a.BytesSent, 0)), Error: a.Error, Tries: a.Tries,
		})
	}
	return p
}

// forwardToProto gives a forwarded document as it was last heard of.
func forwardToProto(f job.Forward) *apiv1.ForwardedJob {
	p := &apiv1.ForwardedJob{Printer: f.Printer, Id: f.ID, Over: f.Over}
	if f.State != "" {
		p.Job = &apiv1.Job{Id: f.ID, State: string(f.State), Reason: f.Reason}
	}
	switch {
	case f.Over && f.State == "":
		p.Problem = f.Reason
	case f.Problem != "":
		p.Problem = f.Problem
	case f.Cancel:
		p.Problem = "it was cancelled here, and the server is still to be told"
	case f.ID == 0 && !f.Over:
		p.Problem = "the server's answer was lost; it is asked again"
	}
	return p
}

// digest is what the job's document is known by.
func digest(j *job.Job) string {
	if j.Document.Digest == "" && j.Document.SHA256 != "" {
		return "sha256:" + j.Document.SHA256
	}
	return j.Document.Digest
}

func printerToProto(spoolerName string, v spooler.PrinterView) *apiv1.Printer {
	return &apiv1.Printer{
		Name: v.Name, Spooler: spoolerName, Ports: v.Ports, State: v.State, Reason: v.Reason, Paused: v.Paused,
		Comment: v.Comment, Location: v.Location, Policy: v.Policy, MaxAttempts: v.MaxAttempts, Priority: v.Priority,
		DefaultPriority: v.DefaultPriority, StartTime: v.StartTime, UntilTime: v.UntilTime,
		KeepPrintedJobs: v.KeepPrinted, Jobs: uint32(v.Jobs), JobLimit: durationpb.New(v.JobLimit), CreatedAt: stamp(v.Created),
		Accepting: !v.Rejecting, HoldNewJobs: v.HoldNew, Formats: v.Formats, Allow: v.Allow, Deny: v.Deny,
		Driver: v.Driver, ChangeId: v.ChangeID, StartPrinting: v.StartPrinting, RetryAt: stamp(v.Retry),
	}
}

func settingsFromProto(p *apiv1.PrinterSettings) spooler.Settings {
	if p == nil {
		return spooler.Settings{}
	}
	var limit *time.Duration
	if p.JobLimit != nil {
		d := p.GetJobLimit().AsDuration()
		limit = &d
	}
	var rejecting *bool
	if p.Accepting != nil {
		no := !p.GetAccepting()
		rejecting = &no
	}
	return spooler.Settings{
		JobLimit: limit, Rejecting: rejecting, HoldNew: p.HoldNewJobs,
		Formats: names(p.GetFormats()), Allow: names(p.GetAllow()), Deny: names(p.GetDeny()),
		Ports: p.GetPorts(), Comment: p.Comment, Location: p.Location, Policy: p.Policy, MaxAttempts: p.MaxAttempts,
		Priority: p.Priority, DefaultPriority: p.DefaultPriority, StartTime: p.StartTime, UntilTime: p.UntilTime,
		KeepPrinted: p.KeepPrintedJobs, Driver: p.Driver, StartPrinting: p.StartPrinting,
	}
}

// names gives a list that is set; not nil, even if it has no names.
func names(l *apiv1.NameList) []string {
	if l == nil {
		return nil
	}
	return append([]string{}, l.GetNames()...)
}

func portToProto(spoolerName string, v spooler.PortView) *apiv1.Port {
	return &apiv1.Port{
		Name: v.Name, Spooler: spoolerName, Monitor: v.Monitor, Description: v.Description, State: v.State,
		Status: v.Status, Printers: v.Printers, Job: v.Job, Timeouts: timeoutsToProto(v.Limits), RetryAt: stamp(v.Retry),
	}
}

// pages sends items in messages of a bounded number.
func pages[T any](items []T, send func([]T) error) error {
	const most = 256
	for len(items) > 0 {
		n := min(len(items), most)
		if err := send(items[:n]); err != nil {
			return err
		}
		items = items[n:]
	}
	return nil
}

func convertAll[In, Out any](in []In, convert func(In) Out) []Out {
	out := make([]Out, 0, len(in))
	for _, v := range in {
		out = append(out, convert(v))
	}
	return out
}
