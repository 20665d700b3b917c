package client

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spoolhost/spoolhost/host/eventlog"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/driver"
	"github.com/spoolhost/spoolhost/sdk/pointprint"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// session is one performance of the steps for one connection.
type session struct {
	c      *Client
	remote *remote
	trace  *trace
	// con is the connection as it becomes, before as it was; nil for a new one.
	con, before *Connection
	read        *enumeration
	progress    progress
	changed     bool
}

// Add makes a connection: the ten steps. w may be nil.
func (c *Client) Add(ctx context.Context, name Name, addresses []string, w Watcher) (_ Connection, _ []Step, err error) {
	t := newTrace(w)
	unlock, err := c.lock(ctx, name.fold())
	if err != nil {
		return Connection{}, nil, err
	}
	defer unlock()
	con, err := c.begin(name, addresses)
	if err != nil {
		return Connection{}, nil, err
	}
	t.add(1, outcome(nil), "AddPrinterConnection(%s)", quoted(name.String()))
	s := c.session(con, nil, t)
	s.remote.meets = true
	defer func() { _ = s.remote.Close() }()
	if err := s.connect(ctx); err != nil {
		c.event(eventlog.ConnectionFailed, eventlog.Warning, name, "not made: %s", err)
		return Connection{}, t.all(), spoolerr.Wrap(s.undo(ctx, err), "connection %s was not made", name)
	}
	c.event(eventlog.ConnectionAdded, eventlog.Info, name, "made; its server is at %s", strings.Join(con.Addresses, ", "))
	c.watchSoon()
	return *s.con, t.all(), nil
}

// begin checks what is asked for.
func (c *Client) begin(name Name, addresses []string) (*Connection, error) {
	if err := c.cfg.Policy.allowed(name.Server); err != nil {
		c.event(eventlog.ConnectionRefused, eventlog.Warning, name, "refused: %s", err)
		return nil, err
	}
	if known, err := c.Get(name); err == nil && known.State == Connected {
		return nil, spoolerr.New(spoolerr.Exists, spoolerr.CodePrinterAlreadyExists,
			"there is a connection to %s already; bring it up to date with spoolhost connection refresh, or delete it first", known.Name)
	}
	if len(addresses) == 0 {
		return nil, spoolerr.New(spoolerr.Invalid, 0, "no address of server %s is given; use --server HOST:PORT", spool.Quote(name.Server))
	}
	return &Connection{Name: name, Spooler: name.Server, State: Connecting, Addresses: slices.Clone(addresses), Added: c.cfg.Now()}, nil
}

func (c *Client) session(con, before *Connection, t *trace) *session {
	s := &session{c: c, con: con, before: before, trace: t, remote: c.remote(con)}
	s.progress.watcher = t.watcher
	return s
}

// connect performs steps 2 to 10; step 5 is the server's, in the middle of step 4.
func (s *session) connect(ctx context.Context) error {
	return inOrder(ctx,
		s.openPrinter,   // 2: the remote print provider makes a connection to the server
		s.driverFiles,   // 3: the server's spooler sends driver files
		s.enumerate,     // 4: EnumPrinterKey and EnumPrinterDataEx
		s.cache,         // 6: the keys received are cached
		s.queueFiles,    // 7: for each subkey of CopyFiles
		s.cacheRefresh,  // 8: PRINTER_EVENT_CACHE_REFRESH
		s.addPrinter,    //    now that all is there, it can be printed to
		s.addConnection, // 9: PRINTER_EVENT_ADD_CONNECTION
		s.tellModules,   // 10: COPYFILE_EVENT_ADD_PRINTER_CONNECTION
		s.finish,
	)
}

// refresh performs those steps that follow a change.
func (s *session) refresh(ctx context.Context) error {
	return inOrder(ctx, s.openPrinter, s.driverFiles, s.enumerate, s.cache, s.queueFiles, s.cacheRefresh, s.addPrinter, s.finish)
}

