//go:build linux

package supervisor

import (
	"context"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/spoolhost/spoolhost/host/hosttest/poll"
	pluginv1 "github.com/spoolhost/spoolhost/proto/spoolhost/plugin/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// TestStart is the normal case, with what go-plugin would get wrong by default: the
// host's environment (X9), the socket's directory (X17), the digest (X21), a second
// start with the same data (X5, X6).
func TestStart(t *testing.T) {
	t.Setenv("HOST_SECRET", "topsecret")
	env := newEnv(t)
	for range 2 {
		p := start(t, env, "monitor", "EXTRA=1")
		var with peer.Peer
		d, err := pluginv1.NewPluginClient(p.Conn()).Describe(deadline(t, poll.Patience), &pluginv1.DescribeRequest{}, grpc.Peer(&with))
		check(t, err)
		if got := certificateOf(t, with); got != p.run.identity.offered {
			t.Errorf("the module's certificate is %s, want the one that it was offered", got)
		}
		if d.GetKind() != "monitor" || d.GetName() != "puppet" || d.GetVersion() != "7" {
			t.Errorf("described as %v", d)
		}
		c := open(t, p)
		environ := c.do("environ", "")
		if strings.Contains(environ, "topsecret") || !strings.Contains(environ, "EXTRA=1") {
			t.Errorf("environment of the module:\n%s", environ)
		}
		if dir := c.do("cwd", ""); dir != p.dir {
			t.Errorf("working directory %s, want %s", dir, p.dir)
		}
		fds := c.do("fds", "")
		path, _ := self()
		if strings.Contains(fds, path) || !strings.Contains(fds, "0 /dev/null\n") {
			t.Errorf("the executable is still open, or standard input is not null:\n%s", fds)
		}
		sockets, err := filepath.Glob(filepath.Join(p.dir, "plugin-dir*", "*"))
		if err != nil || len(sockets) != 1 {
			t.Errorf("sockets in the private directory: %v", sockets)
		}
		p.Stop(deadline(t, poll.Patience), "test")
		within(t, "release", p.Released())
		if _, err := os.Stat(p.dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("private directory after the end: %v", err)
		}
	}
}

// TestStartOwnCertificate: a module need not use the certificate that it is offered.
func TestStartOwnCertificate(t *testing.T) {
	p := start(t, newEnv(t), "simple")
	var with peer.Peer
	_, _ = pluginv1.NewPluginClient(p.Conn()).Describe(deadline(t, poll.Patience), &pluginv1.DescribeRequest{}, grpc.Peer(&with))
	if certificateOf(t, with) == p.run.identity.offered {
		t.Error("a module that knows nothing of it has the certificate that it was offered")
	}
}

// certificateOf gives the certificate of who answered a call, as a handshake line has it.
func certificateOf(t *testing.T, p peer.Peer) string {
	t.Helper()
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok {
		t.Fatalf("no TLS: %v", p)
	}
	return base64.RawStdEncoding.EncodeToString(info.State.PeerCertificates[0].Raw)
}

// TestStartFailures are the modules that never come up. Each must be a clear error, soon,
// that names the module, and leave nothing (newEnv checks the files, TestMain the goroutines).
func TestStartFailures(t *testing.T) {
	const cert = "MIIBxzCCAW2gAwIBAgIUAKnotacertificatebutlongenoughtopassforone"
	say := func(s string) []string { return []string{"SAY=" + s} }
	variant := func(s string) []string { return []string{"VARIANT=" + s} }
	for name, c := range map[string]struct {
		mode string
		env  []string
		kind spoolerr.Kind
		want string
	}{
		"exits":            {"exit", nil, spoolerr.Invalid, "without a handshake line"},
		"panics":           {"panic", nil, spoolerr.Invalid, "panic: oh no"},
		"closes stdout":    {"close-stdout", nil, spoolerr.Invalid, "without a handshake line"},
		"never":            {"silent", nil, spoolerr.TimedOut, "no handshake within"},
		"unfinished line":  {"say", say("1|1|uni"), spoolerr.TimedOut, "no handshake within"},
		"rubbish":          {"say", say("hello, world\n"), spoolerr.Invalid, `printed "hello, world" instead`},
		"empty line":       {"say", say("\n"), spoolerr.Invalid, "instead of a handshake"},
		"70,000 bytes":     {"say", say(strings.Repeat("x", 70_000) + "\n"), spoolerr.Invalid, "longer than 8192 bytes"},
		"binary":           {"binary", nil, spoolerr.Invalid, "handshake failed"},
		"core version":     {"say", say("9|1|unix|/x/s|grpc|" + cert + "|false\n"), spoolerr.Invalid, "core protocol"},
		"protocol version": {"say", say("1|77|unix|/x/s|grpc|" + cert + "|false\n"), spoolerr.Invalid, "protocol version"},
		"tcp":              {"say", say("1|1|tcp|10.0.0.5:22|grpc|" + cert + "|false\n"), spoolerr.Invalid, "only a Unix socket"},
		"net/rpc":          {"say", say("1|1|unix|DIR/s|netrpc|" + cert + "|false\n"), spoolerr.Invalid, "handshake failed"},
		"outside":          {"handshake", variant("outside"), spoolerr.Invalid, "not in the directory"},
		"no socket":        {"handshake", variant("no-socket"), spoolerr.Invalid, "is not a socket"},
		"file":             {"handshake", variant("file"), spoolerr.Invalid, "is not a socket"},
		"link":             {"handshake", variant("link"), spoolerr.Invalid, "is not a socket"},
		"nobody":           {"handshake", variant("nobody"), spoolerr.Unavailable, "nobody answers"},
		"mute":             {"handshake", variant("mute"), spoolerr.TimedOut, "no handshake within"},
		"plain":            {"handshake", variant("plain"), spoolerr.Unavailable, "nobody answers"},
		"offered, plain":   {"handshake", variant("no-cert-plain"), spoolerr.Unavailable, "nobody answers"},
		"bad certificate":  {"handshake", variant("bad-cert"), spoolerr.Unavailable, "cert"},
		"gone":             {"handshake", variant("gone"), spoolerr.Unavailable, "did not start"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t)
			if c.kind == spoolerr.TimedOut {
				env.StartTimeout = 700 * time.Millisecond
			}
			began := time.Now()
			_, err := env.Start(context.Background(), specFor(c.mode, c.env...), noServices, nil)
			wantKind(t, err, c.kind)
			if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "module test") {
				t.Errorf("error %q does not contain %q and the module", err, c.want)
			}
			if took := time.Since(began); took > poll.Patience {
				t.Errorf("took %v", took)
			}
		})
	}
}

