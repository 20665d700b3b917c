package ipp

import (
	"context"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/OpenPrinting/goipp"

	"github.com/spoolhost/spoolhost/host/frontend/access"
	"github.com/spoolhost/spoolhost/host/frontend/ipp/attr"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/spooler"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// useDefault makes the default printer the one that is meant.
func (s *Server) useDefault(r *request) (err error) {
	name := r.spooler.DefaultPrinter()
	if name == "" {
		return fail(goipp.StatusErrorNotFound, "no printer is the default")
	}
	r.printer, err = r.spooler.Printer(name)
	return err
}

func (s *Server) cupsGetDefault(r *request) (*reply, error) {
	w, err := wantedPrinter(r, "all")
	if err != nil {
		return nil, err
	}
	if err := s.useDefault(r); err != nil {
		return nil, err
	}
	return group(goipp.TagPrinterGroup, s.showPrinter(r, r.printer, w)), nil
}

func (s *Server) cupsSetDefault(r *request) (*reply, error) {
	return ok(), r.spooler.SetDefaultPrinter(r.ctx, r.printer.Name)
}

// cupsGetPrinters lists printers, one at a time and only what is asked for of each.
func (s *Server) cupsGetPrinters(r *request) (*reply, error) {
	w, err := wantedPrinter(r, "all")
	if err != nil {
		return nil, err
	}
	limit, _, err := attr.ReadInt(r.msg.Operation, "limit")
	if err != nil {
		return nil, err
	}
	first, _, err := attr.ReadText(r.msg.Operation, "first-printer-name")
	if err != nil {
		return nil, err
	}
	location, byLocation, err := attr.ReadText(r.msg.Operation, "printer-location")
	if err != nil {
		return nil, err
	}
	names := r.spooler.PrinterNames()
	if first != "" {
		start, _ := slices.BinarySearchFunc(names, spool.Fold(first), func(n, want string) int { return strings.Compare(spool.Fold(n), want) })
		names = names[start:]
	}
	out := ok()
	out.more = func(yield func(goipp.Group) bool) {
		sent := 0
		for _, name := range names {
			p, err := r.spooler.Printer(name)
			if err != nil || byLocation && !equalFold(p.Location, location) {
				continue
			}
			if !yield(goipp.Group{Tag: goipp.TagPrinterGroup, Attrs: s.showPrinter(r, p, w)}) {
				return
			}
			if sent++; limit > 0 && sent == limit {
				return
			}
		}
	}
	return out, nil
}

// cupsGetClasses has none to tell of: a pool is one printer here.
func (s *Server) cupsGetClasses(*request) (*reply, error) { return ok(), nil }

// portScheme is the scheme of the device URI of a port that exists.
const portScheme = "spoolhost"

func deviceURI(p spooler.PrinterView) string {
	if len(p.Ports) == 0 {
		return portScheme + ":///"
	}
	return portURI(p.Ports[0])
}

func portURI(port string) string { return portScheme + ":///" + url.PathEscape(port) }

// cupsGetDevices lists the ports, as devices that a printer can be made of.
func (s *Server) cupsGetDevices(r *request) (*reply, error) {
	limit, _, err := attr.ReadInt(r.msg.Operation, "limit")
	if err != nil {
		return nil, err
	}
	ports := r.spooler.Ports()
	if limit > 0 {
		ports = ports[:min(limit, len(ports))]
	}
	out := ok()
	out.more = func(yield func(goipp.Group) bool) {
		for _, p := range ports {
			list := goipp.Attributes{
				attr.Keyword("device-class", "direct"), attr.Text("device-info", p.Name+" ("+p.Monitor+")"),
				attr.Text("device-make-and-model", cmpOr(p.Description, "Unknown")), attr.URI("device-uri", portURI(p.Name)),
				attr.Text("device-id", ""), attr.Text("device-location", ""),
			}
			if !yield(goipp.Group{Tag: goipp.TagPrinterGroup, Attrs: list}) {
				return
			}
		}
	}
	return out, nil
}

// cupsAddModifyPrinter is lpadmin's: it makes the printer if there is none.
func (s *Server) cupsAddModifyPrinter(r *request) (*reply, error) {
	name := r.target.printer
	if name == "" {
		return nil, fail(goipp.StatusErrorBadRequest, "printer-uri names no printer")
	}
	p, err := r.spooler.Printer(name)
	exists := err == nil
	known, later := split(r.msg.Printer)
	set, refused, err := s.printerSettings(p, known)
	if err != nil {
		return nil, err
	}
	if uri, has, err := attr.ReadText(r.msg.Printer, "device-uri"); err != nil {
		return nil, err
	} else if has {
		if set.Ports, err = s.portOf(r.ctx, r.spooler, uri); err != nil {
			return nil, err
		}
	}
	if exists {
		err = r.spooler.UpdatePrinter(r.ctx, name, set)
	} else {
		err = r.spooler.AddPrinter(r.ctx, name, set)
	}
	if err != nil {
		return nil, err
	}
	out := ok()
	if len(refused) > 0 {
		out.status, out.unsupported = goipp.StatusOkIgnoredOrSubstituted, refused
	}
	if r.printer, err = r.spooler.Printer(name); err != nil {
		return nil, err
	}
	return out, s.setStates(r, later)
}

// split takes apart what is the printer's record, and what is done to it afterwards. What
// CUPS needs for drivers and sharing means nothing here and is passed over.
func split(list goipp.Attributes) (known, later goipp.Attributes) {
	for _, a := range list {
		switch a.Name {
		case "printer-state", "printer-is-accepting-jobs", "printer-state-message":
			later = append(later, a)
		case "device-uri", "ppd-name", "printer-is-shared", "port-monitor", "printer-op-policy", "printer-error-policy", "printer-is-temporary",
			"job-quota-period", "job-k-limit", "job-page-limit", "auth-info-required", "printer-state-reasons", "printer-uri", "printer-type":
		default:
			known = append(known, a)
		}
	}
	return known, later
}

// setStates does what lpadmin -E asks for.
func (s *Server) setStates(r *request, list goipp.Attributes) error {
	accepting, has, err := attr.ReadBool(list, "printer-is-accepting-jobs")
	if err == nil && has {
		err = setFlags(r, ptr(!accepting), nil)
	}
	if err != nil {
		return err
	}
	state, has, err := attr.ReadInt(list, "printer-state")
	switch {
	case err != nil || !has:
		return err
	case state == printerStopped:
		return pausePrinter(s, r)
	}
	return resumePrinter(s, r)
}

// portOf gives the port that a device URI means, and adds it if a monitor can.
func (s *Server) portOf(ctx context.Context, sp *spooler.Spooler, uri string) ([]string, error) {
	u, err := url.Parse(uri)
	if err != nil {
		return nil, fail(goipp.StatusErrorBadRequest, "%s is not a device URI", spool.Quote(uri))
	}
	if u.Scheme == portScheme {
		name, err := url.PathUnescape(strings.TrimPrefix(u.EscapedPath(), "/"))
		if err != nil {
			return nil, fail(goipp.StatusErrorBadRequest, "%s is not a device URI", spool.Quote(uri))
		}
		_, err = sp.Port(name)
		return []string{name}, err
	}
	name, monitor, settings, ok := newPort(u)
	if !ok {
		return nil, fail(goipp.StatusErrorAttributesOrValues, "no monitor here prints to %s; use socket://HOST:PORT, ipp://HOST/PATH, or a device that lpinfo -v lists", spool.Quote(uri))
	}
	if v, err := sp.Port(name); err == nil && v.Monitor != "" {
		return []string{name}, nil
	}
	err = sp.AddPort(ctx, name, monitor, settings)
	if spoolerr.KindOf(err) == spoolerr.Exists {
		err = nil
	}
	return []string{name}, err
}

// newPort gives the monitor and the settings that make a port of a device URI.
func newPort(u *url.URL) (name, monitor string, settings map[string]string, ok bool) {
	host, port := u.Hostname(), u.Port()
	if host == "" {
		return "", "", nil, false
	}
	switch u.Scheme {
	case "socket":
		const raw = "9100"
		return "IP_" + strings.TrimSuffix(net.JoinHostPort(host, cmpOr(port, raw)), ":"+raw), "Standard TCP/IP Port",
			map[string]string{"host": host, "port": cmpOr(port, raw)}, true
	case "ipp", "ipps":
		return u.String(), "Internet Printing Port", map[string]string{"uri": u.String()}, true
	}
	return "", "", nil, false
}

func (s *Server) cupsDeletePrinter(r *request) (*reply, error) {
	if _, err := r.spooler.PurgePrinter(r.ctx, r.printer.Name, r.user); err != nil {
		return nil, err
	}
	return ok(), r.spooler.DeletePrinter(r.ctx, r.printer.Name)
}

// cupsMoveJob moves a job, or all of a printer, to another printer.
func (s *Server) cupsMoveJob(r *request) (*reply, error) {
	uri, has, err := attr.ReadText(r.msg.Job, "job-printer-uri")
	if err != nil || !has {
		return nil, fail(goipp.StatusErrorBadRequest, "CUPS-Move-Job needs job-printer-uri")
	}
	to, err := parseTarget(uri)
	if err != nil {
		return nil, err
	}
	if to.printer == "" || to.spooler != r.target.spooler {
		return nil, fail(goipp.StatusErrorNotPossible, "jobs are moved to another printer of the same spooler")
	}
	if r.job != nil {
		return ok(), r.spooler.MoveJob(r.ctx, r.job.ID, to.printer, r.user)
	}
	if r.target.printer == "" || r.caller.Role < access.Operator {
		return nil, fail(goipp.StatusErrorNotAuthorized, "only an operator moves all jobs of a printer")
	}
	for _, j := range r.spooler.Queue().Active(r.printer.Name) {
		err := r.spooler.MoveJob(r.ctx, j.ID, to.printer, r.user)
		if err != nil && spoolerr.KindOf(err) != spoolerr.Precondition {
			return nil, err
		}
	}
	return ok(), nil
}

// cupsAuthenticateJob releases a job that waited for its owner.
func (s *Server) cupsAuthenticateJob(r *request) (*reply, error) {
	if r.job.State != job.Held {
		return nil, fail(goipp.StatusErrorNotPossible, "job %d is not held", r.job.ID)
	}
	return ok(), r.spooler.ReleaseJob(r.ctx, r.job.ID, r.user)
}
