package spooler

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/portmon"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// PrinterView is a printer as shown.
type PrinterView struct {
	Name              string
	Ports             []string
	Comment, Location string
	Policy            string
	MaxAttempts       uint32
	Priority          uint32
	DefaultPriority   uint32
	StartTime         uint32
	UntilTime         uint32
	KeepPrinted       bool
	JobLimit          time.Duration
	Paused            bool
	Rejecting         bool
	HoldNew           bool
	StartPrinting     string
	Formats           []string
	Allow, Deny       []string
	Description       []byte
	Driver            string
	ChangeID          uint32
	Created, Changed  time.Time
	// State is "idle", "printing", "paused", "offline", "starting" or "missing"; Reason says
	// why, or what the device says.
	State, Reason string
	Jobs          int
	// Retry is when the first of its ports is tried again; zero if none waits for that.
	Retry time.Time
}

// PortView is a port as shown.
type PortView struct {
	Name, Monitor, Description string
	// State is "idle", "printing", "waiting", "offline", "closed", "starting" or "missing".
	State, Status string
	Printers      []string
	Job           uint64
	// Limits is what an operator said of this port; 0 is the monitor's.
	Limits portmon.Limits
	// Retry is when it, or its monitor, is tried again; zero if neither waits for that.
	Retry time.Time
}

// Printer gives one printer.
func (s *Spooler) Printer(name string) (PrinterView, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pr := s.lookup(name)
	if pr == nil {
		return PrinterView{}, unknownPrinter(name)
	}
	return s.viewPrinter(pr), nil
}

// PrinterCount is how many printers there are.
func (s *Spooler) PrinterCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.printers)
}

// Printers gives all printers in order of name.
func (s *Spooler) Printers() []PrinterView {
	s.mu.Lock()
	defer s.mu.Unlock()
	views := make([]PrinterView, 0, len(s.printers))
	for _, pr := range s.printers {
		views = append(views, s.viewPrinter(pr))
	}
	slices.SortFunc(views, func(a, b PrinterView) int { return cmp.Compare(spool.Fold(a.Name), spool.Fold(b.Name)) })
	return views
}

func (s *Spooler) viewPrinter(pr *printer) PrinterView {
	v := PrinterView{
		Name: pr.Name, Ports: slices.Clone(pr.Ports), Comment: pr.Comment, Location: pr.Location,
		Policy: string(pr.Rules.Policy), MaxAttempts: pr.Rules.MaxAttempts, Priority: pr.Priority,
		DefaultPriority: pr.DefaultPriority, StartTime: pr.StartTime, UntilTime: pr.Until,
		KeepPrinted: pr.Rules.KeepPrinted, JobLimit: pr.Rules.Limit, Paused: pr.Paused, Created: pr.Created, Changed: pr.Changed,
		Rejecting: pr.Rejecting, HoldNew: pr.HoldNew, Formats: pr.Formats, Allow: pr.Allow, Deny: pr.Deny, Description: pr.Description,
		Driver: pr.Driver, ChangeID: pr.ChangeID, StartPrinting: cmp.Or(pr.StartPrinting, AfterSpooling),
		Jobs: s.cfg.Queue.Count(pr.Name),
	}
	v.State, v.Reason = s.printerState(pr)
	for _, name := range pr.Ports {
		if at := s.nextTry(s.port(name)); !at.IsZero() && (v.Retry.IsZero() || at.Before(v.Retry)) {
			v.Retry = at
		}
	}
	return v
}

// nextTry is when a port that has failed is tried again, or its monitor; s.mu is held.
func (s *Spooler) nextTry(p *port) time.Time {
	switch now := s.cfg.Now(); {
	case p.retryAt.After(now):
		return p.retryAt
	case p.unit != nil && p.unit.state == unitBackoff && p.unit.nextAt.After(now):
		return p.unit.nextAt
	}
	return time.Time{}
}

