package cupsbackend

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/plugins/internal/montest"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func TestDocumentArgumentsAndEnvironment(t *testing.T) {
	b := newBench(t, map[string]string{"test": `
cat >$OUT/doc
env >$OUT/env
for a in "$@"; do echo "$a"; done >$OUT/args
ls -l /proc/self/fd >$OUT/fds
tr '\0' '\n' </proc/$$/cmdline >$OUT/cmdline
`})
	t.Setenv("SECRET", "of the host")
	p := b.open("test://ann:pass@printer/queue?x=1", "options", "media=a4 sides=one", "username", "ann", "password", "pw")
	data := strings.Repeat("x\x00", 1<<20)
	if err := montest.Print(t.Context(), p, doc(), data); err != nil {
		t.Fatal(err)
	}
	if got := b.result("doc"); got != data {
		t.Errorf("%d bytes arrived, not %d", len(got), len(data))
	}
	if got := b.result("args"); got != "7\nann\nA    title\n1\nmedia=a4 sides=one\n" {
		t.Errorf("arguments %q", got)
	}
	env := environ(b.result("env"))
	want := map[string]string{
		"DEVICE_URI": "test://ann:pass@printer/queue?x=1", "PRINTER": "Office", "CONTENT_TYPE": "application/octet-stream",
		"AUTH_USERNAME": "ann", "AUTH_PASSWORD": "pw", "CUPS_SERVERBIN": filepath.Dir(b.dir), "SECRET": "",
	}
	for k, v := range want {
		if env[k] != v {
			t.Errorf("%s is %q, want %q", k, env[k], v)
		}
	}
	if cmdline := b.result("cmdline"); strings.Contains(cmdline, "pass") {
		t.Errorf("the password can be seen by all: %q", cmdline)
	}
	if jobs := b.Host.Jobs(); len(jobs) != 1 || jobs[0].Control != spool.JobControlSentToPrinter {
		t.Errorf("%v", jobs)
	}
	infos, _ := b.Monitor.EnumPorts(t.Context())
	if len(infos) != 1 || infos[0].Description != "test://printer/queue?x=1" {
		t.Errorf("%v", infos)
	}
}

func TestEmptyDocument(t *testing.T) {
	b := newBench(t, map[string]string{"test": `cat >$OUT/doc`})
	if err := montest.Print(t.Context(), b.open("test:/x"), doc(), ""); err != nil {
		t.Fatal(err)
	}
	if b.result("doc") != "" {
		t.Error("not empty")
	}
}

func TestExitCodes(t *testing.T) {
	tests := []struct {
		code  int
		kind  spoolerr.Kind
		win32 spoolerr.Code
		words string
	}{
		{1, spoolerr.Unavailable, spoolerr.CodeGenFailure, "failed"},
		{2, spoolerr.Denied, spoolerr.CodeAccessDenied, "username"},
		{3, spoolerr.Precondition, spoolerr.CodeInvalidPrinterState, "held"},
		{4, spoolerr.Unavailable, spoolerr.CodeNotReady, "stopped"},
		{5, spoolerr.Cancelled, spoolerr.CodePrintCancelled, "cancelled at the printer"},
		{6, spoolerr.Unavailable, spoolerr.CodeNotReady, "later"},
		{7, spoolerr.Unavailable, spoolerr.CodeNotReady, "at once"},
		{42, spoolerr.Unavailable, spoolerr.CodeGenFailure, "vendor"},
	}
	for _, tt := range tests {
		b := newBench(t, map[string]string{"test": "cat >/dev/null; echo 'ERROR: the device is on fire' >&2; exit " + strconv.Itoa(tt.code)})
		err := montest.Print(t.Context(), b.open("test:/x"), doc(), "abc")
		montest.WantError(t, err, tt.kind, tt.win32, `"lp1"`, `"test"`, tt.words, "the device is on fire")
		if len(b.Host.Jobs()) != 0 {
			t.Error("reported as sent")
		}
	}
}

