package main

import (
	"context"
	"fmt"
	"net"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench"
	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/report"
	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/served"
	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/target"
)

// patience bounds every wait for a server.
const patience = 2 * time.Minute

// env is what rows work with.
type env struct {
	settings
	cupsd  string
	tally  *tally
	groups []report.Group

	row  string
	work string // directory of the row
	// prepare, if not nil, changes spoolhost's queues before a row's first turn.
	prepare func(ctx context.Context, host *server, names []string) error
}

// server is one of the two.
type server struct {
	name string
	cmd  *osexec.Cmd
	ipp  string // HOST:PORT
	api  string // of spoolhost
	data string // of CUPS: where its printers.conf is
	log  string
}

// stop ends a server in order, or by force.
func (s *server) stop() {
	_ = s.cmd.Process.Signal(os.Interrupt)
	if s.api == "" {
		_ = s.cmd.Process.Kill() // cupsd waits for its backends; nothing of it is needed any more
	}
	served.Await(s.cmd, patience/4)
}

func (s *server) pid() int { return s.cmd.Process.Pid }

// target gives the server by IPP, as both are loaded.
func (s *server) target() (*target.IPP, error) {
	return target.NewIPP("ipp://"+s.ipp, "application/octet-stream")
}

// conn is a connection to spoolhost's API.
func (s *server) conn() (*grpc.ClientConn, error) {
	return grpc.NewClient(s.api, grpc.WithTransportCredentials(insecure.NewCredentials()))
}

// ask asks spoolhost by its API.
func (s *server) ask(do func(grpc.ClientConnInterface) error) error {
	conn, err := s.conn()
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	return do(conn)
}

// startHost starts a spoolhost on a data directory of the row. It takes documents when this
// returns; like CUPS it may need a moment more to print.
func (e *env) startHost(ctx context.Context, name string) (*server, error) {
	s := &server{name: "spoolhost", api: "unix:" + filepath.Join(e.work, name+".s"), log: filepath.Join(e.work, name+".log")}
	var err error
	if s.ipp, err = served.FreeAddr(ctx); err != nil {
		return nil, err
	}
	s.cmd = osexec.Command(e.spoolhost, "serve", "--data", filepath.Join(e.work, name), "--listen", s.api, "--ipp", s.ipp, "--log-level", "warn")
	return s, s.start(ctx)
}

// start starts the process, and returns when it takes connections.
func (s *server) start(ctx context.Context) error {
	if err := served.Begin(s.cmd, s.log); err != nil {
		return err
	}
	err := until(ctx, s.name+" listens", func() error {
		c, err := net.Dial("tcp", s.ipp)
		if err == nil {
			_ = c.Close()
		}
		return err
	})
	if err != nil {
		s.stop()
		text, _ := os.ReadFile(s.log)
		return fmt.Errorf("%w\n%s", err, text)
	}
	return nil
}

// cups makes the directories and files of a private cupsd, with CUPS' defaults, but for
// the number of jobs that it keeps: the default would refuse the documents of a load test.
func (e *env) cups(ctx context.Context, name, printers string) (*server, error) {
	dir := filepath.Join(e.work, name)
	addr, err := served.FreeAddr(ctx)
	if err != nil {
		return nil, err
	}
	for _, d := range []string{"etc", "spool/tmp", "cache", "run", "log"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	files := map[string]string{
		"etc/cups-files.conf": fmt.Sprintf("ServerRoot %[1]s/etc\nRequestRoot %[1]s/spool\nTempDir %[1]s/spool/tmp\nCacheDir %[1]s/cache\nStateDir %[1]s/run\n"+
			"AccessLog %[1]s/log/access\nErrorLog %[1]s/log/error\nPageLog %[1]s/log/page\n", dir),
		"etc/cupsd.conf": "Listen " + addr + "\nBrowsing Off\nWebInterface No\nDefaultAuthType None\nMaxClients 400\nMaxJobs 0\nLogLevel warn\n" +
			"<Location />\nAllow all\n</Location>\n<Location /admin>\nAllow all\n</Location>\n<Policy default>\n<Limit All>\n</Limit>\n</Policy>\n",
	}
	if printers != "" {
		files["etc/printers.conf"] = printers
	}
	for path, text := range files {
		if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o644); err != nil { //nolint:gosec // cupsd reads it as another user
			return nil, err
		}
	}
	return &server{name: "CUPS", ipp: addr, data: dir, log: filepath.Join(dir, "log", "error")}, nil
}

// startCUPS starts what cups has made; it may be started again after stop.
func (e *env) startCUPS(ctx context.Context, s *server) error {
	s.cmd = osexec.Command(e.cupsd, "-f", "-c", filepath.Join(s.data, "etc", "cupsd.conf"), "-s", filepath.Join(s.data, "etc", "cups-files.conf"))
	return s.start(ctx)
}

// alone starts a spoolhost, with queues to sinks.
func (e *env) alone(ctx context.Context, name string, queues int) (host *server, names []string, sinks *bench.Sinks, end func(), err error) {
	if sinks, err = bench.ListenSinks(ctx, loopback(queues), nil); err != nil {
		return
	}
	if host, err = e.startHost(ctx, name); err != nil {
		sinks.Close()
		return
	}
	end = func() {
		host.stop()
		sinks.Close()
	}
	if names, err = setUp(ctx, host, queues, sinks); err != nil {
		end()
	}
	return
}

// both starts a server of each kind, with queues to the same sinks.
func (e *env) both(ctx context.Context, queues int) (servers []*server, names []string, sinks *bench.Sinks, end func(), err error) {
	host, names, sinks, endHost, err := e.alone(ctx, "host", queues)
	if err != nil {
		return
	}
	defer func() {
		if err != nil {
			endHost()
		}
	}()
	cups, err := e.cups(ctx, "cups", "")
	if err != nil {
		return
	}
	if err = e.startCUPS(ctx, cups); err != nil {
		return
	}
	end = func() {
		cups.stop()
		endHost()
	}
	if _, err = setUp(ctx, cups, queues, sinks); err != nil {
		cups.stop()
		return
	}
	return []*server{host, cups}, names, sinks, end, nil
}

// setUp makes queues at a server, by the request that lpadmin makes.
func setUp(ctx context.Context, s *server, n int, sinks *bench.Sinks) ([]string, error) {
	t, err := s.target()
	if err != nil {
		return nil, err
	}
	defer func() { _ = t.Close() }()
	q, err := bench.SetUp(ctx, t, "q", n, sinks)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	return q.Names, nil
}

// loopback gives addresses for sinks; more than some show no more.
func loopback(n int) []string {
	const most = 50
	return strings.Fields(strings.Repeat("127.0.0.1:0 ", min(n, most)))
}

func until(ctx context.Context, what string, ask func() error) error {
	return served.Until(ctx, patience, what, ask)
}

// addQueue makes one queue at a spoolhost.
func addQueue(ctx context.Context, host *server, name string, to *net.TCPAddr) error {
	t, err := host.target()
	if err != nil {
		return err
	}
	defer func() { _ = t.Close() }()
	return t.AddQueue(ctx, name, to)
}