// WhyWaiting says why a queued job does not print now; empty if nothing but other jobs is
// in its way.
func (s *Spooler) WhyWaiting(j *job.Job) string {
	if j.State != job.Queued || s.intake {
		return ""
	}
	now := s.cfg.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	pr := s.lookup(j.Printer)
	switch {
	case pr == nil:
		return "printer " + spool.Quote(j.Printer) + " is gone"
	case pr.Paused:
		return "printer " + spool.Quote(pr.Name) + " is paused"
	case j.NotBefore.After(now):
		return "it prints not before " + j.NotBefore.UTC().Format("2006-01-02 15:04 MST")
	case !job.InWindow(j.StartTime, j.UntilTime, now):
		return "it prints only " + hours(j.StartTime, j.UntilTime)
	case !job.InWindow(pr.StartTime, pr.Until, now):
		return "printer " + spool.Quote(pr.Name) + " prints only " + hours(pr.StartTime, pr.Until)
	}
	if state, reason := s.printerState(pr); state == "offline" || state == "missing" || state == "starting" {
		return reason
	}
	return ""
}

// hours gives a window in words.
func hours(start, until uint32) string {
	return fmt.Sprintf("between %02d:%02d and %02d:%02d UTC", start/60, start%60, until/60, until%60)
}

// printerState sums up the ports: one that works is enough.
func (s *Spooler) printerState(pr *printer) (state, reason string) {
	n, reason := s.countPorts(pr)
	switch {
	case n.printing > 0:
		return "printing", reason
	case pr.Paused:
		return "paused", cmp.Or(pr.Message, reason)
	case n.missing == len(pr.Ports):
		return "missing", reason
	case n.working == 0 && n.starting > 0:
		return "starting", reason
	case n.working == 0:
		return "offline", reason
	case reason == "" && !job.InWindow(pr.StartTime, pr.Until, s.cfg.Now()):
		return "idle", "it prints only " + hours(pr.StartTime, pr.Until)
	}
	return "idle", reason
}

// missing says that printerState is "missing", without the words for it; s.mu is held.
func (s *Spooler) missing(pr *printer) bool {
	if pr.Paused {
		return false
	}
	return !slices.ContainsFunc(pr.keys, func(key string) bool { return !s.portMissing(s.ports[key]) })
}

// portMissing says that portState is "missing", or would be if there were the port; s.mu is
// held.
func (s *Spooler) portMissing(p *port) bool {
	switch {
	case s.intake && (p == nil || p.unit == nil):
		return false
	case p == nil || p.unit == nil || !p.unit.tried():
		return !s.rising()
	}
	return !p.listed || p.job == 0 && !p.unit.ready()
}

// portCounts is how many ports of a printer stand how.
type portCounts struct{ missing, starting, printing, working int }

// countPorts also gives the first reason that one of them has.
func (s *Spooler) countPorts(pr *printer) (n portCounts, reason string) {
	for i, key := range pr.keys {
		p := s.ports[key]
		if p == nil {
			p = s.port(pr.Ports[i])
		}
		state, status := s.portState(p)
		if status != "" && reason == "" {
			reason = about(p, status)
		}
		switch state {
		case "missing":
			n.missing++
		case "starting":
			n.starting++
		case "idle", "closed":
			n.working++
		case "printing":
			if a := s.running[p.job]; a != nil && spool.Fold(a.job.Printer) == spool.Fold(pr.Name) {
				n.printing++
			} else {
				n.working++ // it prints for another printer
			}
		}
	}
	return n, reason
}

// about names the port in front of what is said of it, if it does not say so itself.
func about(p *port, status string) string {
	name := "port " + spool.Quote(p.name)
	if strings.HasPrefix(status, name) {
		return status
	}
	return name + ": " + status
}

