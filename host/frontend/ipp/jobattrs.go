package ipp

import (
	"slices"
	"strconv"
	"time"

	"github.com/OpenPrinting/goipp"

	"github.com/spoolhost/spoolhost/host/frontend/ipp/attr"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/spooler"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// groupJob is the group of a job's attributes beside the template's.
const groupJob = "job-description"

// shownJob is a job as one request sees it.
type shownJob struct {
	*Server
	*request
	j       *job.Job
	p       spooler.PrinterView
	private bool // the caller may see what tells of its owner
	ranks   *ranks
}

// ranks counts the jobs in front of each, once for all jobs of an answer.
type ranks struct{ ahead map[uint64]int }

func (v *shownJob) ahead() int {
	if v.ranks.ahead == nil {
		v.ranks.ahead = make(map[uint64]int)
		count := make(map[string]int)
		for _, j := range inOrder(v.spooler.Queue().Active("")) {
			key := spool.Fold(j.Printer)
			v.ranks.ahead[j.ID] = count[key]
			count[key]++
		}
	}
	return v.ranks.ahead[v.j.ID]
}

// inOrder sorts jobs as they print: those that print now, those that wait, those held.
func inOrder(jobs []*job.Job) []*job.Job {
	class := func(j *job.Job) int {
		switch j.State {
		case job.Printing:
			return 0
		case job.Queued:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(jobs, func(a, b *job.Job) int {
		switch ca, cb := class(a), class(b); {
		case ca != cb:
			return ca - cb
		case job.Before(a, b):
			return -1
		}
		return 1
	})
	return jobs
}

// wantedJob reads requested-attributes.
func wantedJob(r *request, unasked ...string) (attr.Wanted, error) {
	names, has, err := attr.ReadTexts(r.msg.Operation, "requested-attributes")
	if err == nil && !has {
		names = unasked
	}
	return attr.Want(names, groupJob, groupTemplate), err
}

// showJob makes the wanted attributes of a job, as far as the caller may see them.
func (s *Server) showJob(r *request, j *job.Job, w attr.Wanted, shared *ranks) goipp.Attributes {
	p, known := r.printer, r.printer.Name != "" && spool.Fold(r.printer.Name) == spool.Fold(j.Printer)
	if !known {
		p, _ = r.spooler.Printer(j.Printer)
	}
	v := &shownJob{Server: s, request: r, j: j, p: p, private: r.mayHandle(j), ranks: shared}
	list := attr.Select(w, s.ofJobs, v)
	if !v.private {
		return list
	}
	for _, a := range attr.Decode(j.Ticket) {
		if w.Has(a.Name, groupTemplate) && !attr.Has(list, a.Name) {
			list = append(list, a)
		}
	}
	return list
}

// jobReply tells of a new or changed job (RFC 8011 section 4.2.1.2), without what must be
// counted among all jobs.
func (s *Server) jobReply(r *request) *reply {
	w := attr.Want([]string{"job-uri", "job-id", "job-uuid", "job-state", "job-state-reasons", "job-state-message"})
	return group(goipp.TagJobGroup, s.showJob(r, r.job, w, &ranks{}))
}

type jobSource = attr.Source[*shownJob]

func ofJob(name string, from func(v *shownJob) goipp.Attribute) jobSource {
	return jobSource{Name: name, Group: groupJob, From: from}
}

// private is an attribute that only the owner and operators see.
func private(name, group string, from func(v *shownJob) goipp.Attribute) jobSource {
	return jobSource{Name: name, Group: group, From: func(v *shownJob) goipp.Attribute {
		if !v.private {
			return goipp.Attribute{}
		}
		return from(v)
	}}
}

// jobUUID names a job for good, in whatever zone its time was read.
func jobUUID(spooler string, j *job.Job, path string) string {
	return uuidOf("job " + spooler + " " + strconv.FormatInt(j.Submitted.UnixNano(), 10) + " " + path)
}

func jobSources() []jobSource {
	return slices.Concat(jobIdentity(), jobStatus(), jobTimes(), jobSizes(), jobTemplate())
}

func jobIdentity() []jobSource {
	return []jobSource{
		ofJob("job-uri", func(v *shownJob) goipp.Attribute { return attr.URI("", v.base.uri(v.jobPath(v.j.ID))) }),
		ofJob("job-id", func(v *shownJob) goipp.Attribute { return attr.Int("", int(v.j.ID)) }),
		ofJob("job-uuid", func(v *shownJob) goipp.Attribute {
			return attr.URI("", jobUUID(v.spooler.Name(), v.j, v.jobPath(v.j.ID)))
		}),
		ofJob("job-printer-uri", func(v *shownJob) goipp.Attribute { return attr.URI("", v.base.uri(v.printerPath(v.j.Printer))) }),
		ofJob("job-printer-name", func(v *shownJob) goipp.Attribute { return attr.Name("", v.j.Printer) }),
		private("job-name", groupJob, func(v *shownJob) goipp.Attribute { return attr.Name("", v.j.Title) }),
		private("job-originating-user-name", groupJob, func(v *shownJob) goipp.Attribute { return attr.Name("", v.j.User) }),
		private("job-originating-host-name", groupJob, func(v *shownJob) goipp.Attribute {
			if v.j.Origin == "" {
				return goipp.Attribute{}
			}
			return attr.Name("", v.j.Origin)
		}),
		private("document-name-supplied", groupJob, func(v *shownJob) goipp.Attribute {
			return firstPart(v.j, func(p job.Part) string { return p.Name }, attr.Name)
		}),
		private("document-format-supplied", groupJob, func(v *shownJob) goipp.Attribute {
			return firstPart(v.j, func(p job.Part) string { return p.Format }, attr.Mime)
		}),
		private("document-format", groupJob, func(v *shownJob) goipp.Attribute {
			return firstPart(v.j, func(p job.Part) string { return p.Format }, attr.Mime)
		}),
	}
}

func firstPart(j *job.Job, of func(job.Part) string, make func(string, ...string) goipp.Attribute) goipp.Attribute {
	if parts := j.Parts(); len(parts) > 0 && of(parts[0]) != "" {
		return make("", of(parts[0]))
	}
	return goipp.Attribute{}
}

func jobStatus() []jobSource {
	return []jobSource{
		ofJob("job-state", func(v *shownJob) goipp.Attribute { st, _ := jobState(v.j, v.p, v.cfg.Now()); return attr.Enum("", st) }),
		ofJob("job-state-reasons", func(v *shownJob) goipp.Attribute {
			_, why := jobState(v.j, v.p, v.cfg.Now())
			return attr.Keyword("", why...)
		}),
		private("job-state-message", groupJob, func(v *shownJob) goipp.Attribute {
			return attr.Text("", cmpOr(v.j.Reason, cmpOr(v.spooler.WhyWaiting(v.j), string(v.j.State))))
		}),
		ofJob("number-of-documents", func(v *shownJob) goipp.Attribute { return attr.Int("", len(v.j.Parts())) }),
		ofJob("number-of-intervening-jobs", func(v *shownJob) goipp.Attribute {
			if v.j.State.Final() {
				return goipp.Attribute{}
			}
			return attr.Int("", v.ahead())
		}),
		ofJob("output-device-assigned", func(v *shownJob) goipp.Attribute {
			if n := len(v.j.Attempts); n > 0 {
				return attr.Name("", v.j.Attempts[n-1].Port)
			}
			return goipp.Attribute{}
		}),
		ofJob("job-preserved", func(v *shownJob) goipp.Attribute { return attr.Bool("", v.j.State.Final() && !v.j.DocumentGone) }),
		ofJob("job-charge-info", func(*shownJob) goipp.Attribute { return goipp.Attribute{} }),
	}
}

func (v *shownJob) began() time.Time {
	if len(v.j.Attempts) == 0 {
		return time.Time{}
	}
	return v.j.Attempts[0].Started
}

func jobTimes() []jobSource {
	return []jobSource{
		ofJob("time-at-creation", func(v *shownJob) goipp.Attribute { return attr.UnixTime("", v.j.Submitted) }),
		ofJob("time-at-processing", func(v *shownJob) goipp.Attribute { return attr.UnixTime("", v.began()) }),
		ofJob("time-at-completed", func(v *shownJob) goipp.Attribute { return attr.UnixTime("", v.j.Ended) }),
		ofJob("date-time-at-creation", func(v *shownJob) goipp.Attribute { return attr.Time("", v.j.Submitted) }),
		ofJob("date-time-at-processing", func(v *shownJob) goipp.Attribute { return attr.Time("", v.began()) }),
		ofJob("date-time-at-completed", func(v *shownJob) goipp.Attribute { return attr.Time("", v.j.Ended) }),
		ofJob("job-printer-up-time", func(v *shownJob) goipp.Attribute { return attr.UnixTime("", v.cfg.Now()) }),
	}
}

func jobSizes() []jobSource {
	return []jobSource{
		ofJob("job-k-octets", func(v *shownJob) goipp.Attribute { return attr.Int("", kilo(v.j.Size())) }),
		ofJob("job-k-octets-processed", func(v *shownJob) goipp.Attribute {
			var sent int64
			switch {
			case v.j.State == job.Printed:
				sent = v.j.Size() * int64(max(v.j.Copies, 1))
			case len(v.j.Attempts) > 0:
				sent = v.j.Attempts[len(v.j.Attempts)-1].BytesSent
			}
			return attr.Int("", kilo(sent))
		}),
		ofJob("job-impressions", func(*shownJob) goipp.Attribute { return attr.NoValue("") }),
		ofJob("job-impressions-completed", func(*shownJob) goipp.Attribute { return attr.Int("", 0) }),
		ofJob("job-media-sheets-completed", func(*shownJob) goipp.Attribute { return attr.Int("", 0) }),
	}
}

func kilo(n int64) int { return int((n + 1023) / 1024) }

// jobTemplate are the attributes that the spooler itself heeds; the rest is the ticket's.
func jobTemplate() []jobSource {
	return []jobSource{
		private("copies", groupTemplate, func(v *shownJob) goipp.Attribute { return attr.Int("", int(max(v.j.Copies, 1))) }),
		private("job-priority", groupTemplate, func(v *shownJob) goipp.Attribute { return attr.Int("", int(v.j.Priority)) }),
		private("job-hold-until", groupTemplate, func(v *shownJob) goipp.Attribute {
			switch {
			case v.j.State == job.Held || v.j.HoldAfter != "":
				return attr.Keyword("", "indefinite")
			case v.j.NotBefore.After(v.cfg.Now()):
				if a, ok := attr.Find(attr.Decode(v.j.Ticket), "job-hold-until"); ok {
					return a
				}
				return attr.Name("", v.j.NotBefore.UTC().Format("15:04:05"))
			}
			return attr.Keyword("", "no-hold")
		}),
	}
}
