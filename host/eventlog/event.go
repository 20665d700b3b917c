// Package eventlog is the host's event log: what happened to jobs, printers, ports,
// monitors and the host itself, in words for operators. It keeps the newest events in
// memory and all recent ones in a file of JSON lines.
//
// The host's spooler, catalog, cluster and front-end packages import it. It is no log for
// developers (that is hclog), and nothing may be decided by what stands in it: events can
// be lost in a crash or on a full disk.
package eventlog

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Severity says how bad an event is.
type Severity int

// The severities, in rising order.
const (
	Info Severity = iota
	Warning
	Error
)

// String gives "info", "warning" or "error".
func (s Severity) String() string {
	names := [...]string{"info", "warning", "error"}
	if s < 0 || int(s) >= len(names) {
		return "error" // what is not understood is better looked at
	}
	return names[s]
}

// MarshalText implements encoding.TextMarshaler.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Severity) UnmarshalText(text []byte) error {
	for known := Info; known <= Error; known++ {
		if known.String() == string(text) {
			*s = known
			return nil
		}
	}
	return spoolerr.New(spoolerr.Invalid, 0, "severity %s is unknown; use info, warning or error", spool.Quote(string(text)))
}

// The objects an event can be about.
const (
	Host    = "host"
	Monitor = "monitor"
	Port    = "port"
	Printer = "printer"
	Job     = "job"
	Module  = "module"
	Driver  = "driver"
	Spooler = "spooler"
)

// The bounds of an event's strings, in bytes. Text may come from a module.
const (
	maxText    = 4096
	maxName    = 1024
	maxRelated = 16
)

// Event is one thing that happened.
type Event struct {
	// Seq counts the events of this log. Add sets it.
	Seq uint64 `json:"seq"`
	// Time is set by Add if it is zero.
	Time     time.Time `json:"time"`
	ID       ID        `json:"id"`
	Severity Severity  `json:"severity"`
	// Spooler is the spooler's name, empty for the host itself.
	Spooler string `json:"spooler,omitempty"`
	// Object is one of the constants above.
	Object string `json:"object"`
	// Name is the object's: a job's is its number.
	Name string `json:"name,omitempty"`
	// Related are the other objects it concerns, each made by Relation.
	Related []string `json:"related,omitempty"`
	// Text says what happened and, if something is wrong, what to do.
	Text string `json:"text"`
}

// Relation names an object in Event.Related.
func Relation(object, name string) string { return object + " " + name }

// clean makes the event fit for a terminal and for one line of the file.
func (e Event) clean() Event {
	e.Spooler, e.Object, e.Name = tidy(e.Spooler, maxName), tidy(e.Object, maxName), tidy(e.Name, maxName)
	e.Text = tidy(e.Text, maxText)
	e.Related = slices.Clone(e.Related[:min(len(e.Related), maxRelated)])
	for i, r := range e.Related {
		e.Related[i] = tidy(r, maxName)
	}
	return e
}

// tidy replaces what is not printable by spaces, and cuts to at most so many bytes. What
// is tidy it leaves alone.
func tidy(s string, most int) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
	if len(s) <= most {
		return s
	}
	const mark = "..."
	cut := most - len(mark)
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + mark
}

// Filter chooses events. Zero fields choose everything.
type Filter struct {
	Spooler string
	// Object and Name choose the events about an object, and with Name also those that
	// name it as Related. Names are compared without regard to case.
	Object, Name string
	IDs          []ID
	MinSeverity  Severity
	Since        time.Time
	// AfterSeq chooses events with a greater Seq.
	AfterSeq uint64
	// Limit is the number of events, of which the newest are taken.
	Limit int
}

func (f Filter) match(e Event) bool {
	switch {
	case e.Seq <= f.AfterSeq,
		e.Severity < f.MinSeverity,
		f.Spooler != "" && !same(f.Spooler, e.Spooler),
		!f.Since.IsZero() && e.Time.Before(f.Since),
		len(f.IDs) > 0 && !slices.Contains(f.IDs, e.ID):
		return false
	}
	return f.about(e)
}

func (f Filter) about(e Event) bool {
	if (f.Object == "" || f.Object == e.Object) && (f.Name == "" || same(f.Name, e.Name)) {
		return true
	}
	if f.Name == "" || f.Object == "" {
		return false
	}
	wanted := Relation(f.Object, f.Name)
	return slices.ContainsFunc(e.Related, func(r string) bool { return same(r, wanted) })
}

func same(a, b string) bool { return a == b || spool.Fold(a) == spool.Fold(b) }
