// Package discovery announces printers by DNS-SD (RFC 6763), so that print dialogs find
// them: it keeps what the responder of this machine announces equal to what there is.
//
// The host imports it, and the IPP front end says what to announce. The multicast DNS
// itself, with its probing and its names that are taken, is the responder's: Avahi.
package discovery

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Printer is one printer as it is announced.
type Printer struct {
	// Key names it for good within this host, Name is what people read. Two printers may
	// have the same Name; one of them is then announced as "Name #2".
	Key, Name string
	// Secure says that it is a printer of ipps too.
	Secure bool
	// Subtypes are such as "_universal", for AirPrint.
	Subtypes []string
	// Text are the entries "key=value" of the TXT record.
	Text []string
}

// Place is where printers are reached: a port, at one interface or at all (Interface 0),
// over IPv4 only, IPv6 only, or both (Family 0).
type Place struct {
	Interface int
	Family    int
	Port      uint16
}

// Responder is what answers multicast DNS for this machine.
type Responder interface {
	// Open connects to it.
	Open(ctx context.Context) (Session, error)
}

// Session is a connection to a responder; what was published ends with it.
type Session interface {
	// Host is the name under which the responder announces this machine, such as
	// "print1.local".
	Host() string
	// Alternative gives the name to try when one is taken.
	Alternative(ctx context.Context, name string) (string, error)
	// Publish announces a printer, or gives ErrTaken.
	Publish(ctx context.Context, p Printer, at []Place) (Group, error)
	// Changes tells of what happens later; it is closed when the responder has gone.
	Changes() <-chan Change
	Close()
}

// Group is what is announced of one printer.
type Group interface {
	// ID is what a Change names it by.
	ID() string
	// SetText replaces the TXT record.
	SetText(ctx context.Context, text []string) error
	// Withdraw says goodbye.
	Withdraw(ctx context.Context) error
}

// Change says that another machine has the name of a group, or that the responder refuses
// to go on with it.
type Change struct {
	Group string
	Taken bool
}

// ErrTaken is the answer to a name that the responder already announces.
var ErrTaken = errors.New("the name is taken")

// Config is what is announced, and by whom.
type Config struct {
	Responder Responder
	Places    []Place
	// Printers gives what there is, for a machine of this name.
	Printers func(host string) []Printer
	// Trouble is told when the responder cannot be reached, once until it can.
	Trouble func(error)
	Logger  hclog.Logger
}

// Announcer keeps the announcements. New starts nothing.
type Announcer struct {
	cfg     Config
	changed chan struct{}
}

// New makes an announcer.
func New(cfg Config) *Announcer {
	return &Announcer{cfg: cfg, changed: make(chan struct{}, 1)}
}

// Changed says that printers may have come, gone or changed.
func (a *Announcer) Changed() {
	select {
	case a.changed <- struct{}{}:
	default:
	}
}

// The times of an announcer: between attempts to reach the responder, between looks at the
// printers when nobody says that they changed, and the longest of one call.
const (
	again  = 5 * time.Second
	look   = time.Minute
	called = 5 * time.Second
)

// Run announces until ctx ends, and then says goodbye.
func (a *Announcer) Run(ctx context.Context) {
	told := false
	for ctx.Err() == nil {
		opening, cancel := context.WithTimeout(ctx, called)
		session, err := a.cfg.Responder.Open(opening)
		cancel()
		if err == nil {
			told = false
			a.serve(ctx, session)
			continue
		}
		if !told && ctx.Err() == nil {
			told = true
			a.cfg.Trouble(err)
		}
		wait(ctx, again)
	}
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// serve keeps a session's announcements until ctx ends or the responder goes.
func (a *Announcer) serve(ctx context.Context, session Session) {
	defer session.Close()
	b := &board{Config: a.cfg, session: session, shown: map[string]*notice{}}
	defer b.clear()
	b.refresh(ctx)
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.changed:
			b.refresh(ctx)
		case <-tick.C:
			b.refresh(ctx)
		case c, ok := <-session.Changes():
			if !ok {
				a.cfg.Logger.Info("the DNS-SD responder has gone; waiting for it")
				return
			}
			b.changed(ctx, c)
		}
	}
}

