package ipp

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/OpenPrinting/goipp"

	"github.com/spoolhost/spoolhost/host/frontend/ipp/attr"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// target is what a URI names.
type target struct {
	spooler string // empty is the node's own
	printer string
	job     uint64
	// system says that the URI names the host as a whole.
	system bool
}

// parseTarget reads the path of a printer's or job's URI:
//
//	/printers/NAME  /jobs/ID  and the same below  /spoolers/SPOOLER
//	/ipp/print/NAME as other printers have it; / and the folders name the host
func parseTarget(uri string) (target, error) {
	u, err := url.Parse(uri)
	if err != nil || u.Opaque != "" {
		return target{}, fail(goipp.StatusErrorBadRequest, "%s is not a URI of a printer or job", spool.Quote(uri))
	}
	switch strings.ToLower(u.Scheme) {
	case "ipp", "ipps", "http", "https":
	default:
		return target{}, fail(goipp.StatusErrorURIScheme, "the scheme of %s is not supported; use ipp or ipps", spool.Quote(uri))
	}
	parts, err := segments(u.EscapedPath())
	if err != nil {
		return target{}, fail(goipp.StatusErrorBadRequest, "%s is not a URI of a printer or job", spool.Quote(uri))
	}
	t, ok := targetOf(parts)
	if !ok {
		return t, fail(goipp.StatusErrorNotFound, "%s names nothing on this host", spool.Quote(uri))
	}
	return t, nil
}

func targetOf(parts []string) (t target, ok bool) {
	if len(parts) >= 2 && parts[0] == "spoolers" {
		t.spooler, parts = parts[1], parts[2:]
	}
	if len(parts) >= 2 && parts[0] == "ipp" && parts[1] == "print" {
		parts = append([]string{"printers"}, parts[2:]...)
	}
	switch {
	case len(parts) == 0, len(parts) == 1 && slices.Contains([]string{"printers", "jobs", "admin", "classes"}, parts[0]):
		t.system = true
		return t, true
	case len(parts) == 2 && parts[0] == "printers":
		t.printer = parts[1]
		return t, true
	case len(parts) == 2 && parts[0] == "jobs":
		id, err := strconv.ParseUint(parts[1], 10, 64)
		t.job = id
		return t, err == nil && id > 0
	}
	return t, false
}

// segments splits a path; a name in it may hold anything that is escaped.
func segments(path string) ([]string, error) {
	var parts []string
	for p := range strings.SplitSeq(path, "/") {
		if p == "" {
			continue
		}
		name, err := url.PathUnescape(p)
		if err != nil {
			return nil, err
		}
		parts = append(parts, name)
	}
	return parts, nil
}

func (r *request) printerPath(name string) string {
	return r.spoolerPath() + "/printers/" + url.PathEscape(name)
}

func (r *request) jobPath(id uint64) string {
	return r.spoolerPath() + "/jobs/" + strconv.FormatUint(id, 10)
}

func (r *request) spoolerPath() string {
	if r.spooler == nil || r.spooler.Local() {
		return ""
	}
	return "/spoolers/" + url.PathEscape(r.spooler.Name())
}

// aim says what kind of object an operation acts on.
type aim int

const (
	atNothing      aim = iota // a URI is allowed and means nothing
	atPrinter                 // printer-uri of a printer
	atPrinterOrAll            // printer-uri of a printer or of the host
	atJob                     // job-uri, or printer-uri and job-id
	atJobOrAll                // atJob, or the host as a whole
)

// find finds the objects of the spooler that a request names, as its operation wants them.
func find(r *request) error {
	if r.target.printer != "" && r.op.aim != atNothing {
		var err error
		if r.printer, err = r.spooler.Printer(r.target.printer); err != nil {
			return err
		}
	}
	if r.op.aim == atPrinter && r.target.printer == "" {
		return fail(goipp.StatusErrorNotFound, "%s needs the URI of a printer", r.op.name)
	}
	if r.op.aim == atJob || r.op.aim == atJobOrAll {
		return findJob(r)
	}
	return nil
}

// readTarget reads the URI that the operation goes by.
func readTarget(r *request) error {
	op := r.msg.Operation
	uri, has, err := attr.ReadText(op, "job-uri")
	if err == nil && (!has || r.op.aim == atPrinter || r.op.aim == atPrinterOrAll) {
		uri, has, err = attr.ReadText(op, "printer-uri")
	}
	switch {
	case err != nil:
		return err
	case !has && r.op.aim == atNothing:
		r.target.system = true
		return nil
	case !has:
		return fail(goipp.StatusErrorBadRequest, "%s needs printer-uri%s", r.op.name, orJobURI(r.op.aim))
	}
	if r.target, err = parseTarget(uri); r.op.aim == atNothing {
		return nil
	}
	return err
}

func orJobURI(a aim) string {
	if a == atJob || a == atJobOrAll {
		return " and job-id, or job-uri"
	}
	return ""
}

// findSpooler finds the spooler that a request names among those that are open here.
func (s *Server) findSpooler(r *request) bool {
	for _, sp := range s.cfg.Spoolers() {
		if r.target.spooler == "" && sp.Local() || r.target.spooler != "" && spool.Fold(sp.Name()) == spool.Fold(r.target.spooler) {
			r.spooler = sp
			return true
		}
	}
	return false
}

// findJob finds the job that a request names; one that may be left out may be absent.
func findJob(r *request) error {
	id, err := jobID(r)
	if err != nil {
		return err
	}
	r.target.job = id
	switch {
	case r.target.job == 0 && r.op.aim == atJobOrAll:
		return nil
	case r.target.job == 0:
		return fail(goipp.StatusErrorBadRequest, "%s needs job-id, or job-uri", r.op.name)
	}
	if r.job, err = r.spooler.Queue().Get(r.ctx, r.target.job); err != nil {
		return err
	}
	if r.target.printer != "" && spool.Fold(r.job.Printer) != spool.Fold(r.target.printer) {
		return fail(goipp.StatusErrorNotFound, "job %d is not a job of printer %s", r.job.ID, spool.Quote(r.printer.Name))
	}
	if r.printer.Name == "" {
		r.printer, _ = r.spooler.Printer(r.job.Printer) // it may be gone
	}
	return nil
}

// jobID gives the number of the job that a request names; 0 if it names none.
func jobID(r *request) (uint64, error) {
	id, has, err := attr.ReadInt(r.msg.Operation, "job-id")
	if r.target.job == 0 && has && id > 0 {
		return uint64(id), err
	}
	return r.target.job, err
}

// mayHandle says whether the caller may see all of a job and change it. One who proves
// nothing may handle what came from the same machine under the same name.
func (r *request) mayHandle(j *job.Job) bool {
	if r.caller.Known() {
		return r.caller.MayHandle(j)
	}
	return r.caller.Owns(j) && j.Origin == r.origin
}

// mine says whether a job is of the name that the caller goes by.
func (r *request) mine(j *job.Job) bool { return spool.Fold(j.User) == spool.Fold(r.user) }
