package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spoolhost/spoolhost/sdk/mockmonitor"
	"github.com/spoolhost/spoolhost/sdk/monitortest"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// commandLine runs a command that needs no host.
func commandLine(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(""), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

// TestVerifyUI checks a first-party user interface with its monitor, each a process.
func TestVerifyUI(t *testing.T) {
	t.Parallel()
	self := moduleFile(t)
	ui := []string{"module", "verify", self, "--monitor", self, "--monitor-arg", "module", "--monitor-arg", "serve", "--monitor-arg", "tcpmon"}
	code, out, errOut := commandLine(t, append(ui, "--set", "host=127.0.0.1", "--", "module", "serve", "tcpmonui")...)
	if code != exitOK || !strings.HasSuffix(out, " passed, 0 failed, 0 not checked\n") {
		t.Errorf("exit %d\n%s%s", code, out, errOut)
	}
	code, out, _ = commandLine(t, append(ui, "--", "module", "serve", "tcpmonui")...)
	if code != exitRuleBroken || !strings.Contains(out, "host: ") {
		t.Errorf("without an answer that is required: exit %d\n%s", code, out)
	}
}

// TestVerify checks a first-party monitor, and what is none.
func TestVerify(t *testing.T) {
	self := moduleFile(t)
	tcpmon := []string{
		"module", "verify", self, "--set", "host={{sink.host}}", "--set", "port={{sink.port}}",
		"--only", "start.handshake", "--only", "document.data",
	}
	code, out, errOut := commandLine(t, append(tcpmon, "--", "module", "serve", "tcpmon")...)
	if code != exitOK || !strings.Contains(out, "pass         document.data\n") || !strings.HasSuffix(out, "2 passed, 0 failed, 0 not checked\n") {
		t.Errorf("exit %d\n%s%s", code, out, errOut)
	}
	code, out, errOut = commandLine(t, append(tcpmon, "-o", "json", "--", "module", "serve", "nonsense")...)
	var report monitortest.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if code != exitRuleBroken || len(report.Results) != 2 || report.Results[0].Outcome != monitortest.Fail ||
		!strings.Contains(report.Results[0].Detail, "nonsense") || report.Results[1].Outcome != monitortest.NotChecked {
		t.Errorf("exit %d, report %+v", code, report)
	}
	if !strings.Contains(errOut, `"kind":"rule broken"`) {
		t.Errorf("standard error: %s", errOut)
	}
}

func TestVerifyMistakes(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"verify"}, exitUsage, "requires at least 1 arg"},
		{[]string{"verify", "/no/such/file"}, exitNotFound, `there is no file "/no/such/file"`},
		{[]string{"verify", os.DevNull}, exitUsage, "cannot be executed"},
		{[]string{"verify", "/bin/true", "--only", "nonsense"}, exitUsage, `rule "nonsense" is unknown`},
		{[]string{"verify", "/bin/true", "--set", "nonsense"}, exitUsage, "nonsense"},
		{[]string{"new", "---"}, exitUsage, ""},
		{[]string{"new", t.TempDir() + "/x", "--name", `a\b`}, exitUsage, "backslash"},
		{[]string{"new", t.TempDir() + "/x", "--sdk", "/no/such/directory"}, exitNotFound, "no sdk"},
		{[]string{"new", t.TempDir() + "/x", "--kind", "dll"}, exitUsage, "give monitor, monitorui, pointprint, driver"},
		{[]string{"new", "."}, exitConflict, "is not empty"},
	} {
		code, _, errOut := commandLine(t, append([]string{"module"}, c.args...)...)
		if code != c.code || !strings.Contains(errOut, c.says) {
			t.Errorf("module %q: exit %d, %s", c.args, code, errOut)
		}
	}
	if code, out, _ := commandLine(t, "module", "verify", "--list"); code != exitOK || strings.Count(out, "\n") != len(allRules())+1 {
		t.Errorf("--list: exit %d\n%s", code, out)
	}
}

// TestNewModule writes a module as a vendor would, builds it, has its own test run the
// kit, and verifies the executable.
func TestNewModule(t *testing.T) {
	t.Parallel()
	dir := writtenModule(t, "--name", "Acme Port")
	goIn(t, dir, "build", "-o", "acmeui", "./ui")
	if out := goIn(t, dir, "list", "-f", "{{.Name}}", "./..."); out != "main\nmain\n" {
		t.Errorf("packages: %s", out)
	}
	verified(t, dir, "--set", "address={{sink}}")
}

// TestNewModuleKinds does so with the other kinds.
func TestNewModuleKinds(t *testing.T) {
	t.Parallel()
	self := moduleFile(t)
	for kind, args := range map[string][]string{
		wire.KindPointPrint: nil, wire.KindDriver: nil,
		wire.KindMonitorUI: {
			"--monitor", self, "--monitor-arg", mockmonitor.Argument, "--monitor-arg", "acme", "--set", "name=P1", "--set", "to=127.0.0.1:9100",
		},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			verified(t, writtenModule(t, "--kind", kind), args...)
		})
	}
}

// writtenModule has a module written and built in a new directory, and its own test pass.
func writtenModule(t *testing.T, args ...string) (dir string) {
	t.Helper()
	checkout, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(t.TempDir(), "acme")
	if code, out, errOut := commandLine(t, append([]string{"module", "new", dir, "--sdk", checkout}, args...)...); code != exitOK {
		t.Fatalf("exit %d\n%s%s", code, out, errOut)
	}
	sums, err := os.ReadFile(filepath.Join(checkout, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o600); err != nil { // "go mod tidy" would ask the network
		t.Fatal(err)
	}
	goIn(t, dir, "build", "-o", "acme", ".")
	goIn(t, dir, "vet", "./...")
	goIn(t, dir, "test", "./...")
	if out, err := exec.Command("gofmt", "-l", dir).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("gofmt: %v %s", err, out)
	}
	return dir
}

// verified has module verify pass on what was built.
func verified(t *testing.T, dir string, args ...string) {
	t.Helper()
	code, out, errOut := commandLine(t, append([]string{"module", "verify", filepath.Join(dir, "acme")}, args...)...)
	if code != exitOK || !strings.Contains(out, " 0 failed") {
		t.Errorf("exit %d\n%s%s", code, out, errOut)
	}
}

func goIn(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}