func inOrder(ctx context.Context, steps ...func(context.Context) error) error {
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// openPrinter connects to the server and makes sure of the printer (step 2).
func (s *session) openPrinter(ctx context.Context) error {
	err := s.ping(ctx)
	if s.before == nil && errors.Is(err, spoolerr.CodeNotFound) {
		s.remote.spooler = "" // no cluster spooler has the name: it is that of a host
		err = s.ping(ctx)
	}
	if err == nil && s.remote.meets {
		err = s.remote.meetAll(ctx)
	}
	s.trace.add(2, outcome(err), "OpenPrinter(%s)", quoted(s.con.Name.String()))
	if err != nil {
		return err
	}
	s.con.Identities, s.con.Spooler = s.remote.known(), s.remote.spooler
	for address, identity := range s.con.Identities {
		if s.before == nil || s.before.Identities[address] != identity {
			s.c.event(eventlog.ServerPinned, eventlog.Info, s.con.Name, "the identity of the server at %s was pinned: %s", address, identity)
		}
	}
	return nil
}

// ping makes sure that the server answers, and has the printer.
func (s *session) ping(ctx context.Context) error {
	err := s.remote.do(ctx, func(ctx context.Context, l *link) error {
		_, err := l.printers.GetPrinter(ctx, &apiv1.GetPrinterRequest{Spooler: s.remote.to(), Name: s.con.Name.Printer})
		return err
	})
	if err == nil || passing(err) {
		return err
	}
	return spoolerr.Wrap(err, "server %s says", spool.Quote(s.con.Name.Server)) // its printers are not those here
}

// enumerate copies the printer's data (step 4).
func (s *session) enumerate(ctx context.Context) (err error) {
	if s.read, err = s.readAll(ctx); err == nil {
		s.con.ChangeID = s.read.changeID
	}
	return err
}

// cache keeps it (step 6). From here on a connection that is cut off is found again.
func (s *session) cache(ctx context.Context) error {
	if s.before == nil {
		if err := s.c.save(ctx, s.con); err != nil {
			return err
		}
	}
	return s.store(ctx, s.read)
}

// cacheRefresh tells the driver that what is kept of the printer is new (step 8). What the
// driver says does not matter.
func (s *session) cacheRefresh(ctx context.Context) error {
	if s.before == nil || s.changed || s.con.ChangeID != s.before.ChangeID {
		s.c.tellDriver(ctx, s.con, 8, driver.CacheRefresh, s.trace)
	}
	return nil
}

// addPrinter makes the connection a printer here.
func (s *session) addPrinter(ctx context.Context) error {
	return s.c.cfg.Printers.Connect(ctx, s.con.Name.String())
}

// addConnection tells the driver of the connection (step 9).
func (s *session) addConnection(ctx context.Context) error {
	s.c.tellDriver(ctx, s.con, 9, driver.AddConnection, s.trace)
	return nil
}

// tellModules tells each Point and Print module of the connection (step 10).
func (s *session) tellModules(ctx context.Context) error {
	for _, part := range s.con.Components {
		if part.Refused == "" {
			s.c.tellModule(ctx, s.con, part, 10, pointprint.AddPrinterConnection, s.trace)
		}
	}
	return nil
}

// finish stores the connection, and removes files that it needed before.
func (s *session) finish(ctx context.Context) error {
	s.con.State, s.con.Refreshed, s.con.Trouble = Connected, s.c.cfg.Now(), ""
	if err := s.c.save(ctx, s.con); err != nil {
		return err
	}
	if _, err := s.c.letGo(s.con.Name, s.con.files()); err != nil {
		s.c.cfg.Logger.Warn("a file that no connection needs is left", "error", err)
	}
	return nil
}

// undo takes a connection back that could not be made.
func (s *session) undo(ctx context.Context, cause error) error {
	ctx = context.WithoutCancel(ctx)
	if _, err := s.c.letGo(s.con.Name, nil); err != nil {
		s.c.cfg.Logger.Warn("a file of a connection that was not made is left", "error", err)
	}
	if err := s.c.forget(ctx, s.con.Name); err != nil {
		s.c.cfg.Logger.Error("what is left of a connection that was not made", "connection", s.con.Name.String(), "error", err)
	}
	return cause
}

// forget removes the record and the cached keys.
func (c *Client) forget(ctx context.Context, n Name) error {
	exists, err := c.cfg.Hive.KeyExists(ctx, n.key())
	if err == nil && exists {
		err = c.cfg.Hive.DeleteTree(ctx, n.key())
	}
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.connections, n.fold())
	if end := c.ends[n.fold()]; end != nil {
		end()
	}
	return nil
}
