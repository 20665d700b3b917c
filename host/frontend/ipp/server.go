// Package ipp makes every printer of every spooler a printer of the Internet Printing
// Protocol (RFC 8010, RFC 8011, PWG 5100.12), for CUPS, macOS, Windows and phones.
//
// The composition root imports it. It finds out who calls and what they may do, turns
// requests into calls of a spooler and its answers into messages; it decides nothing about
// printing. Its rooms: attr makes and reads attributes, format looks at documents, notify
// keeps subscriptions.
package ipp

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/frontend/access"
	"github.com/spoolhost/spoolhost/host/frontend/ipp/notify"
	"github.com/spoolhost/spoolhost/host/spooler"
)

// Anonymous says from where a caller may come who proves nothing.
type Anonymous string

// The choices. On this machine the kernel tells who calls; nobody is anonymous there whom
// it knows.
const (
	AnonymousLoopback Anonymous = "loopback"
	AnonymousNetwork  Anonymous = "network"
	AnonymousNone     Anonymous = "none"
)

// Config is what the front end serves.
type Config struct {
	Spoolers func() []*spooler.Spooler
	// Elsewhere has the cluster's other spoolers; nil if the host is in no cluster.
	Elsewhere Elsewhere
	Events    *eventlog.Log
	Logger    hclog.Logger
	Version   string
	Started   time.Time
	Now       func() time.Time
	// Operators is the name of the group that operates, or empty.
	Operators string
	// Users are the accounts with passwords; nil for none.
	Users *access.Users
	// Anonymous is AnonymousLoopback if it is empty.
	Anonymous Anonymous
	// TLS, if not nil, lets clients speak TLS at the same addresses.
	TLS *tls.Config
	// Names are the names under which clients reach this host, besides its own name,
	// "localhost" and addresses.
	Names []string
	// Limits bound what clients may cost; zero fields stand for the defaults.
	Limits Limits
}

// Limits bound what clients may cost.
type Limits struct {
	// Connections is how many are open at a time. When another one comes, the one that has
	// been silent longest makes room.
	Connections int
	// Header is the longest time for the attributes of a request, Idle that between two
	// requests, and Silence that without a byte of a document.
	Header, Idle, Silence time.Duration
	// Document is the most bytes of a document, after unpacking; 0 is without limit.
	Document int64
	// Rate is how many requests one address of the network may make in a second, in the long
	// run; negative is without limit. This machine's own addresses are not limited.
	Rate float64
}

func (l Limits) withDefaults() Limits {
	d := Limits{Connections: 2048, Header: 15 * time.Second, Idle: time.Minute, Silence: 5 * time.Minute, Rate: 500}
	if l.Connections > 0 {
		d.Connections = l.Connections
	}
	if l.Header > 0 {
		d.Header = l.Header
	}
	if l.Idle > 0 {
		d.Idle = l.Idle
	}
	if l.Silence > 0 {
		d.Silence = l.Silence
	}
	if l.Rate != 0 {
		d.Rate = l.Rate
	}
	d.Document = l.Document
	return d
}

// Server is the front end.
type Server struct {
	cfg     Config
	limits  Limits
	names   map[string]bool
	called  atomic.Value // the name of this host that DNS-SD announces, a string
	peers   access.Identifier
	http    *http.Server
	conns   *tracker
	rates   *access.Rates
	guesses *access.Rates // of passwords
	table   map[int]operation
	// What the attributes of a job and of a printer are made from.
	ofJobs     []jobSource
	ofPrinters []printerSource
	notify     *notify.Book
	large      chan struct{} // a slot for each request that decodes more than the usual
	closing    sync.Once
	follow     context.Context
	stop       context.CancelFunc
	workers    sync.WaitGroup
	users      accounts // of this machine
}

// New makes the front end; it listens on nothing yet.
func New(cfg Config) *Server {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	if cfg.Anonymous == "" {
		cfg.Anonymous = AnonymousLoopback
	}
	const largeRequests = 64
	limits := cfg.Limits.withDefaults()
	s := &Server{
		cfg: cfg, limits: limits, names: ownNames(cfg.Names), users: accounts{now: cfg.Now}, peers: access.Identifier{Operators: cfg.Operators},
		conns: newTracker(limits.Connections, cfg.Now), rates: access.NewRates(limits.Rate, cfg.Now), guesses: access.NewRates(1, cfg.Now), table: operations(),
		ofJobs: jobSources(), ofPrinters: printerSources(),
		notify: notify.NewBook(cfg.Now), large: make(chan struct{}, largeRequests),
	}
	s.follow, s.stop = context.WithCancel(context.Background())
	s.http = &http.Server{
		Handler: http.HandlerFunc(s.serveHTTP), ReadHeaderTimeout: limits.Header, IdleTimeout: limits.Idle,
		MaxHeaderBytes: 16 << 10, ErrorLog: cfg.Logger.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}, // HTTP/1.1 only, as RFC 8010 says
		ConnContext:  withConn,
	}
	return s
}

// Serve answers on a listener until Close. It may be called for several.
func (s *Server) Serve(l net.Listener) error {
	s.closing.Do(s.start)
	sorted := newListener(l, s.conns, s.cfg.TLS, s.limits.Header)
	defer sorted.wait()
	err := s.http.Serve(sorted)
	_ = sorted.Close()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// start follows the event log for those who subscribed.
func (s *Server) start() {
	s.workers.Add(1)
	go func() {
		defer s.workers.Done()
		s.followEvents(s.follow)
	}()
}

// Close takes no new requests, gives those under way until ctx ends, and then cuts them.
func (s *Server) Close(ctx context.Context) {
	s.closing.Do(func() {}) // Serve starts nothing from here on
	s.stop()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close()
	}
	s.conns.closeAll()
	s.workers.Wait()
}