// TestStartNoModule is what is no module at all.
func TestStartNoModule(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		check(t, os.WriteFile(path, []byte(text), mode))
		return path
	}
	for name, c := range map[string]struct {
		path string
		args []string
		kind spoolerr.Kind
		code spoolerr.Code
		want string
	}{
		"missing":    {filepath.Join(dir, "none"), nil, spoolerr.NotFound, spoolerr.CodeModNotFound, "does not exist"},
		"relative":   {"bin/true", nil, spoolerr.Invalid, spoolerr.CodeInvalidParameter, "not absolute"},
		"directory":  {dir, nil, spoolerr.Invalid, spoolerr.CodeBadExeFormat, "not a regular file"},
		"device":     {"/dev/null", nil, spoolerr.Invalid, spoolerr.CodeBadExeFormat, "not a regular file"},
		"not x":      {file("notx", "#!/bin/sh\n", 0o600), nil, spoolerr.Invalid, spoolerr.CodeBadExeFormat, "chmod +x"},
		"text":       {file("text", "just text\n", 0o700), nil, spoolerr.Unavailable, spoolerr.CodeBadExeFormat, "cannot be executed"},
		"empty":      {file("empty", "", 0o700), nil, spoolerr.Unavailable, spoolerr.CodeBadExeFormat, "cannot be executed"},
		"true":       {"/bin/true", nil, spoolerr.Invalid, spoolerr.CodeInvalidPrintMonitor, "without a handshake line"},
		"shell":      {"/bin/sh", []string{"-c", "echo hi; echo ho >&2; sleep 60"}, spoolerr.Invalid, spoolerr.CodeInvalidPrintMonitor, `printed "hi"`},
		"script":     {file("script", "#!/bin/sh\necho from a script\nsleep 60\n", 0o700), nil, spoolerr.Invalid, spoolerr.CodeInvalidPrintMonitor, `printed "from a script"`},
		"bad script": {file("bad", "#!/no/such/shell\n", 0o700), nil, spoolerr.Unavailable, spoolerr.CodeBadExeFormat, "cannot be executed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t)
			digest, err := env.Images.Digest(c.path)
			if err == nil {
				spec := Spec{Name: "none", Path: c.path, Digest: digest, Args: c.args, Incarnation: incarnations.Add(1)}
				_, err = env.Start(context.Background(), spec, noServices, nil)
			}
			wantKind(t, err, c.kind)
			if spoolerr.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q with code %d, want %q and %d", err, spoolerr.CodeOf(err), c.want, c.code)
			}
		})
	}
}