// board is what one session announces.
type board struct {
	Config
	session Session
	shown   map[string]*notice
	full    bool
}

// notice is one printer's announcement.
type notice struct {
	want  Printer
	name  string // as announced
	group Group
}

// most is how many printers are announced: multicast is shared by everybody on the network,
// and Avahi gives a client 1024 groups.
const most = 1000

// refresh makes the announcements equal to what there is.
func (b *board) refresh(ctx context.Context) {
	printers := b.Printers(b.session.Host())
	if len(printers) > most {
		if !b.full {
			b.Logger.Warn("too many printers to announce; the rest is found by address only", "printers", len(printers), "announced", most)
		}
		b.full, printers = true, printers[:most]
	}
	there := make(map[string]bool, len(printers))
	for _, p := range printers {
		there[p.Key] = true
	}
	for key, n := range b.shown {
		if !there[key] {
			b.withdraw(n)
			delete(b.shown, key)
		}
	}
	for _, p := range printers {
		if ctx.Err() != nil {
			return
		}
		b.show(ctx, p)
	}
}

// show announces a printer, or what is new of it.
func (b *board) show(ctx context.Context, p Printer) {
	n := b.shown[p.Key]
	if n != nil && n.same(p) {
		if slices.Equal(n.want.Text, p.Text) {
			return
		}
		calling, cancel := context.WithTimeout(ctx, called)
		defer cancel()
		if err := n.group.SetText(calling, p.Text); err == nil {
			n.want = p
			return
		}
	}
	name := p.Name
	if n != nil {
		if n.want.Name == p.Name {
			name = n.name
		}
		b.withdraw(n)
		delete(b.shown, p.Key)
	}
	b.publish(ctx, p, name)
}

// same says whether all but the text is as before.
func (n *notice) same(p Printer) bool {
	return n.want.Name == p.Name && n.want.Secure == p.Secure && slices.Equal(n.want.Subtypes, p.Subtypes)
}

// publish announces a printer under the first name that is free.
func (b *board) publish(ctx context.Context, p Printer, name string) {
	const names = 100
	calling, cancel := context.WithTimeout(ctx, called)
	defer cancel()
	for range names {
		named := p
		named.Name = name
		group, err := b.session.Publish(calling, named, b.Places)
		if err == nil {
			b.shown[p.Key] = &notice{want: p, name: name, group: group}
			return
		}
		if errors.Is(err, ErrTaken) {
			name, err = b.session.Alternative(calling, name)
		}
		if err != nil {
			b.Logger.Warn("cannot announce a printer", "printer", p.Name, "error", err)
			return
		}
	}
}

// changed publishes what the responder gave up, under another name if the name is taken.
func (b *board) changed(ctx context.Context, c Change) {
	for key, n := range b.shown {
		if n.group.ID() != c.Group {
			continue
		}
		b.withdraw(n)
		delete(b.shown, key)
		if !c.Taken {
			b.Logger.Warn("the DNS-SD responder gave a printer up; trying again", "printer", n.name)
			return // with the next look
		}
		calling, cancel := context.WithTimeout(ctx, called)
		defer cancel()
		if name, err := b.session.Alternative(calling, n.name); err == nil {
			b.Logger.Info("another machine announces a printer of the same name", "printer", n.name, "now", name)
			b.publish(ctx, n.want, name)
		}
		return
	}
}

// withdraw says goodbye, also when the host is stopping.
func (b *board) withdraw(n *notice) {
	ctx, cancel := context.WithTimeout(context.Background(), called)
	defer cancel()
	if err := n.group.Withdraw(ctx); err != nil {
		b.Logger.Debug("cannot withdraw an announcement", "printer", n.name, "error", err)
	}
}

// clear withdraws everything; the end of the session would do the rest.
func (b *board) clear() {
	const longest = 2 * time.Second
	end := time.Now().Add(longest)
	for _, n := range b.shown {
		if time.Now().After(end) {
			return
		}
		b.withdraw(n)
	}
}
