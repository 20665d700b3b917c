package spooler

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	hostregistry "github.com/spoolhost/spoolhost/host/registry"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Settings is what an operator decides of a printer. A nil field keeps what it was.
type Settings struct {
	Ports             []string
	Comment, Location *string
	Policy            *string
	MaxAttempts       *uint32
	Priority          *uint32
	DefaultPriority   *uint32
	StartTime         *uint32
	UntilTime         *uint32
	KeepPrinted       *bool
	// JobLimit is the longest that one document may hold a port; 0 is without limit.
	JobLimit *time.Duration
	// StartPrinting is AfterSpooling or WhileSpooling.
	StartPrinting *string
	// Rejecting takes no new jobs; HoldNew takes and holds them.
	Rejecting, HoldNew *bool
	// Message is what an operator says of the printer's state, such as why it is paused.
	Message *string
	// Formats are the media types the printer takes; empty is every known one.
	Formats []string
	// Allow and Deny name who may print: users, and groups as "@NAME". Without Allow
	// everybody may whom Deny does not name.
	Allow, Deny []string
	// Description is what front ends keep of the printer, as a message of IPP.
	Description []byte
	// Driver is the name of an installed driver, or empty.
	Driver *string
	// By is who asks, for the driver's PRINTER_EVENT_INITIALIZE.
	By string
}

// record is a printer as the registry has it.
type record struct {
	Name              string
	Ports             []string
	Comment, Location string
	Rules             job.Rules
	Priority          uint32
	DefaultPriority   uint32
	StartTime, Until  uint32
	Paused            bool
	Rejecting         bool
	HoldNew           bool
	StartPrinting     string // empty is AfterSpooling
	Message           string
	Formats           []string
	Allow, Deny       []string
	Description       []byte
	Driver            string
	ChangeID          uint32 // another number after each change; never 0
	Created           time.Time
	Changed           time.Time // in memory: when its record or Paused last changed
}

// printer is a record with its life.
type printer struct {
	record
	keys       []string    // its ports' names, folded
	submitting int         // submissions under way: it cannot be deleted meanwhile
	timer      *time.Timer // wakes it when its hours or a job's begin
	// initializing: its driver has not yet agreed to it, and it takes no jobs.
	initializing bool
	watched      chan struct{} // closed at the next change, if somebody waits for one
}

// defaultMaxAttempts is how many attempts may fail before a job is held.
const defaultMaxAttempts = 5

// minJobLimit is the shortest limit that a document could meet.
const minJobLimit = 100 * time.Millisecond

const printersKey = "Printers"

func newRecord(name string, now time.Time) record {
	return record{
		Name: name, Rules: job.Rules{Policy: job.Retry, MaxAttempts: defaultMaxAttempts},
		Priority: spool.DefaultPriority, DefaultPriority: spool.DefaultPriority, Created: now, ChangeID: firstChangeID(now),
	}
}

// apply changes a record by settings, checking each.
func (r record) apply(set Settings) (record, error) {
	if set.Ports != nil {
		r.Ports = slices.Clone(set.Ports)
	}
	assign(&r.Comment, set.Comment)
	assign(&r.Location, set.Location)
	assign(&r.Rules.MaxAttempts, set.MaxAttempts)
	assign(&r.Priority, set.Priority)
	assign(&r.DefaultPriority, set.DefaultPriority)
	assign(&r.StartTime, set.StartTime)
	assign(&r.Until, set.UntilTime)
	assign(&r.Rules.KeepPrinted, set.KeepPrinted)
	assign(&r.Rules.Limit, set.JobLimit)
	assign(&r.StartPrinting, set.StartPrinting)
	assign(&r.Rejecting, set.Rejecting)
	assign(&r.HoldNew, set.HoldNew)
	assign(&r.Message, set.Message)
	assign(&r.Driver, set.Driver)
	replace(&r.Formats, set.Formats)
	replace(&r.Allow, set.Allow)
	replace(&r.Deny, set.Deny)
	if set.Description != nil {
		r.Description = slices.Clone(set.Description)
	}
	if set.Policy != nil {
		r.Rules.Policy = job.Policy(*set.Policy)
	}
	return r, r.check()
}

