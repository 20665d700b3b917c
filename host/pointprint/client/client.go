// Package client is the client side of Point and Print: the connections of this host's
// users to printers of other hosts. It performs the ten steps of Microsoft's "Downloading
// Queue-Specific Files", keeps what it got equal to the server's, and is the port by which
// jobs of a connection reach the server.
//
// The spooler and the composition root import it. Whatever a server or a module says is
// checked by package confine before anything is written; no code is ever downloaded: a
// Module is a name that is looked up among those installed here.
package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/pointprint/confine"
	"github.com/spoolhost/spoolhost/host/registry"
	"github.com/spoolhost/spoolhost/sdk/driver"
	"github.com/spoolhost/spoolhost/sdk/pointprint"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Modules are the modules that are installed here.
type Modules interface {
	GenerateCopyFilePaths(ctx context.Context, module string, c pointprint.CopyFilePaths) (pointprint.Dirs, error)
	SpoolerCopyFileEvent(ctx context.Context, module string, e pointprint.CopyFileEvent) error
	DrvPrinterEvent(ctx context.Context, module string, e driver.PrinterEvent) error
}

// Printers makes a connection a printer of the node's spooler.
type Printers interface {
	// Connect adds the printer of a connection, or finds it.
	Connect(ctx context.Context, name string) error
	// Disconnect deletes it; one that has jobs is refused.
	Disconnect(ctx context.Context, name string) error
}

// Policy says what a client takes from servers.
type Policy struct {
	CopyFiles confine.Policy
	// Servers are the names of the servers that may be connected to; nil is every one.
	Servers []string
}

// Config is what a client needs.
type Config struct {
	// Spooler is the name of the spooler whose connections these are, Hive its registry.
	Spooler  string
	Hive     *registry.Hive
	Modules  Modules
	Printers Printers
	Jobs     Jobs
	// Tree is the driver directory.
	Tree   *confine.Tree
	Dial   Dialer
	Policy Policy
	// Environment is the system that drivers are asked for, Client what modules are told of it.
	Environment string
	Client      pointprint.ClientInfo
	// Call bounds a call to a server.
	Call time.Duration
	// Poll is how often a server is asked for changes when it cannot be watched.
	Poll   time.Duration
	Events *eventlog.Log
	Logger hclog.Logger
	Now    func() time.Time
}

// Client keeps the connections of one spooler. New reads them, Run keeps them up to date.
type Client struct {
	cfg Config

	mu          sync.Mutex
	connections map[string]*Connection // by folded name
	held        map[string]*holding    // by place
	locks       map[string]*lock
	ends        map[string]context.CancelFunc // of the watches of connections, by folded name
	strangers   map[string]string             // by address: why the server there was last refused
	away        map[uint64][]job.Forward      // by job here: documents that other hosts have not ended with
	moved       chan struct{}                 // closed and made anew when away changes
	wake        chan struct{}                 // told when there is another connection to watch
}

// New reads the connections. It starts nothing.
func New(ctx context.Context, cfg Config) (*Client, error) {
	cfg.Environment = cmp.Or(cfg.Environment, DefaultEnvironment())
	cfg.Call = cmp.Or(cfg.Call, 30*time.Second)
	cfg.Poll = cmp.Or(cfg.Poll, time.Minute)
	cfg.Policy.CopyFiles = cmp.Or(cfg.Policy.CopyFiles, confine.Color)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	c := &Client{
		cfg: cfg, connections: make(map[string]*Connection), held: make(map[string]*holding),
		locks: make(map[string]*lock), ends: make(map[string]context.CancelFunc), away: make(map[uint64][]job.Forward),
		strangers: make(map[string]string),
		moved:     make(chan struct{}), wake: make(chan struct{}, 1),
	}
	if err := c.load(ctx); err != nil {
		return nil, err
	}
	for _, con := range c.connections {
		for _, f := range con.files() {
			c.hold(con.Name, f)
		}
	}
	return c, nil
}

// List gives all connections in order of name.
func (c *Client) List() []Connection {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]Connection, 0, len(c.connections))
	for _, con := range c.connections {
		list = append(list, *con)
	}
	slices.SortFunc(list, func(a, b Connection) int { return strings.Compare(a.Name.fold(), b.Name.fold()) })
	return list
}

// Get gives one connection.
func (c *Client) Get(name Name) (Connection, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	con := c.connections[name.fold()]
	if con == nil {
		return Connection{}, spoolerr.New(spoolerr.NotFound, spoolerr.CodeInvalidPrinterName,
			"there is no connection to %s; see spoolhost connection list, or make it with spoolhost connection add", name)
	}
	return *con, nil
}

// lock lets one operation at a time work on a thing, without holding a mutex.
type lock struct {
	users int
	held  chan struct{}
}

// lock waits until nobody else has key.
func (c *Client) lock(ctx context.Context, key string) (unlock func(), err error) {
	c.mu.Lock()
	l := c.locks[key]
	if l == nil {
		l = &lock{held: make(chan struct{}, 1)}
		c.locks[key] = l
	}
	l.users++
	c.mu.Unlock()
	leave := func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(c.locks, key)
		}
	}
	select {
	case l.held <- struct{}{}:
		return func() { <-l.held; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, spoolerr.As(ctx.Err(), spoolerr.Cancelled, "another operation is under way")
	}
}

// event adds to the host's event log.
func (c *Client) event(id eventlog.ID, severity eventlog.Severity, n Name, format string, args ...any) {
	c.cfg.Events.Add(eventlog.Event{
		ID: id, Severity: severity, Spooler: c.cfg.Spooler, Object: eventlog.Printer, Name: n.String(),
		Text: "connection " + n.String() + ": " + fmt.Sprintf(format, args...),
	})
}

// strange logs that a server is not the one that it should be, once as long as it is so.
func (c *Client) strange(n Name, address string, err error) {
	why := ""
	if errors.Is(err, CodeIdentity) {
		why = err.Error()
	} else if err != nil {
		return // it is not there: nothing new is known of it
	}
	c.mu.Lock()
	before := c.strangers[address]
	if c.strangers[address] = why; why == "" {
		delete(c.strangers, address)
	}
	c.mu.Unlock()
	if why != before && why != "" {
		c.event(eventlog.ServerRefused, eventlog.Error, n, "%s", why)
	}
}

func (c *Client) damaged(key string, err error) {
	c.cfg.Events.Add(eventlog.Event{
		ID: eventlog.CorruptRecord, Severity: eventlog.Error, Spooler: c.cfg.Spooler, Object: eventlog.Printer, Name: key,
		Text: "the record of connection " + spool.Quote(key) + " is damaged and is left alone: " + err.Error(),
	})
}

// allowed refuses servers that are not on the list.
func (p Policy) allowed(server string) error {
	if p.Servers == nil || slices.ContainsFunc(p.Servers, func(s string) bool { return spool.Fold(s) == spool.Fold(server) }) {
		return nil
	}
	return spoolerr.New(spoolerr.Denied, codeBlocked,
		"connections to server %s are not allowed; an administrator can add it to servers in the block point_and_print of the configuration", spool.Quote(server))
}

// codeBlocked is ERROR_REMOTE_PRINT_CONNECTIONS_BLOCKED.
const codeBlocked spoolerr.Code = 1936

// Dir is the driver directory.
func (c *Client) Dir() string { return c.cfg.Tree.Dir() }
