//go:build linux

package catalog

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/spoolhost/spoolhost/host/registry"
	hostservicev1 "github.com/spoolhost/spoolhost/proto/spoolhost/hostservice/v1"
	sdkregistry "github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// dialAs is the connection that an instance's module has to its host.
func dialAs(t *testing.T, f *fixture, i *Instance) *grpc.ClientConn {
	t.Helper()
	socket := filepath.Join(f.env.RuntimeDir, strconv.FormatUint(i.Process.Incarnation, 36), "host")
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestCallbacks(t *testing.T) {
	f := newFixture(t)
	r := &recorder{}
	i := f.bind(t, f.add(t, "m"), "node", r)
	if _, err := do(t, i, "setjob", ""); err != nil || !slices.Equal(r.jobs, []uint64{42}) {
		t.Errorf("SetJob: %v, %v", r.jobs, err)
	}
	long := strings.Repeat("ü", 400) + "\x1b" // 800 bytes; the cut is in the middle of a letter
	if _, err := do(t, i, "setport", "x"+long); err != nil {
		t.Error(err)
	}
	if _, err := do(t, i, "setport", "Latin-1 \xfc"); err != nil {
		t.Error(err)
	}
	if len(r.ports) != 2 {
		t.Fatalf("SetPort: %v", r.ports)
	}
	if s := r.ports[0]; !utf8.ValidString(s.Text) || len(s.Text) > 512 || len(s.Text) < 500 || s.Code != spool.PortStatusPaperOut || s.Severity != spool.SeverityError {
		t.Errorf("status %+v", s)
	}
	if s := r.ports[1].Text; s != "Latin-1 \ufffd" {
		t.Errorf("text %q", s)
	}
	r.err = spoolerr.New(spoolerr.NotFound, spoolerr.CodeUnknownPort, "no such port")
	for _, what := range []string{"setjob", "setport"} {
		_, err := do(t, i, what, "x")
		if !errors.Is(err, spoolerr.CodeUnknownPort) || !strings.Contains(err.Error(), "no such port") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestTokens: nobody speaks for an instance but its module, and that only until Revoke.
func TestTokens(t *testing.T) {
	f := newFixture(t)
	m := f.add(t, "m")
	r := &recorder{}
	a, b := f.bind(t, m, "a", r), f.bind(t, m, "b", r)
	host := wire.NewHost(dialAs(t, f, a))
	ctx := deadline(t)
	if err := host.Spooler(a.token).SetJob(ctx, 1, spool.JobControlSentToPrinter); err != nil {
		t.Fatalf("with its own token: %v", err)
	}
	for what, token := range map[string]string{
		"none": "", "forged": strings.Repeat("A", 26), "another process's": b.token, "its own and more": a.token + "x",
	} {
		refused(t, what, host, token)
	}
	if len(r.jobs) != 1 || len(r.ports) != 0 {
		t.Errorf("came through: %v %v", r.jobs, r.ports)
	}
	a.Revoke()
	a.Revoke()
	refused(t, "revoked", host, a.token)
	for _, what := range []string{"setjob", "setport", "query"} {
		if _, err := do(t, a, what, ""); !errors.Is(err, spoolerr.BadHandle) {
			t.Errorf("%s of the module after Revoke: %v", what, err)
		}
	}
	if _, err := do(t, b, "setjob", ""); err != nil {
		t.Errorf("the other instance: %v", err)
	}
}

func refused(t *testing.T, what string, host *wire.Host, token string) {
	t.Helper()
	ctx := deadline(t)
	calls := map[string]error{
		"SetJob":  host.Spooler(token).SetJob(ctx, 1, spool.JobControlSentToPrinter),
		"SetPort": host.Spooler(token).SetPort(ctx, "P", spool.PortStatus{}),
	}
	for name, call := range registryCalls(host.Registry(token, 1)) {
		calls[name] = call(ctx)
	}
	for name, err := range calls {
		if spoolerr.KindOf(err) != spoolerr.BadHandle || spoolerr.CodeOf(err) != spoolerr.CodeInvalidHandle {
			t.Errorf("%s with a token %s: %v", name, what, err)
		}
	}
}

// registryCalls are the ten functions of MONITORREG.
func registryCalls(k sdkregistry.Key) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"CreateKey":    func(ctx context.Context) error { _, _, err := k.CreateKey(ctx, "x"); return err },
		"OpenKey":      func(ctx context.Context) error { _, err := k.OpenKey(ctx, ""); return err },
		"CloseKey":     func(ctx context.Context) error { return k.CloseKey(ctx) },
		"DeleteKey":    func(ctx context.Context) error { return k.DeleteKey(ctx, "x") },
		"EnumKey":      func(ctx context.Context) error { _, err := k.EnumKey(ctx, 0); return err },
		"QueryInfoKey": func(ctx context.Context) error { _, err := k.QueryInfoKey(ctx); return err },
		"SetValue":     func(ctx context.Context) error { return k.SetValue(ctx, sdkregistry.String("v", "x")) },
		"DeleteValue":  func(ctx context.Context) error { return k.DeleteValue(ctx, "v") },
		"EnumValue":    func(ctx context.Context) error { _, err := k.EnumValue(ctx, 0); return err },
		"QueryValue":   func(ctx context.Context) error { _, err := k.QueryValue(ctx, "v"); return err },
	}
}

// registryScript uses all ten functions and tells what came of each. The module runs it in
// its own process, the test over a connection of its own: the same must come of it.
func registryScript(ctx context.Context, root sdkregistry.Key) string {
	var b strings.Builder
	say := func(what string, err error, more ...any) {
		fmt.Fprintf(&b, "%s: %d", what, spoolerr.CodeOf(err))
		for _, m := range more {
			fmt.Fprintf(&b, " %v", m)
		}
		b.WriteByte('\n')
	}
	sub, created, err := root.CreateKey(ctx, `Ports\One`)
	say("create", err, created)
	if err != nil {
		return b.String()
	}
	_, created, err = root.CreateKey(ctx, `PORTS\one`)
	say("create again", err, created)
	say("set", sub.SetValue(ctx, sdkregistry.String("Host", "ä"), sdkregistry.Uint32("Port", 9100)))
	v, err := sub.QueryValue(ctx, "HOST")
	text, _ := v.Text()
	say("query", err, v.Name, v.Type, text)
	v, err = sub.EnumValue(ctx, 1)
	n, _ := v.Number()
	say("enum value", err, v.Name, v.Type, n)
	_, err = sub.EnumValue(ctx, 2)
	say("enum value, end", err)
	info, err := root.QueryInfoKey(ctx)
	say("info of root", err, info.SubKeys, info.Values, info.MaxSubKeyLen, !info.LastWrite.IsZero())
	info, err = sub.QueryInfoKey(ctx)
	say("info of key", err, info.SubKeys, info.Values, info.MaxValueNameLen, info.MaxData)
	key, err := root.EnumKey(ctx, 0)
	say("enum key", err, key.Name, !key.LastWrite.IsZero())
	_, err = root.EnumKey(ctx, 1)
	say("enum key, end", err)
	_, err = root.OpenKey(ctx, "missing")
	say("open missing", err)
	_, err = sub.QueryValue(ctx, "missing")
	say("query missing", err)
	say("delete missing value", sub.DeleteValue(ctx, "missing"))
	say("delete missing key", root.DeleteKey(ctx, "missing"))
	say("delete key with subkeys", root.DeleteKey(ctx, "Ports"))
	_, _, err = root.CreateKey(ctx, "bad\x00name")
	say("bad name", err)
	opened, err := root.OpenKey(ctx, `ports\ONE`)
	say("open", err)
	if err == nil {
		say("close", opened.CloseKey(ctx))
		say("close again", opened.CloseKey(ctx))
		_, err = opened.QueryValue(ctx, "Host")
		say("use after close", err)
	}
	say("delete value", sub.DeleteValue(ctx, "Host"))
	say("delete key", root.DeleteKey(ctx, `Ports\One`))
	say("set in deleted key", sub.SetValue(ctx, sdkregistry.Uint32("x", 1)))
	say("delete parent", root.DeleteKey(ctx, "Ports"))
	return b.String()
}

const registryTranscript = `create: 0 true
create again: 0 false
set: 0
query: 0 Host REG_SZ ä
enum value: 0 Port REG_DWORD 9100
enum value, end: 259
info of root: 0 1 0 5 true
info of key: 0 0 2 4 4
enum key: 0 Ports true
enum key, end: 259
open missing: 2
query missing: 2
delete missing value: 2
delete missing key: 2
delete key with subkeys: 5
bad name: 123
open: 0
close: 0
close again: 6
use after close: 6
delete value: 0
delete key: 0
set in deleted key: 2
delete parent: 0
`

func TestRegistry(t *testing.T) {
	f := newFixture(t)
	i := f.bind(t, f.add(t, "m"), "node", &recorder{})
	said, err := do(t, i, "registry", "")
	check(t, err)
	if said != registryTranscript {
		t.Errorf("the module says\n%s", said)
	}
	conn := dialAs(t, f, i)
	root, err := i.root.Open(deadline(t))
	check(t, err)
	if said := registryScript(deadline(t), wire.NewHost(conn).Registry(i.token, uint64(root))); said != registryTranscript {
		t.Errorf("over a connection of its own\n%s", said)
	}
	moreData(t, hostservicev1.NewMonitorRegistryClient(conn), i.token, uint64(root))
	for name, call := range registryCalls(wire.NewHost(conn).Registry(i.token, 1<<40)) {
		wantError(t, call(deadline(t)), spoolerr.BadHandle, spoolerr.CodeInvalidHandle)
		if t.Failed() {
			t.Fatalf("%s with a handle that was never given", name)
		}
	}
}

// moreData: a caller with a buffer of a size, which the sdk's client does not have.
func moreData(t *testing.T, c hostservicev1.MonitorRegistryClient, token string, root uint64) {
	t.Helper()
	ctx := deadline(t)
	_, err := c.SetValue(ctx, &hostservicev1.SetValueRequest{Spooler: token, Key: root, Values: []*hostservicev1.Value{
		{Name: "v", Type: uint32(sdkregistry.Binary), Data: make([]byte, 10)},
	}})
	check(t, err)
	for size, want := range map[uint32]spoolerr.Code{1: 234, 9: 234, 10: 0, 0: 0} {
		_, query := c.QueryValue(ctx, &hostservicev1.QueryValueRequest{Spooler: token, Key: root, Name: "v", MaxData: size})
		_, enum := c.EnumValue(ctx, &hostservicev1.EnumValueRequest{Spooler: token, Key: root, MaxData: size})
		for _, err := range []error{query, enum} {
			if code := spoolerr.CodeOf(spoolgrpc.FromStatus(err)); code != want {
				t.Errorf("a buffer of %d: code %d, want %d", size, code, want)
			}
		}
	}
	if _, err := c.SetValue(ctx, &hostservicev1.SetValueRequest{Spooler: token, Key: root, Values: []*hostservicev1.Value{{Name: "v", Type: 4711}}}); err == nil {
		t.Error("an unknown type was stored")
	}
	_, err = c.SetValue(ctx, &hostservicev1.SetValueRequest{Spooler: token, Key: root, Values: []*hostservicev1.Value{{Name: "v", Type: 3, Data: make([]byte, wire.MaxRequest+1)}}})
	if spoolerr.KindOf(spoolgrpc.FromStatus(err)) != spoolerr.Exhausted {
		t.Errorf("a value above the limit: %v", err)
	}
}

// TestSpoolersShareNothing: two instances of one monitor have roots of their own.
func TestSpoolersShareNothing(t *testing.T) {
	f := newFixture(t)
	m := f.add(t, "m")
	a, b := f.bind(t, m, "a", &recorder{}), f.bind(t, m, "b", &recorder{})
	root, err := a.root.Open(deadline(t))
	check(t, err)
	key := wire.NewHost(dialAs(t, f, b)).Registry(b.token, uint64(root))
	_, err = key.QueryInfoKey(deadline(t))
	wantError(t, err, spoolerr.BadHandle, spoolerr.CodeInvalidHandle)
	if a.Process.PID == b.Process.PID || a.Process.Incarnation == b.Process.Incarnation {
		t.Error("one process for two spoolers")
	}
}

func TestBindFails(t *testing.T) {
	f := newFixture(t)
	m := f.add(t, "m")
	bind := func(m Monitor, server string) error {
		_, err := f.Bind(deadline(t), m, For{
			Spooler: server, Root: f.registry.Hive("s").Root(`Monitors\m`, registry.Limit{}), Callbacks: &recorder{},
		})
		return err
	}
	t.Run("initialize refuses", func(t *testing.T) {
		err := bind(m, "refused")
		wantError(t, err, spoolerr.Denied, spoolerr.CodeAccessDenied)
		for _, want := range []string{"InitializePrintMonitor2", `"m"`, "no licence for refused"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q is missing from %q", want, err)
			}
		}
	})
	t.Run("changed since", func(t *testing.T) {
		changed := m
		changed.Digest = strings.Repeat("0", 64)
		wantError(t, bind(changed, "s"), spoolerr.Precondition, spoolerr.CodeInvalidPrintMonitor)
	})
	t.Run("another kind", func(t *testing.T) {
		other := m
		other.Env = []string{mode("pointprint")}
		wantError(t, bind(other, "s"), spoolerr.Invalid, spoolerr.CodeInvalidPrintMonitor)
	})
	t.Run("bad root", func(t *testing.T) {
		_, err := f.Bind(deadline(t), m, For{Spooler: "s", Root: f.registry.Hive(`a\b`).Root("x", registry.Limit{}), Callbacks: &recorder{}})
		if err == nil {
			t.Error("bound to a hive with a bad name")
		}
	})
}

// TestKilledInstance: the instance's calls say how its process ended.
func TestKilledInstance(t *testing.T) {
	f := newFixture(t)
	i := f.bind(t, f.add(t, "m"), "node", &recorder{})
	check(t, syscall.Kill(i.Process.PID, syscall.SIGKILL))
	<-i.Process.Released()
	_, err := i.EnumPorts(deadline(t))
	wantError(t, err, spoolerr.Exited, spoolerr.CodeOperationAborted)
}
