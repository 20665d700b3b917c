package wire

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	pluginv1 "github.com/spoolhost/spoolhost/proto/spoolhost/plugin/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

func TestMain(m *testing.M) {
	if os.Getenv("SPOOLHOST_TEST_MODE") == "serve" {
		Serve(Module{Kind: "test", Name: "acme", Version: "3", Register: func(grpc.ServiceRegistrar, *Host, *slog.Logger) {}})
	}
	goleak.VerifyTestMain(m)
}

// TestServe is what a person sees who starts a module by hand, and what comes of a
// launcher that forgot something: never a process that stays.
func TestServe(t *testing.T) {
	for name, c := range map[string]struct {
		env  []string
		want string
	}{
		"by hand":        {nil, "not by hand"},
		"wrong cookie":   {[]string{CookieKey + "=x"}, "not by hand"},
		"no host":        {[]string{CookieKey + "=" + CookieValue}, EnvHostAddr + " is not set"},
		"lifeline is no": {[]string{CookieKey + "=" + CookieValue, EnvLifeline + "=x"}, EnvHostAddr + " is not set"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^$") //nolint:gosec // this test
			cmd.Env = append(c.env, "SPOOLHOST_TEST_MODE=serve")
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), c.want) {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

// call passes a call through the gate; it is under way until finish is called.
func call(g *callGate, method string) (finish func() error) {
	return callAs(context.Background(), g, method)
}

func callAs(ctx context.Context, g *callGate, method string) (finish func() error) {
	entered, leave, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := g.intercept(ctx, nil, &grpc.UnaryServerInfo{FullMethod: method}, func(context.Context, any) (any, error) {
			close(entered)
			<-leave
			return nil, nil
		})
		done <- err
	}()
	select {
	case <-entered:
	case err := <-done:
		done <- err
	}
	return func() error {
		close(leave)
		return <-done
	}
}

const aCall = "/spoolhost.monitor.v2.PrintMonitor/WritePort"

func TestDrain(t *testing.T) {
	g := newCallGate()
	first, second := call(g, aCall), call(g, aCall)
	short, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := spoolgrpc.FromStatus(g.drain(short)); spoolerr.KindOf(err) != spoolerr.TimedOut {
		t.Errorf("drain with calls under way: %v", err)
	}
	if err := spoolgrpc.FromStatus(call(g, aCall)()); spoolerr.KindOf(err) != spoolerr.Unavailable {
		t.Errorf("a call while draining: %v", err)
	}
	for _, method := range []string{pluginv1.Plugin_Drain_FullMethodName, "/plugin.GRPCController/Shutdown"} {
		if err := call(g, method)(); err != nil {
			t.Errorf("%s while draining: %v", method, err)
		}
	}
	drained := make(chan error, 1)
	go func() { drained <- g.drain(context.Background()) }()
	for _, finish := range []func() error{first, second} {
		select {
		case <-drained:
			t.Fatal("drained with a call under way")
		default:
		}
		if err := finish(); err != nil {
			t.Error(err)
		}
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
	if err := g.drain(context.Background()); err != nil {
		t.Errorf("again: %v", err)
	}
}

// TestSettle: only the calls that were given up are waited for, and others may come.
func TestSettle(t *testing.T) {
	g := newCallGate()
	finish := call(g, aCall)
	if err := g.settle(context.Background()); err != nil {
		t.Errorf("with a call under way that nobody gave up: %v", err)
	}
	ctx, giveUp := context.WithCancel(context.Background())
	hung := callAs(ctx, g, aCall)
	giveUp()
	short, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := spoolgrpc.FromStatus(g.settle(short)); spoolerr.KindOf(err) != spoolerr.TimedOut {
		t.Errorf("with a call that was given up: %v", err)
	}
	if err := call(g, aCall)(); err != nil {
		t.Errorf("another call meanwhile: %v", err)
	}
	if err := spoolgrpc.FromStatus(callAs(ctx, g, aCall)()); spoolerr.KindOf(err) != spoolerr.Cancelled {
		t.Errorf("a call that comes after it was given up: %v", err)
	}
	settled := make(chan error, 1)
	go func() { settled <- g.settle(context.Background()) }()
	if err := hung(); err != nil {
		t.Error(err)
	}
	if err := <-settled; err != nil {
		t.Error(err)
	}
	if err := finish(); err != nil {
		t.Error(err)
	}
}

// TestDrainAfterPanic: a handler that panics has left all the same.
func TestDrainAfterPanic(t *testing.T) {
	g := newCallGate()
	func() {
		defer func() { _ = recover() }()
		_, _ = g.intercept(context.Background(), nil, &grpc.UnaryServerInfo{FullMethod: aCall}, func(context.Context, any) (any, error) { panic("x") })
	}()
	if err := g.drain(context.Background()); err != nil {
		t.Error(err)
	}
}
