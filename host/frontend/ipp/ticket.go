package ipp

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/OpenPrinting/goipp"

	"github.com/spoolhost/spoolhost/host/frontend/ipp/attr"
	"github.com/spoolhost/spoolhost/host/spooler"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// ticket is what a request wants of a job's printing.
type ticket struct {
	kept        goipp.Attributes // goes with the job
	unsupported goipp.Attributes

	priority  uint32
	copies    uint32
	hold      bool
	notBefore time.Time
}

// report tells the client what was ignored.
func (t *ticket) report(out *reply) {
	if len(t.unsupported) > 0 {
		out.status = goipp.StatusOkIgnoredOrSubstituted
		out.unsupported = append(out.unsupported, t.unsupported...)
	}
}

// templates are the attributes of jobs that a printer may know (RFC 8011 section 5.2).
func templates() []string {
	return []string{
		"copies", "finishings", "finishings-col", "job-hold-until", "job-hold-until-time", "job-priority", "job-sheets", "media", "media-col",
		"multiple-document-handling", "number-up", "orientation-requested", "output-bin", "overrides", "page-delivery",
		"page-ranges", "print-color-mode", "print-content-optimize", "print-quality", "print-rendering-intent", "print-scaling",
		"printer-resolution", "sides", "presentation-direction-number-up",
	}
}

// readTicket reads the job's attributes and compares them with what the printer supports.
// What it does not support is ignored and reported, or refused if the client wants all or
// nothing.
func (s *Server) readTicket(r *request) (*ticket, error) {
	fidelity, _, err := attr.ReadBool(r.msg.Operation, "ipp-attribute-fidelity")
	if err != nil {
		return nil, err
	}
	t, err := s.weigh(r, s.wishes(r))
	if err != nil {
		return nil, err
	}
	if fidelity && len(t.unsupported) > 0 {
		f := fail(goipp.StatusErrorAttributesOrValues, "printer %s does not support all that is asked for", spool.Quote(r.printer.Name))
		f.unsupported = t.unsupported
		return nil, f
	}
	return t, nil
}

// wishes are the job's attributes, also those that clients put among the operation's.
func (s *Server) wishes(r *request) goipp.Attributes {
	list := slices.Clone(r.msg.Job)
	for _, a := range r.msg.Operation {
		if slices.Contains(templates(), a.Name) && !attr.Has(list, a.Name) {
			list = append(list, a)
		}
	}
	return list
}

func (s *Server) weigh(r *request, wishes goipp.Attributes) (*ticket, error) {
	t := &ticket{}
	if len(wishes) == 0 {
		return t, nil // most jobs: the printer's description need not be made
	}
	d := describe(r.printer)
	for _, a := range wishes {
		switch supported, err := s.take(t, a, d); {
		case err != nil:
			return nil, err
		case !supported && (slices.Contains(templates(), a.Name) && attr.Has(d, a.Name+"-supported") || a.Name == "job-hold-until"):
			t.unsupported = append(t.unsupported, a) // the attribute is known, its value is not
		case !supported:
			t.unsupported = append(t.unsupported, attr.Unsupported(a.Name))
		default:
			t.kept = append(t.kept, a)
		}
	}
	return t, nil
}

// take notes what an attribute means to the spooler.
func (s *Server) take(t *ticket, a goipp.Attribute, d goipp.Attributes) (supported bool, err error) {
	one := goipp.Attributes{a}
	switch a.Name {
	case "copies":
		n, _, err := attr.ReadInt(one, a.Name)
		t.copies = uint32(max(n, 0))
		return n >= 1 && n <= spooler.MaxCopies, err
	case "job-priority":
		n, _, err := attr.ReadInt(one, a.Name)
		t.priority = uint32(min(max(n, spool.MinPriority), spool.MaxPriority))
		return n >= 1 && n <= 100, err
	case "job-hold-until":
		until, _, err := attr.ReadText(one, a.Name)
		if err != nil {
			return false, err
		}
		var known bool
		t.hold, t.notBefore, known = holdUntil(until, s.cfg.Now())
		return known, nil
	case "job-hold-until-time":
		if at, is := a.Values[0].V.(goipp.Time); is && len(a.Values) == 1 {
			t.notBefore = at.UTC()
			return true, nil
		}
		return false, &attr.SyntaxError{Name: a.Name, Want: "one dateTime"}
	}
	return slices.Contains(templates(), a.Name) && allowed(a, d), nil
}

// allowed compares an attribute's values with those that the printer supports.
func allowed(a goipp.Attribute, d goipp.Attributes) bool {
	supported, has := attr.Find(d, a.Name+"-supported")
	if !has {
		return false
	}
	for _, v := range a.Values {
		if !supports(supported, v.T, v.V) {
			return false
		}
	}
	return true
}

func supports(supported goipp.Attribute, tag goipp.Tag, v goipp.Value) bool {
	for _, s := range supported.Values {
		switch want := s.V.(type) {
		case goipp.Boolean: // page-ranges
			if bool(want) {
				return true
			}
		case goipp.Range:
			if n, is := v.(goipp.Integer); is && want.Within(int(n)) {
				return true
			}
		default:
			if tag == goipp.TagBeginCollection || goipp.ValueEqual(want, v) {
				return true // the members of a collection are the device's business
			}
		}
	}
	return false
}

// period is a word of job-hold-until with its hours of the UTC day, as CUPS has them.
type period struct {
	name        string
	start, ends int
}

func periods() []period {
	return []period{
		{"day-time", 6, 18}, {"evening", 18, 24}, {"night", 18, 6}, {"second-shift", 16, 24}, {"third-shift", 0, 8},
	}
}

// holds gives the values of job-hold-until-supported.
func holds() []string {
	names := []string{"no-hold", "indefinite"}
	for _, p := range periods() {
		names = append(names, p.name)
	}
	return append(names, "weekend")
}

// holdUntil reads job-hold-until: a word, or a time of the UTC day as CUPS clients send it.
func holdUntil(until string, now time.Time) (hold bool, notBefore time.Time, known bool) {
	now = now.UTC()
	switch until {
	case "no-hold":
		return false, time.Time{}, true
	case "indefinite", "auth-info-required":
		return true, time.Time{}, true
	case "weekend":
		return false, nextWeekend(now), true
	}
	for _, p := range periods() {
		if p.name == until {
			return false, nextHour(now, p.start, p.ends), true
		}
	}
	for _, layout := range []string{"15:04:05", "15:04"} {
		if clock, err := time.Parse(layout, until); err == nil {
			at := now.Truncate(24 * time.Hour).Add(clock.Sub(clock.Truncate(24 * time.Hour)))
			if !at.After(now) {
				at = at.Add(24 * time.Hour)
			}
			return false, at, true
		}
	}
	return false, time.Time{}, false
}

// nextHour gives the next time at which the period begins; the zero time if it is now.
func nextHour(now time.Time, start, ends int) time.Time {
	h := now.Hour()
	if start < ends && h >= start && h < ends || start > ends && (h >= start || h < ends) {
		return time.Time{}
	}
	at := time.Date(now.Year(), now.Month(), now.Day(), start, 0, 0, 0, time.UTC)
	if !at.After(now) {
		at = at.Add(24 * time.Hour)
	}
	return at
}

func nextWeekend(now time.Time) time.Time {
	if now.Weekday() == time.Saturday || now.Weekday() == time.Sunday {
		return time.Time{}
	}
	day := now.Truncate(24 * time.Hour)
	return day.AddDate(0, 0, int(time.Saturday-now.Weekday()))
}

// printable makes a client's text fit for records and terminals.
func printable(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(s, "\ufffd")))
}
