package ipp

import (
	"slices"

	"github.com/OpenPrinting/goipp"

	"github.com/spoolhost/spoolhost/host/frontend/ipp/attr"
	"github.com/spoolhost/spoolhost/host/spooler"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// pausePrinter pauses, with the reason that an operator may give.
func pausePrinter(_ *Server, r *request) error {
	message, has, err := attr.ReadText(append(r.msg.Operation, r.msg.Printer...), "printer-state-message")
	if err != nil {
		return err
	}
	if has {
		message = printable(message)
		if err := r.spooler.UpdatePrinter(r.ctx, r.printer.Name, spooler.Settings{Message: &message}); err != nil {
			return err
		}
	}
	return r.spooler.PausePrinter(r.ctx, r.printer.Name)
}

func resumePrinter(_ *Server, r *request) error {
	return r.spooler.ResumePrinter(r.ctx, r.printer.Name)
}

func acceptJobs(_ *Server, r *request) error { return setFlags(r, ptr(false), nil) }

func rejectJobs(_ *Server, r *request) error { return setFlags(r, ptr(true), nil) }

func holdNewJobs(_ *Server, r *request) error { return setFlags(r, nil, ptr(true)) }

func releaseHeldNewJobs(_ *Server, r *request) error {
	return r.spooler.ReleaseHeldNew(r.ctx, r.printer.Name, r.user)
}

func ptr[T any](v T) *T { return &v }

func setFlags(r *request, rejecting, holdNew *bool) error {
	return r.spooler.UpdatePrinter(r.ctx, r.printer.Name, spooler.Settings{Rejecting: rejecting, HoldNew: holdNew})
}

func purgeJobs(_ *Server, r *request) error {
	_, err := r.spooler.PurgePrinter(r.ctx, r.printer.Name, r.user)
	return err
}

// deactivatePrinter neither takes nor prints jobs.
func deactivatePrinter(s *Server, r *request) error {
	if err := rejectJobs(s, r); err != nil {
		return err
	}
	return pausePrinter(s, r)
}

func activatePrinter(s *Server, r *request) error {
	if err := acceptJobs(s, r); err != nil {
		return err
	}
	return resumePrinter(s, r)
}

// identifyPrinter tells the operators: a spooler has no lamp and no bell.
func (s *Server) identifyPrinter(r *request) (*reply, error) {
	actions, _, err := attr.ReadTexts(r.msg.Operation, "identify-actions")
	if err != nil {
		return nil, err
	}
	message, _, err := attr.ReadText(r.msg.Operation, "message")
	if err != nil {
		return nil, err
	}
	out := ok()
	if other := slices.DeleteFunc(actions, func(a string) bool { return a == "display" }); len(other) > 0 {
		out.status = goipp.StatusOkIgnoredOrSubstituted
		out.unsupported = goipp.Attributes{attr.Keyword("identify-actions", other...)}
	}
	return out, r.spooler.IdentifyPrinter(r.printer.Name, r.user, printable(attr.Cut(message, attr.MaxName)))
}

// setPrinterAttributes changes what a printer says of itself. Nothing is changed unless all
// can be (RFC 3380).
func (s *Server) setPrinterAttributes(r *request) (*reply, error) {
	set, refused, err := s.printerSettings(r.printer, r.msg.Printer)
	if err != nil {
		return nil, err
	}
	if len(refused) > 0 {
		f := fail(goipp.StatusErrorAttributesNotSettable, "not everything that is asked for can be set")
		f.unsupported = refused
		return nil, f
	}
	return ok(), r.spooler.UpdatePrinter(r.ctx, r.printer.Name, set)
}

// printerSettings turns attributes of a printer into settings; refused are those that
// cannot be set.
func (s *Server) printerSettings(p spooler.PrinterView, list goipp.Attributes) (set spooler.Settings, refused goipp.Attributes, err error) {
	kept := attr.Decode(p.Description)
	changed := false
	for _, a := range list {
		can, described := settable(a.Name)
		switch {
		case !can:
			refused = append(refused, attr.Make(a.Name, goipp.TagNotSettable, goipp.Void{}))
			continue
		case described && len(a.Values) > 0 && a.Values[0].T == goipp.TagDeleteAttr:
			kept, changed = attr.Delete(kept, a.Name), true
		case described:
			kept, changed = attr.Put(kept, a), true
		default:
			err = setRecord(&set, a)
		}
		if err != nil {
			return set, refused, err
		}
	}
	if changed {
		if set.Description, err = attr.Encode(goipp.TagPrinterGroup, kept); set.Description == nil {
			set.Description = []byte{}
		}
	}
	return set, refused, err
}

// setRecord takes an attribute that the spooler itself keeps.
func setRecord(set *spooler.Settings, a goipp.Attribute) error {
	texts, _, err := attr.ReadTexts(goipp.Attributes{a}, a.Name)
	first := ""
	if len(texts) > 0 {
		first = printable(texts[0])
	}
	if a.Values[0].T == goipp.TagDeleteAttr {
		texts, err = []string{}, nil
	}
	switch a.Name {
	case "printer-info":
		set.Comment = &first
	case "printer-location":
		set.Location = &first
	case "document-format-supported":
		set.Formats = texts
	case "requesting-user-name-allowed":
		set.Allow, set.Deny = exceptAll(texts), []string{}
	case "requesting-user-name-denied":
		set.Deny, set.Allow = exceptNone(texts), []string{}
	case "job-priority-default":
		var n int
		n, _, err = attr.ReadInt(goipp.Attributes{a}, a.Name)
		set.DefaultPriority = ptr(uint32(min(max(n, spool.MinPriority), spool.MaxPriority)))
	}
	return err
}

// exceptAll and exceptNone undo lists, as lpadmin does with "all" and "none".
func exceptAll(names []string) []string  { return without(names, "all") }
func exceptNone(names []string) []string { return without(names, "none") }

func without(names []string, word string) []string {
	if slices.Contains(names, word) {
		return []string{}
	}
	return names
}

// getSupportedValues says what Set-Printer-Attributes takes (RFC 3380 section 4.3).
func (s *Server) getSupportedValues(r *request) (*reply, error) {
	w, err := wantedPrinter(r, "all")
	if err != nil {
		return nil, err
	}
	var list goipp.Attributes
	for _, name := range settables() {
		if w.Has(name, groupDescription) || templateOf(name) && w.Has(name, groupTemplate) {
			list = append(list, attr.Make(name, goipp.TagAdminDefine, goipp.Void{}))
		}
	}
	return group(goipp.TagPrinterGroup, list), nil
}
