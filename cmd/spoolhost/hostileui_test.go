package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	monitoruiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/monitorui/v1"
	"github.com/spoolhost/spoolhost/sdk/mockmonitor"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// hostileArgument makes this binary a UI module that does one thing wrong.
const hostileArgument = "spoolhost-hostile-ui"

// serveHostile serves the UI module or the mock monitor that a test installed, or returns.
func serveHostile(args []string) {
	if len(args) == 2 && args[0] == mockmonitor.Argument { // a mock that names its UI
		mockmonitor.Serve(mockmonitor.Options{UI: args[1]})
	}
	if len(args) == 2 && args[0] == hostileArgument {
		wire.Serve(wire.Module{
			Kind: wire.KindMonitorUI, Name: "hostile", Version: "1", Services: []string{wire.ServiceMonitorUI},
			Register: func(s grpc.ServiceRegistrar, host *wire.Host, _ *slog.Logger) {
				monitoruiv1.RegisterMonitorUIServer(s, &hostile{fault: args[1], host: host})
			},
		})
	}
}

// hostile breaks the contract on the wire, where the sdk does not help.
type hostile struct {
	monitoruiv1.UnimplementedMonitorUIServer
	fault string
	host  *wire.Host
}

type hostileStream = grpc.BidiStreamingServer[monitoruiv1.DialogueRequest, monitoruiv1.DialogueResponse]

func (h *hostile) Dialogue(stream hostileStream) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	xcv := h.host.Xcv(first.GetBegin().GetToken())
	page := func(p *monitoruiv1.Page) {
		_ = stream.Send(&monitoruiv1.DialogueResponse{Response: &monitoruiv1.DialogueResponse_Page{Page: p}})
	}
	notice := func(text string) {
		_ = stream.Send(&monitoruiv1.DialogueResponse{Response: &monitoruiv1.DialogueResponse_Notice{Notice: &monitoruiv1.Notice{Text: text}}})
	}
	switch h.fault {
	case "crash":
		os.Exit(3)
	case "hang":
		<-make(chan struct{})
	case "crash after adding":
		_, _ = xcv(stream.Context(), "AddPort", portconfig.Encode("LEFT", nil))
		os.Exit(3)
	case "flood of notices":
		for range 100_000 {
			notice("again")
		}
	case "flood of pages":
		for range 10_000 {
			page(&monitoruiv1.Page{Title: "again"})
		}
	case "huge page":
		page(&monitoruiv1.Page{Title: "huge", Text: strings.Repeat("x", 8<<20)})
	case "many fields":
		p := &monitoruiv1.Page{Title: "many"}
		for range 1000 {
			p.Fields = append(p.Fields, &monitoruiv1.Field{Name: "same", Label: "x"})
		}
		page(p)
	case "empty message":
		_ = stream.Send(&monitoruiv1.DialogueResponse{})
	case "no outcome":
		return nil
	case "lie":
		_ = stream.Send(&monitoruiv1.DialogueResponse{Response: &monitoruiv1.DialogueResponse_Outcome{Outcome: &monitoruiv1.Outcome{Port: "NEVER"}}})
		return nil
	case "escapes":
		notice("\x1b[2Jred\x07")
		page(&monitoruiv1.Page{Title: "\x1b]0;owned\x07", Text: "a\u202eb", Fields: []*monitoruiv1.Field{{Name: "f", Label: "\x1b[31mx", Required: true}}})
	case "forged token":
		_, err := h.host.Xcv("guess")(stream.Context(), "AddPort", portconfig.Encode("FORGED", nil))
		return err
	}
	_, err = stream.Recv()
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// TestHostileUI: a UI module that does wrong costs its dialogue, with a message that names
// it, and nothing else.
func TestHostileUI(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	host := startServe(ctx, t, shortDir(t))
	t.Cleanup(host.kill)
	s := shell{t, host.addr}
	for _, c := range []struct {
		fault, say string
		code       int
	}{
		{"crash", "ended unexpectedly", exitUnavailable},
		{"crash after adding", "ended unexpectedly", exitUnavailable},
		{"flood of notices", "more than 1000 notices", exitFailure},
		{"flood of pages", "more than 200 pages", exitFailure},
		{"huge page", "too long", exitFailure},
		{"many fields", "1000 fields", exitFailure},
		{"empty message", "empty message", exitFailure},
		{"no outcome", "without an outcome", exitFailure},
		{"lie", `"NEVER", and did not`, exitFailure},
		{"escapes", "f: this is required", exitUsage},
		{"forged token", "not that of this dialogue", exitFailure},
	} {
		s.hostileUI(c.fault, c.say, c.code)
	}
	s.othersGoOn()
}