func assign[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// replace changes a list; an empty one that is not nil clears it.
func replace(to *[]string, from []string) {
	if from != nil {
		*to = slices.Clone(from)
	}
}

func (r record) check() error {
	switch r.Rules.Policy {
	case job.Retry, job.Hold, job.Cancel:
	default:
		return spoolerr.New(spoolerr.Invalid, 0, "printer %s: policy %s is unknown; use retry, hold or cancel",
			spool.Quote(r.Name), spool.Quote(string(r.Rules.Policy)))
	}
	if r.Rules.Limit < 0 || r.Rules.Limit > 0 && r.Rules.Limit < minJobLimit {
		return spoolerr.New(spoolerr.Invalid, 0, "printer %s: a job limit of %v is too short; use at least %v, or 0 for no limit",
			spool.Quote(r.Name), r.Rules.Limit, minJobLimit)
	}
	if len(r.Ports) == 0 {
		return spoolerr.New(spoolerr.Invalid, spoolerr.CodeUnknownPort, "printer %s needs a port; add one with spoolhost port add", spool.Quote(r.Name))
	}
	seen := make(map[string]bool)
	for _, p := range r.Ports {
		if seen[spool.Fold(p)] {
			return spoolerr.New(spoolerr.Invalid, 0, "printer %s names port %s twice", spool.Quote(r.Name), spool.Quote(p))
		}
		seen[spool.Fold(p)] = true
	}
	for _, text := range []string{r.Comment, r.Location, r.Message} {
		if err := checkText("printer "+spool.Quote(r.Name)+": comment or location", text); err != nil {
			return err
		}
	}
	if err := errors.Join(r.checkStart(), r.checkLists()); err != nil {
		return err
	}
	if err := checkPriority(r.Priority); err != nil {
		return err
	}
	if err := checkPriority(r.DefaultPriority); err != nil {
		return err
	}
	return checkHours(r.StartTime, r.Until)
}

// checkLists bounds what a record carries.
func (r record) checkLists() error {
	const mostNames, mostBytes = 1000, 128 << 10
	if len(r.Formats) > mostNames || len(r.Allow) > mostNames || len(r.Deny) > mostNames || len(r.Description) > mostBytes {
		return spoolerr.New(spoolerr.Exhausted, 0, "printer %s: a list has more than %d entries or the description more than %d bytes",
			spool.Quote(r.Name), mostNames, mostBytes)
	}
	for _, f := range r.Formats {
		if kind, sub, ok := strings.Cut(f, "/"); !ok || kind == "" || sub == "" {
			return spoolerr.New(spoolerr.Invalid, 0, "printer %s: %s is not a media type such as application/pdf", spool.Quote(r.Name), spool.Quote(f))
		}
	}
	for _, text := range slices.Concat(r.Formats, r.Allow, r.Deny) {
		if err := checkText("printer "+spool.Quote(r.Name)+": a format or user", text); err != nil {
			return err
		}
	}
	return nil
}

func checkPriority(p uint32) error {
	if p < spool.MinPriority || p > spool.MaxPriority {
		return spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidPriority, "priority %d is not between %d and %d", p, spool.MinPriority, spool.MaxPriority)
	}
	return nil
}

func checkHours(start, until uint32) error {
	const day = 24 * 60
	if start >= day || until >= day {
		return spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidTime, "times are minutes after 00:00 UTC, 0 to %d; got %d and %d", day-1, start, until)
	}
	return nil
}

// checkText bounds free text and keeps control characters out of terminals.
func checkText(what, text string) error {
	const most = 1024
	if len(text) > most {
		return spoolerr.New(spoolerr.Invalid, 0, "%s has %d bytes; the most is %d", what, len(text), most)
	}
	if strings.ToValidUTF8(text, "") != text || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return spoolerr.New(spoolerr.Invalid, 0, "%s is not valid UTF-8 or contains control characters", what)
	}
	return nil
}

func (r record) values() []registry.Value {
	flag := func(b bool) uint32 {
		if b {
			return 1
		}
		return 0
	}
	return []registry.Value{
		registry.Strings("Ports", r.Ports...), registry.String("Comment", r.Comment), registry.String("Location", r.Location),
		registry.String("Policy", string(r.Rules.Policy)), registry.Uint32("MaxAttempts", r.Rules.MaxAttempts),
		registry.Uint32("Priority", r.Priority), registry.Uint32("DefaultPriority", r.DefaultPriority),
		registry.Uint32("StartTime", r.StartTime), registry.Uint32("UntilTime", r.Until),
		registry.Uint32("KeepPrintedJobs", flag(r.Rules.KeepPrinted)), registry.Uint64("JobLimit", uint64(r.Rules.Limit.Milliseconds())), registry.Uint32("Paused", flag(r.Paused)),
		registry.Uint32("Rejecting", flag(r.Rejecting)), registry.Uint32("HoldNewJobs", flag(r.HoldNew)),
		registry.Strings("Formats", r.Formats...), registry.Strings("AllowUsers", r.Allow...), registry.Strings("DenyUsers", r.Deny...),
		registry.String("Message", r.Message), registry.String("StartPrinting", r.StartPrinting), registry.String("Printer Driver", r.Driver), registry.Uint32("ChangeID", r.ChangeID),
		registry.Bytes("Description", r.Description),
		registry.Uint64("Created", uint64(r.Created.UnixNano())),
	}
}