func TestSignal(t *testing.T) {
	b := newBench(t, map[string]string{"test": "cat >/dev/null; kill -SEGV $$"})
	err := montest.Print(t.Context(), b.open("test:/x"), doc(), "abc")
	montest.WantError(t, err, spoolerr.Unavailable, spoolerr.CodeGenFailure, "signal", "fault")
}

// A backend that ends before it has read everything says why by its exit code; one that
// says all is well is not believed.
func TestEarlyEnd(t *testing.T) {
	for script, words := range map[string]string{"exit 6": "later", "exit 0": "all is well"} {
		b := newBench(t, map[string]string{"test": script})
		err := montest.Print(t.Context(), b.open("test:/x"), doc(), strings.Repeat("x", 1<<20))
		montest.WantError(t, err, spoolerr.Unavailable, 0+spoolerr.CodeOf(err), words)
	}
}

// An IPP backend waits for the last sheet: that is not ready, for as long as it takes.
func TestBackendThatWaitsForTheLastSheet(t *testing.T) {
	b := newBench(t, map[string]string{"test": `
cat >/dev/null
echo 'INFO: waiting for the last sheet' >&2
: >$OUT/waiting
while [ ! -e $OUT/paper ]; do sleep 0.01; done
`})
	p := b.open("test:/x", "writeTimeout", "30ms")
	d := doc()
	d.Size = 3
	if err := p.StartDoc(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if n, err := p.Write(t.Context(), []byte("abc")); n != 2 || err != nil {
		t.Fatalf("%d %v", n, err)
	}
	b.result("waiting")
	for range 2 {
		n, err := p.Write(t.Context(), []byte("c"))
		if n != 0 {
			t.Fatalf("%d bytes taken", n)
		}
		montest.WantError(t, err, spoolerr.NotReady, spoolerr.CodeNotReady, "waiting for the last sheet")
	}
	if s := lastStatus(b); s.Severity != spool.SeverityInfo || !strings.Contains(s.Text, "last sheet") {
		t.Errorf("%+v", s)
	}
	if err := os.WriteFile(filepath.Join(b.out, "paper"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for {
		n, err := p.Write(t.Context(), []byte("c"))
		if n == 1 {
			break
		}
		if !errors.Is(err, spoolerr.NotReady) {
			t.Fatal(err)
		}
	}
	if err := p.EndDoc(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if s := lastStatus(b); !s.Clear() {
		t.Errorf("%+v stays", s)
	}
}

func TestStatesBecomeReports(t *testing.T) {
	b := newBench(t, map[string]string{"test": `
echo 'STATE: +media-empty-error,toner-low-warning' >&2
echo 'ATTR: marker-levels=10,20 marker-names='"'black,cyan magenta'" >&2
while [ ! -e $OUT/paper ]; do sleep 0.01; done
echo 'STATE: -media-empty-error' >&2
cat >/dev/null
`})
	p := b.open("test:/x")
	if err := p.StartDoc(t.Context(), doc()); err != nil {
		t.Fatal(err)
	}
	s := b.waitStatus(func(s spool.PortStatus) bool { return s.Severity == spool.SeverityError })
	if s.Code != spool.PortStatusPaperOut || !strings.Contains(s.Text, "media-empty-error, toner-low-warning") {
		t.Errorf("%+v", s)
	}
	if err := os.WriteFile(filepath.Join(b.out, "paper"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s = b.waitStatus(func(s spool.PortStatus) bool { return s.Severity == spool.SeverityWarning })
	if s.Code != spool.PortStatusTonerLow {
		t.Errorf("%+v", s)
	}
	if err := p.EndDoc(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	// A backend only tells changes, so the warning stays for the next document.
	if s := lastStatus(b); s.Code != spool.PortStatusTonerLow {
		t.Errorf("%+v", s)
	}
	data := p.(monitor.PrinterDataSource)
	out, err := data.GetPrinterData(t.Context(), 0, "marker-names", nil)
	if text, _ := portconfig.DecodeText(out); err != nil || text != "black,cyan magenta" {
		t.Errorf("%q %v", text, err)
	}
	_, err = data.GetPrinterData(t.Context(), 0, "colour", nil)
	montest.WantError(t, err, spoolerr.NotFound, spoolerr.CodeFileNotFound, "marker-levels")
	_, err = data.GetPrinterData(t.Context(), 5, "", nil)
	montest.WantError(t, err, spoolerr.Unsupported, spoolerr.CodeNotSupported)
}

func TestErrorStateDoesNotOutliveTheBackend(t *testing.T) {
	b := newBench(t, map[string]string{"test": `echo 'STATE: media-jam-error' >&2; cat >/dev/null; exit 1`})
	p := b.open("test:/x")
	if err := montest.Print(t.Context(), p, doc(), "abc"); err == nil {
		t.Fatal("printed")
	}
	b.waitStatus(func(s spool.PortStatus) bool { return s.Clear() })
	if !slices.ContainsFunc(b.Host.Ports(), func(r montest.PortReport) bool { return r.Status.Code == spool.PortStatusPaperJam }) {
		t.Error("the jam was not reported")
	}
}

func TestBackChannel(t *testing.T) {
	b := newBench(t, map[string]string{"test": `printf 'hello' >&3; : >$OUT/said; cat >/dev/null`})
	p := b.open("test:/x")
	if err := p.StartDoc(t.Context(), doc()); err != nil {
		t.Fatal(err)
	}
	b.result("said")
	var got string
	buf := make([]byte, 100)
	for end := time.Now().Add(time.Minute); got != "hello" && time.Now().Before(end); {
		n, err := p.(monitor.Reader).Read(t.Context(), buf)
		if err != nil {
			t.Fatal(err)
		}
		got += string(buf[:n])
	}
	if err := p.EndDoc(t.Context(), 0); err != nil || got != "hello" {
		t.Errorf("%q %v", got, err)
	}
}

func TestOnlyWhatNobodyElseCouldHavePutThere(t *testing.T) {
	b := newBench(t, map[string]string{"good": "cat >/dev/null"})
	outside := filepath.Join(t.TempDir(), "evil")
	if err := os.WriteFile(outside, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	b.write(t, "writable", "", 0o777)
	b.write(t, "groupwritable", "", 0o775)
	b.write(t, "noexec", "", 0o644)
	b.write(t, "setuid", "", 0o755|os.ModeSetuid)
	err := errors.Join(os.Symlink(outside, filepath.Join(b.dir, "link")), os.Symlink("good", filepath.Join(b.dir, "inner")),
		os.Mkdir(filepath.Join(b.dir, "directory"), 0o755))
	if err != nil {
		t.Fatal(err)
	}
	for scheme, kind := range map[string]spoolerr.Kind{
		"writable": spoolerr.Denied, "groupwritable": spoolerr.Denied, "noexec": spoolerr.Denied, "setuid": spoolerr.Denied,
		"link": spoolerr.Denied, "directory": spoolerr.Denied, "missing": spoolerr.NotFound,
	} {
		if err := b.Add("p", map[string]string{"uri": scheme + ":/x"}); !errors.Is(err, kind) {
			t.Errorf("%s: %v", scheme, err)
		}
	}
	for _, uri := range []string{"", "x", ":", "../evil:/x", "/bin/sh:/x", ".:/x", "..:/x", "a b:/x", "GOOD:/x", "good:", "good:/x\ny", strings.Repeat("a", 40) + ":/x"} {
		if err := b.Add("p", map[string]string{"uri": uri}); !errors.Is(err, spoolerr.Invalid) {
			t.Errorf("%q: %v", uri, err)
		}
	}
	if err := b.Add("p", map[string]string{"uri": "inner:/x"}); err != nil {
		t.Error(err)
	}
	// It is looked at again for every document.
	p := b.open("good:/x")
	if err := os.Chmod(filepath.Join(b.dir, "good"), 0o777); err != nil {
		t.Fatal(err)
	}
	montest.WantError(t, p.StartDoc(t.Context(), doc()), spoolerr.Denied, spoolerr.CodeAccessDenied, "0755")
	if err := os.Chmod(b.dir, 0o777); err != nil {
		t.Fatal(err)
	}
	montest.WantError(t, b.Add("q", map[string]string{"uri": "inner:/x"}), spoolerr.Denied, spoolerr.CodeAccessDenied)
}

func TestNoDirectory(t *testing.T) {
	b := montest.NewBench(t, Name, New(nil, ""))
	montest.WantError(t, b.Add("p", map[string]string{"uri": "ipp://a/"}), spoolerr.Denied, spoolerr.CodeAccessDenied, "cups_backends")
	if _, err := New([]string{"relative"}, "")(t.Context(), montest.NewHost().Init(Name)); !errors.Is(err, spoolerr.Invalid) {
		t.Error(err)
	}
}

// As root, a backend for everybody runs as the user of printing, and a private one as
// root, which is how CUPS tells them apart.
func TestUserOfBackends(t *testing.T) {
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[os.FileMode]string{0o755: nobody.Uid, 0o700: "0", 0o744: "0"} {
		b := backends{user: "nobody"}
		a, err := b.attributes(executable{private: mode&0o023 == 0})
		switch {
		case err != nil:
			t.Fatal(err)
		case os.Geteuid() != 0 || mode&0o023 == 0:
			if a.Credential != nil {
				t.Errorf("%v: %+v", mode, a.Credential)
			}
		case a.Credential == nil || strconv.Itoa(int(a.Credential.Uid)) != want:
			t.Errorf("%v: %+v, want %s", mode, a.Credential, want)
		}
	}
	if os.Geteuid() == 0 {
		if _, err := (backends{user: "no-such-user"}).attributes(executable{}); !errors.Is(err, spoolerr.Unavailable) {
			t.Error(err)
		}
	}
}

func TestDiscover(t *testing.T) {
	b := newBench(t, map[string]string{
		"one":  `echo 'network one "Unknown" "One protocol"'; echo 'direct one://dev/1 "Acme Laser" "Acme \"L\"" "MFG:Acme;" "Hall"'; echo garbage`,
		"two":  `[ $# = 0 ] && echo 'network two://10.0.0.5 "Two" "T"'; exit 1`,
		"slow": `echo 'network slow://a "S" "S"'; exec 2>&-; cat /dev/zero | head -c 1000000 >&1`,
	})
	_, err := b.Xcv(spool.ServerAccessEnumerate, "", "Discover", nil)
	montest.WantError(t, err, spoolerr.Denied, spoolerr.CodeAccessDenied)
	out, err := b.Xcv(spool.ServerAccessAdminister, "", "Discover", nil)
	var devices []Device
	if err == nil {
		err = json.Unmarshal(out, &devices)
	}
	want := []Device{
		{Class: "network", URI: "one", MakeModel: "Unknown", Info: "One protocol"},
		{Class: "direct", URI: "one://dev/1", MakeModel: "Acme Laser", Info: `Acme "L"`, DeviceID: "MFG:Acme;", Location: "Hall"},
		{Class: "network", URI: "slow://a", MakeModel: "S", Info: "S"},
		{Class: "network", URI: "two://10.0.0.5", MakeModel: "Two", Info: "T"},
	}
	if err != nil || !slices.Equal(devices, want) {
		t.Errorf("%v %v", devices, err)
	}
	out, err = b.Xcv(0, "", "ListBackends", nil)
	if err != nil || string(out) != `["one","slow","two"]` {
		t.Errorf("%s %v", out, err)
	}
}

func TestSettings(t *testing.T) {
	b := newBench(t, map[string]string{"test": ""})
	given := map[string]string{
		"uri": "test://h/q", "options": "a=b", "contentType": "application/pdf", "username": "u", "password": "p", "writeTimeout": "2s",
	}
	if err := b.Add("p", given); err != nil {
		t.Fatal(err)
	}
	out, err := b.Xcv(spool.ServerAccessAdminister, "p", portconfig.GetConfigInfo, nil)
	var c portconfig.Config
	if err == nil {
		err = json.Unmarshal(out, &c)
	}
	if err != nil || !maps.Equal(c.Settings, given) {
		t.Errorf("%v %v", c, err)
	}
	_, err = b.Xcv(spool.ServerAccessEnumerate, "p", portconfig.GetConfigInfo, nil)
	montest.WantError(t, err, spoolerr.Denied, spoolerr.CodeAccessDenied)
}