func (s *Spooler) portState(p *port) (state, status string) {
	status = p.trouble
	if !p.status.Clear() {
		status = p.status.String()
	}
	switch {
	case p.unit == nil && s.intake: // only its owner can tell
		return "closed", ""
	case p.unit == nil || !p.unit.tried():
		return s.unserved(p)
	case !p.listed:
		return "missing", "monitor " + spool.Quote(p.unit.name) + " does not list this port any more; add it again"
	case p.job != 0:
		if p.waiting != "" && p.status.Clear() { // else the monitor has said it better
			status = p.waiting
		}
		return "printing", status
	case !p.unit.ready():
		return "missing", p.unit.standing()
	case p.status.Severity == spool.SeverityError:
		return "offline", status
	case p.trouble != "":
		return "waiting", status
	case p.open == nil:
		return "closed", status
	}
	return "idle", status
}

// unserved is the state of a port that no monitor has listed yet; s.mu is held.
func (s *Spooler) unserved(p *port) (state, status string) {
	switch {
	case s.rising():
		return "starting", s.whereRising()
	case p.unit == nil:
		return "missing", s.noMonitor()
	}
	return "missing", p.unit.standing()
}

// standing says how a monitor does that does not run; the spooler's mu is held.
func (u *unit) standing() string {
	text := "monitor " + spool.Quote(u.name) + " is " + string(u.state) + because(u.reason)
	if u.state == unitBackoff && !u.nextAt.IsZero() {
		text += "; it is started again at " + u.nextAt.Format(time.TimeOnly)
	}
	return text
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

// Port gives one port.
func (s *Spooler) Port(name string) (PortView, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.ports[spool.Fold(name)]
	if p == nil {
		return PortView{}, unknownPort(name)
	}
	return s.viewPort(p), nil
}

// Ports gives all ports in order of name.
func (s *Spooler) Ports() []PortView {
	s.mu.Lock()
	defer s.mu.Unlock()
	views := make([]PortView, 0, len(s.ports))
	for _, p := range s.ports {
		views = append(views, s.viewPort(p))
	}
	slices.SortFunc(views, func(a, b PortView) int { return cmp.Compare(spool.Fold(a.Name), spool.Fold(b.Name)) })
	return views
}

func (s *Spooler) viewPort(p *port) PortView {
	v := PortView{Name: p.name, Description: p.info.Description, Job: p.job, Limits: s.portLimits[spool.Fold(p.name)]}
	if p.unit != nil {
		v.Monitor = p.unit.name
	}
	v.State, v.Status = s.portState(p)
	v.Retry = s.nextTry(p)
	for _, pr := range p.printers {
		v.Printers = append(v.Printers, pr.Name)
	}
	slices.Sort(v.Printers)
	return v
}

// Problems names what is missing: monitors that do not run and printers without a port
// that works.
func (s *Spooler) Problems() []string { return s.Standing().Problems }

// State is "starting", "online", "online-incomplete" or "stopping".
func (s *Spooler) State() string { return s.Brief(1).State }

// Condition is how one port of a printer stands.
type Condition struct {
	Port string
	// State is a port's, see PortView; Monitor is how its monitor stands.
	State, Monitor string
	// Device is what the monitor's SetPort said.
	Device spool.PortStatus
}

// Conditions gives how the ports of a printer stand.
func (s *Spooler) Conditions(printer string) []Condition {
	s.mu.Lock()
	defer s.mu.Unlock()
	pr := s.lookup(printer)
	if pr == nil {
		return nil
	}
	list := make([]Condition, 0, len(pr.Ports))
	for _, name := range pr.Ports {
		p := s.port(name)
		c := Condition{Port: p.name, Device: p.status}
		c.State, _ = s.portState(p)
		if p.unit != nil {
			c.Monitor = string(p.unit.state)
		}
		list = append(list, c)
	}
	return list
}

// PrinterNames gives the names of all printers in order.
func (s *Spooler) PrinterNames() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	folded := make([]string, 0, len(s.printers))
	for key := range s.printers {
		folded = append(folded, key)
	}
	slices.Sort(folded)
	for i, key := range folded {
		folded[i] = s.printers[key].Name
	}
	return folded
}