// changed gives the values that differ from those of another record. What a new printer has
// from the beginning is not stored until it is another: of ten thousand printers few values
// are to be read.
func (r record) changed(from record) []registry.Value {
	before := from.values()
	var list []registry.Value
	for i, v := range r.values() {
		if v.Type != before[i].Type || !bytes.Equal(v.Data, before[i].Data) {
			list = append(list, v)
		}
	}
	return list
}

// parseRecord is values in reverse; what is missing or damaged gets its default.
func parseRecord(name string, values []registry.Value) record {
	r := newRecord(name, time.Time{})
	byName := make(map[string]registry.Value, len(values))
	for _, v := range values {
		byName[strings.ToLower(v.Name)] = v
	}
	text := func(name string, to *string) {
		if v, there := byName[name]; there {
			if s, err := v.Text(); err == nil {
				*to = s
			}
		}
	}
	number := func(name string, to *uint32) {
		if v, there := byName[name]; there {
			if n, err := v.Number(); err == nil {
				*to = uint32(n)
			}
		}
	}
	list := func(name string, to *[]string) {
		if v, there := byName[name]; there {
			*to, _ = v.List()
		}
	}
	policy := string(r.Rules.Policy)
	var keep, paused, rejecting, holdNew uint32
	list("ports", &r.Ports)
	list("formats", &r.Formats)
	list("allowusers", &r.Allow)
	list("denyusers", &r.Deny)
	r.Description = byName["description"].Data
	number("rejecting", &rejecting)
	number("holdnewjobs", &holdNew)
	r.Rejecting, r.HoldNew = rejecting != 0, holdNew != 0
	text("comment", &r.Comment)
	text("location", &r.Location)
	text("message", &r.Message)
	text("startprinting", &r.StartPrinting)
	text("printer driver", &r.Driver)
	number("changeid", &r.ChangeID)
	text("policy", &policy)
	number("maxattempts", &r.Rules.MaxAttempts)
	number("priority", &r.Priority)
	number("defaultpriority", &r.DefaultPriority)
	number("starttime", &r.StartTime)
	number("untiltime", &r.Until)
	number("keepprintedjobs", &keep)
	number("paused", &paused)
	if v, there := byName["joblimit"]; there {
		if n, err := v.Number(); err == nil {
			r.Rules.Limit = time.Duration(n) * time.Millisecond
		}
	}
	if v, there := byName["created"]; there {
		if n, err := v.Number(); err == nil {
			r.Created = time.Unix(0, int64(n)).UTC()
		}
	}
	r.Rules.Policy, r.Rules.KeepPrinted, r.Paused = job.Policy(policy), keep != 0, paused != 0
	return r
}

// printerKey is where a printer's record is; that of a connection is in ,,SERVER,PRINTER, as
// Windows has it. No name has a comma.
func printerKey(name string) string { return printersKey + `\` + strings.ReplaceAll(name, `\`, ",") }

// loadPrinters reads all printers in one pass. A printer whose record is damaged stays
// listed with what could be read.
func (s *Spooler) loadPrinters(ctx context.Context) error {
	if exists, err := s.hive.KeyExists(ctx, printersKey); err != nil || !exists {
		return err
	}
	root, err := s.hive.Values(ctx, printersKey)
	if err != nil && !errors.Is(err, spoolerr.Corrupt) {
		return err
	}
	s.standard = defaultOf(root)
	return s.hive.Children(ctx, printersKey, func(e hostregistry.Entry) error {
		name := strings.ReplaceAll(strings.TrimPrefix(e.Path, printersKey+`\`), ",", `\`)
		if len(e.Values) == 0 && e.Damage == nil {
			return nil // an addition that was cut off; see storeNew
		}
		if e.Damage != nil {
			s.event(eventlog.CorruptRecord, eventlog.Error, eventlog.Printer, name,
				"the record of printer "+spool.Quote(name)+" is damaged: "+e.Damage.Error())
		}
		s.adopt(&printer{record: parseRecord(name, e.Values)})
		return nil
	})
}

// adopt puts a printer into the tables; s.mu is held or the spooler not yet shared.
func (s *Spooler) adopt(p *printer) {
	s.printers[spool.Fold(p.Name)] = p
	p.keys = make([]string, len(p.Ports))
	for i, name := range p.Ports {
		s.port(name).use(p)
		p.keys[i] = spool.Fold(name)
	}
}

func unknownPrinter(name string) error {
	return spoolerr.New(spoolerr.NotFound, spoolerr.CodeInvalidPrinterName,
		"printer %s does not exist; see spoolhost printer list", spool.Quote(name))
}
