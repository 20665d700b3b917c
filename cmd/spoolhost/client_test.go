package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spoolhost/spoolhost/host/dial"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func TestAddressComesFromFlagThenEnvironment(t *testing.T) {
	t.Setenv(addressVariable, "unix:/env")
	if got, err := clientAddr("unix:/flag"); err != nil || got.Address != "/flag" {
		t.Error(got, err)
	}
	if got, err := clientAddr(""); err != nil || got.Address != "/env" {
		t.Error(got, err)
	}
	t.Setenv(addressVariable, "")
	if got, err := clientAddr(""); err != nil || got.String() != defaultAddr() {
		t.Error(got, err)
	}
}

func TestNoHost(t *testing.T) {
	checkLeaks(t)
	path := filepath.Join(t.TempDir(), "none")
	r := runCLI(t.Context(), strings.NewReader(""), "status", "--addr", "unix:"+path)
	r.want(t, exitUnavailable, "", "no host answers at unix:"+path+": no such file or directory; start a host there with \"spoolhost serve --listen unix:"+path)
	r = runCLI(t.Context(), strings.NewReader("x"), "print", "-p", "Office", "-", "/dev/null", "--addr", "unix:"+path)
	r.want(t, exitUnavailable, "", "no host answers")
	if strings.Count(r.stderr, "\n") != 1 {
		t.Errorf("it was tried again: %s", r.stderr)
	}
	r = runCLI(t.Context(), strings.NewReader(""), "version", "--addr", "unix:"+path)
	r.want(t, exitOK, "no host answers at", "")
	runCLI(t.Context(), strings.NewReader(""), "status", "--addr", "nonsense").want(t, exitUsage, "", "neither unix:PATH, tls:HOST:PORT nor HOST:PORT")
}

// TestNotAHost asks something that listens but does not speak.
func TestNotAHost(t *testing.T) {
	checkLeaks(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Write([]byte("220 I am a mail server\r\n"))
			conn.Close()
		}
	}()
	runCLI(t.Context(), strings.NewReader(""), "status", "--addr", l.Addr().String()).want(t, exitUnavailable, "", "what listens at "+l.Addr().String()+" is no host that speaks without TLS")
	l.Close()
	<-done
}

// TestSilentHost asks something that accepts and never answers.
func TestSilentHost(t *testing.T) {
	checkLeaks(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	runCLI(t.Context(), strings.NewReader(""), "status", "--timeout", "200ms", "--addr", l.Addr().String()).
		want(t, exitTimeout, "", "did not answer within 200ms")
}

func TestForbiddenSocket(t *testing.T) {
	d := &dialer{addr: dial.Target{Network: "unix", Address: "/run/x"}, lastErr: &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", os.ErrPermission)}}
	err := d.unavailable(nil)
	if exitCode(err) != exitDenied || !strings.Contains(err.Error(), "you may not use the host at unix:/run/x") {
		t.Errorf("got %v", err)
	}
}

func TestOlderHost(t *testing.T) {
	f := startFake(t)
	f.cli(t, "job", "hold", "1").want(t, exitFailure, "", "does not know this request")
}

func TestExitCodesOfKinds(t *testing.T) {
	want := map[spoolerr.Kind]int{
		spoolerr.Invalid: 2, spoolerr.NotFound: 3, spoolerr.Denied: 4, spoolerr.TimedOut: 5, spoolerr.Unavailable: 6,
		spoolerr.NotReady: 6, spoolerr.Exited: 6, spoolerr.Exists: 7, spoolerr.Busy: 7, spoolerr.Precondition: 7, spoolerr.Cancelled: 130,
	}
	for k := spoolerr.Kind(0); k.Valid(); k++ {
		expected, ok := want[k]
		if !ok {
			expected = exitFailure
		}
		if got := exitCode(spoolerr.New(k, 0, "x")); got != expected {
			t.Errorf("%v gives %d, want %d", k, got, expected)
		}
	}
	if exitCode(nil) != 0 || exitCode(&notPrintedError{"x"}) != 8 || exitCode(os.ErrClosed) != 1 {
		t.Error("nil, not printed or a plain error has a wrong code")
	}
}

// TestErrorsOfTheHost: kind and message of the host's error decide code and line.
func TestErrorsOfTheHost(t *testing.T) {
	f := startFake(t)
	for kind, code := range map[spoolerr.Kind]int{
		spoolerr.Denied: exitDenied, spoolerr.TimedOut: exitTimeout, spoolerr.Unavailable: exitUnavailable, spoolerr.NoSpace: exitFailure,
		spoolerr.Cancelled: exitUnavailable, // Nobody here gave up: the host did.
	} {
		f.fail["GetStatus"] = spoolerr.New(kind, 0, "thing\n\x1b[31m is wrong")
		f.fail["ListJobs"] = f.fail["GetStatus"]
		for _, args := range [][]string{{"status"}, {"job", "list"}} {
			r := f.cli(t, args...)
			r.want(t, code, "", "thing �[31m is wrong")
			if strings.Count(r.stderr, "\n") != 1 || !strings.HasPrefix(r.stderr, "spoolhost: ") {
				t.Errorf("%q is not one line", r.stderr)
			}
		}
	}
}