func TestStartWrongDigest(t *testing.T) {
	env := newEnv(t)
	spec := specFor("monitor")
	spec.Digest = strings.Repeat("0", 64)
	_, err := env.Start(context.Background(), spec, noServices, nil)
	wantKind(t, err, spoolerr.Precondition)
}

// TestStartCancelled: go-plugin's Kill waits for the whole start time-out (X14).
func TestStartCancelled(t *testing.T) {
	env := newEnv(t)
	env.StartTimeout = time.Hour
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	failed := make(chan error, 1)
	spec := specFor("silent")
	go func() {
		_, err := env.Start(ctx, spec, noServices, nil)
		failed <- err
	}()
	poll.Until(t, "the module runs", func() bool {
		entries, err := os.ReadDir(env.Orphans.dir)
		return err == nil && len(entries) > 0
	})
	cancel()
	select {
	case err := <-failed:
		wantKind(t, err, spoolerr.Cancelled)
	case <-time.After(poll.Patience):
		t.Error("a start that was cancelled goes on")
	}
}

// TestStartUnrecordable: a process that no later host could find must not run.
func TestStartUnrecordable(t *testing.T) {
	env := newEnv(t)
	lost := filepath.Join(t.TempDir(), "lost")
	var err error
	env.Orphans, err = NewOrphans(lost)
	check(t, err)
	check(t, os.Remove(lost))
	_, err = env.Start(context.Background(), specFor("monitor"), noServices, nil)
	wantKind(t, err, spoolerr.Unavailable)
}

func TestStartAfterLauncherEnded(t *testing.T) {
	env := newEnv(t)
	l := NewLauncher()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	l.Run(ctx)
	env.Launcher = l
	_, err := env.Start(context.Background(), specFor("monitor"), noServices, nil)
	wantKind(t, err, spoolerr.Unavailable)
}

// TestManyStarts prints the figure that X19 gives for go-plugin, and counts descriptors.
func TestManyStarts(t *testing.T) {
	env := newEnv(t)
	start(t, env, "monitor").Stop(deadline(t, poll.Patience), "warm-up")
	var files int
	var began time.Time
	var starting time.Duration
	const rounds = 50
	for i := range rounds + 1 {
		if i == 1 { // the first round opens what stays open
			files = countFiles(t)
		}
		began = time.Now()
		p, err := env.Start(context.Background(), specFor("monitor"), noServices, nil)
		check(t, err)
		starting += time.Since(began)
		p.Kill("test")
		within(t, "release", p.Released())
	}
	if now := countFiles(t); now > files+3 {
		t.Errorf("%d open files became %d", files, now)
	}
	t.Logf("start: %v on average", starting/(rounds+1))
}

func countFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	check(t, err)
	return len(entries)
}