// TestHangingUI: so does one that does nothing any more.
func TestHangingUI(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	dir := shortDir(t)
	config := filepath.Join(dir, "host.hcl")
	if err := os.WriteFile(config, []byte(`call_timeout = "15s"`), 0o600); err != nil {
		t.Fatal(err)
	}
	host := startServe(ctx, t, dir, "--config", config)
	t.Cleanup(host.kill)
	s := shell{t, host.addr}
	s.hostileUI("hang", "did not go on within 15s", exitTimeout)
	s.othersGoOn()
}

// hostileUI has a UI module do one thing wrong.
func (s shell) hostileUI(fault, say string, want int) {
	s.t.Helper()
	name, file := strings.ReplaceAll(fault, " ", "-"), moduleFile(s.t)
	s.ok("module", "add", name, "--kind", "monitorui", "--module", file, "--", hostileArgument, fault)
	s.ok("monitor", "add", fault, "--module", file, "--", mockmonitor.Argument, name)
	code, out, errOut := s.run("port", "add", "--monitor", fault, "--no-ui")
	if code != want || !strings.Contains(errOut, say) || strings.ContainsAny(out+errOut, "\x1b\x07\u202e") {
		s.t.Errorf("%s: exit %d, %q", fault, code, errOut)
	}
	if want != exitUsage && fault != "forged token" && !strings.Contains(errOut, `"`+name+`"`) {
		s.t.Errorf("%s: the message does not name the module: %q", fault, errOut)
	}
	s.ok("monitor", "remove", fault)
}

// othersGoOn: nothing was left behind, and a port of another monitor is added.
func (s shell) othersGoOn() {
	s.t.Helper()
	if out := s.ok("port", "list"); out != "no ports\n" {
		s.t.Errorf("left behind: %s", out)
	}
	s.ok("port", "add", "--monitor", demoMonitor, "--set", "host=127.0.0.1", "--set", "test=false")
}

// TestUIIsNeverAPath: a monitor cannot choose what the host runs.
func TestUIIsNeverAPath(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	self := moduleFile(t)
	host := startServe(ctx, t, shortDir(t))
	t.Cleanup(host.kill)
	s := shell{t, host.addr}
	for ui, want := range map[string]struct {
		code int
		say  string
	}{
		"../../bin/sh":  {exitUsage, "never a path"},
		`..\sh.exe`:     {exitUsage, "never a path"},
		"not-installed": {exitNotFound, `"not-installed" is not installed`},
	} {
		s.ok("monitor", "add", "M", "--module", self, "--", mockmonitor.Argument, ui)
		code, _, errOut := s.run("port", "add", "--monitor", "M", "--no-ui")
		if code != want.code || !strings.Contains(errOut, want.say) {
			t.Errorf("%s: exit %d, %q", ui, code, errOut)
		}
		s.ok("monitor", "remove", "M")
	}
	for _, c := range []struct {
		args string // separated by |
		code int
		say  string
	}{
		{"module|add|a/b|--kind|monitorui|--module|" + self, exitUsage, "never a path"},
		{"module|add|ui|--kind|monitor|--module|" + self, exitUsage, "monitorui"},
		{"module|add|ui|--kind|monitorui|--module|" + self + "|--|" + mockmonitor.Argument + "|x", exitUsage, `of kind "monitor"`},
		{"module|add|ui|--kind|monitorui|--module|" + self + "|--digest|00", exitConflict, "SHA-256"},
		{"module|add|TCPMONUI|--kind|monitorui|--module|" + self + "|--|" + hostileArgument + "|x", exitConflict, "installed already"},
		{"module|remove|tcpmonui", exitConflict, "comes with the host"},
		{"module|show|nobody", exitNotFound, `"nobody"`},
	} {
		code, _, errOut := s.run(strings.Split(c.args, "|")...)
		if code != c.code || !strings.Contains(errOut, c.say) {
			t.Errorf("%s: exit %d (want %d), said %q (want it to name %s)", c.args, code, c.code, errOut, c.say)
		}
	}
	s.ok("module", "add", "ui", "--kind", "monitorui", "--module", self, "--", hostileArgument, "x")
	if out := s.ok("module", "list"); !strings.Contains(out, "\nui ") || !strings.Contains(out, "tcpmonui") {
		t.Errorf("modules: %s", out)
	}
	if out := s.ok("module", "show", "ui"); !strings.Contains(out, "SHA-256") || !strings.Contains(out, "hostile 1") {
		t.Errorf("module: %s", out)
	}
	s.ok("module", "remove", "ui")
}
