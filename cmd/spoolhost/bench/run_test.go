package bench

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/target"
	"github.com/spoolhost/spoolhost/host"
	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/plugins/tcpmon"
	"github.com/spoolhost/spoolhost/sdk/monitor"
)

// asMonitor as the first argument makes the test binary the host's TCP/IP monitor.
const asMonitor = "-serve-tcpmon"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == asMonitor {
		monitor.Serve(tcpmon.Initialize)
		return
	}
	goleak.VerifyTestMain(m)
}

const patience = 30 * time.Second

// startHost runs a host with the TCP/IP monitor, and gives the addresses of API and IPP.
func startHost(t *testing.T) (api, ipp string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "bench") // t.TempDir is too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cfg := host.DefaultConfig()
	cfg.Data, cfg.Listen = filepath.Join(dir, "data"), []string{"unix:" + filepath.Join(dir, "api")}
	cfg.Builtins = []catalog.Monitor{{Name: tcpmon.Name, Path: self, Args: []string{asMonitor}}}
	cfg.IPP.Listen = []string{"127.0.0.1:0"}
	h, err := host.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-done, h.Close(), os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	select {
	case <-h.Ready():
	case <-time.After(patience):
		t.Fatal("the host is not ready")
	}
	return h.Addrs()[0], h.IPPAddrs()[0]
}

// closer is a target that is used up.
type closer interface {
	target.Target
	io.Closer
}

func apiTarget(t *testing.T, addr string) closer {
	t.Helper()
	a, err := target.NewAPI(addr, "", func() (target.Conn, error) {
		return grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// queues makes queues that print to sinks, which both go when the test ends.
func queues(t *testing.T, to closer, n int) ([]string, *Sinks) {
	t.Helper()
	sinks, err := ListenSinks(t.Context(), []string{"127.0.0.1:0", "127.0.0.1:0"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	q, err := SetUp(t.Context(), to, "q", n, sinks)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := errors.Join(q.Remove(ctx), to.Close()); err != nil {
			t.Error(err)
		}
		sinks.Close()
	})
	return q.Names, sinks
}

func sizes(t *testing.T, text string) Sizes {
	t.Helper()
	s, err := ParseSizes(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRunAgainstAHost(t *testing.T) {
	api, ipp := startHost(t)
	byIPP, err := target.NewIPP("ipp://"+ipp, "application/octet-stream")
	if err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]closer{"api": apiTarget(t, api), "ipp": byIPP} {
		t.Run(name, func(t *testing.T) {
			names, sinks := queues(t, to, 3)
			for work, plan := range map[string]Plan{
				"until accepted": {Clients: 4, Count: 40, Sizes: sizes(t, "64-20KB")},
				"until printed":  {Clients: 2, Count: 10, Sizes: sizes(t, "10KiB*3,1MiB"), UntilPrinted: true},
				"at a rate":      {Clients: 4, Count: 20, Rate: 200, Sizes: sizes(t, "lognormal:5KB,1")},
				"for a time":     {Clients: 1, Duration: 200 * time.Millisecond, Sizes: sizes(t, "1KB")},
			} {
				plan.Queues, plan.Drain = names, patience
				r, err := Run(t.Context(), plan, Setting{Target: to, Sinks: sinks, Pid: os.Getpid()})
				if err != nil {
					t.Fatalf("%s: %v", work, err)
				}
				c := r.Counts
				if plan.Count > 0 && c.Accepted != plan.Count || c.Accepted == 0 || c.Delivered != c.Accepted || c.Faults() != 0 || c.Refused != 0 {
					t.Errorf("%s: %+v %v", work, c, r.Refusals)
				}
				if r.EndToEnd.Count != int64(c.Delivered) || r.Accept.P50 <= 0 || r.FirstByte.P50 > r.EndToEnd.Max || r.DeliveredRate <= 0 || r.Server.Peak.RSS <= 0 {
					t.Errorf("%s: %+v", work, r)
				}
			}
		})
	}
}

// failing is a target that refuses, or keeps what it is given.
type failing struct {
	err   error
	block bool
}

func (f failing) Name() string                                         { return "failing" }
func (f failing) Client() (target.Client, error)                       { return f, nil }
func (f failing) AddQueue(context.Context, string, *net.TCPAddr) error { return f.err }
func (f failing) RemoveQueue(context.Context, string) error            { return f.err }
func (f failing) Pid(context.Context) int                              { return 0 }
func (f failing) Close() error                                         { return nil }
func (f failing) Submit(ctx context.Context, _ target.Document) error {
	if f.block {
		<-ctx.Done()
		return ctx.Err()
	}
	return f.err
}

func TestAServerThatTakesNothingEndsTheRun(t *testing.T) {
	_, err := Run(t.Context(), Plan{Queues: []string{"q"}, Clients: 4, Duration: time.Hour, Sizes: sizes(t, "1KB")}, Setting{Target: failing{err: errors.New("no paper")}})
	if err == nil || !strings.Contains(err.Error(), "no paper") {
		t.Errorf("%v", err)
	}
}

// Accepted documents that do not come are lost; in a run that was interrupted they are pending.
func TestLostAndPending(t *testing.T) {
	sinks, err := ListenSinks(t.Context(), []string{"127.0.0.1:0"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer sinks.Close()
	plan := Plan{Queues: []string{"q"}, Clients: 2, Count: 7, Sizes: sizes(t, "1KB"), Drain: 50 * time.Millisecond}
	r, err := Run(t.Context(), plan, Setting{Target: failing{}, Sinks: sinks})
	if err != nil || r.Counts.Lost != 7 || r.Interrupted {
		t.Errorf("%+v %v", r, err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, interrupt)
	plan.Count, plan.Duration, plan.Rate = 0, time.Hour, 100
	r, err = Run(ctx, plan, Setting{Target: failing{}, Sinks: sinks})
	if err != nil || r.Counts.Lost != 0 || r.Counts.Pending == 0 || !r.Interrupted {
		t.Errorf("%+v %v", r, err)
	}
}

// A server that hangs does not hide the documents that nobody was free to send.
func TestUnsentIsSaid(t *testing.T) {
	plan := Plan{
		Queues: []string{"q"}, Clients: 1, Rate: 1000, Duration: 200 * time.Millisecond, Timeout: 300 * time.Millisecond,
		Sizes: sizes(t, "1KB"), Drain: time.Millisecond,
	}
	r, err := Run(t.Context(), plan, Setting{Target: failing{block: true}})
	if err != nil {
		t.Fatal(err)
	}
	if r.Counts.Submitted+r.Counts.Unsent != 200 || r.Counts.Unsent < 190 || r.Counts.Refused != r.Counts.Submitted {
		t.Errorf("%+v", r.Counts)
	}
}

func TestPlansThatAreNone(t *testing.T) {
	good := Plan{Queues: []string{"q"}, Clients: 1, Count: 1, Sizes: sizes(t, "1KB")}
	for name, spoil := range map[string]func(*Plan){
		"queue": func(p *Plan) { p.Queues = nil }, "clients": func(p *Plan) { p.Clients = 0 }, "rate": func(p *Plan) { p.Rate = -1 },
		"documents": func(p *Plan) { p.Count = MaxDocuments + 1 }, "end": func(p *Plan) { p.Count = 0 }, "duration": func(p *Plan) { p.Duration = -1 },
		"waits": func(p *Plan) { p.Rate, p.UntilPrinted = 1, true }, "size": func(p *Plan) { p.Sizes = Sizes{} },
	} {
		p := good
		spoil(&p)
		if err := p.Check(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
}
