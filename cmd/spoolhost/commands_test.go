package main

import (
	"encoding/json"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/registry"
)

// walk visits every command of the program.
func walk(cmd *cobra.Command, visit func(*cobra.Command)) {
	visit(cmd)
	for _, sub := range cmd.Commands() {
		walk(sub, visit)
	}
}

func TestEveryCommandIsExplained(t *testing.T) {
	walk(newRootCommand(&options{}, io.Discard), func(cmd *cobra.Command) {
		if cmd.Short == "" || cmd.Long == "" || !strings.Contains(cmd.Example, "spoolhost") {
			t.Errorf("%s lacks a Short, a Long or an Example", cmd.CommandPath())
		}
		if strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: the Short ends with a full stop", cmd.CommandPath())
		}
		for line := range strings.Lines(cmd.Long) {
			if len(line) > 120 && cmd.Parent() != nil && cmd.Parent().Name() != "completion" {
				t.Errorf("%s: a line of the Long has %d characters", cmd.CommandPath(), len(line))
			}
		}
	})
}

// TestExamplesParse runs each example of the help as far as its flags.
func TestExamplesParse(t *testing.T) {
	walk(newRootCommand(&options{}, io.Discard), func(cmd *cobra.Command) {
		for line := range strings.Lines(cmd.Example) {
			words := strings.Fields(line)
			if len(words) == 0 || words[0] != "spoolhost" {
				continue
			}
			found, rest, err := newRootCommand(&options{}, io.Discard).Find(words[1:])
			ownFlags := len(rest) > 0 && strings.HasPrefix(rest[0], "-") // of a command that does something by itself, too
			if err != nil || found.HasSubCommands() && len(words) > 1 && !ownFlags {
				t.Errorf("%s: the example %q is of no command (%v)", cmd.CommandPath(), strings.TrimSpace(line), err)
			}
		}
	})
}

func TestUsage(t *testing.T) {
	checkLeaks(t)
	for line, stderr := range map[string]string{
		"nonsense":                       `unknown command "nonsense" for "spoolhost"`,
		"prnit":                          `Did you mean this? print`,
		"job":                            `spoolhost job needs a command after it; see "spoolhost job --help"`,
		"job lsit":                       `unknown command "lsit" for "spoolhost job", did you mean "list"?`,
		"job show":                       `accepts 1 arg(s), received 0; see "spoolhost job show --help"`,
		"job show 1 2":                   `accepts 1 arg(s), received 2`,
		"job show x":                     `job id "x" is not a number`,
		"job show -- -1":                 `job id "-1" is not a number`,
		"job list --nonsense":            `unknown flag: --nonsense; see "spoolhost job list --help"`,
		"job cancel":                     `requires at least 1 arg(s)`,
		"job move 1":                     `required flag(s) "printer" not set`,
		"status -o yaml":                 `output format "yaml" is unknown; use table or json`,
		"status --timeout -1s":           `--timeout -1s is negative`,
		"status --timeout soon":          `invalid argument "soon" for "--timeout"`,
		"port add P --monitor M --set x": `setting "x" is not KEY=VALUE`,
		"port add P --monitor M --set a=1 --set a=2": `setting "a" is given twice`,
		"printer add X":               `required flag(s) "port" not set`,
		"printer set X":               `nothing to set for printer "X"`,
		"printer set X --until 7":     `time "7" is not HH:MM`,
		"monitor add":                 `accepts 1 arg(s), received 0`,
		"monitor add X":               `required flag(s) "module" not set`,
		"monitor add --module m -- X": `accepts 1 arg(s), received 0`,
		"registry delete K":           `name either a value of K to delete, or --tree`,
		"registry delete K N --tree":  `name either a value of K to delete, or --tree`,
		"registry set K N --type x":   `registry type "X" is unknown`,
		"registry set K N a b":        `a REG_SZ holds one piece of data, not 2`,
		"why job x":                   `job id "x" is not a number`,
		"why":                         `spoolhost why needs a command after it`,
	} {
		t.Run(line, func(t *testing.T) {
			args := append(strings.Fields(line), "--addr")
			args = append(args, "unix:/nowhere")
			if i := slices.Index(args, "--"); i >= 0 {
				args = append([]string{"--addr", "unix:/nowhere"}, strings.Fields(line)...)
			}
			r := runCLI(t.Context(), strings.NewReader(""), args...)
			r.want(t, exitUsage, "", stderr)
			if strings.Count(r.stderr, "\n") != 1 {
				t.Errorf("more than a line: %q", r.stderr)
			}
		})
	}
}

func TestUsageAsJSON(t *testing.T) {
	for _, args := range [][]string{{"job", "show", "-o", "json"}, {"-ojson", "nonsense"}, {"job", "list", "--output=json", "--bad"}, {"-o", "json", "job", "show", "x"}} {
		r := runCLI(t.Context(), strings.NewReader(""), args...)
		var failure struct{ Error struct{ Kind string } }
		if err := json.Unmarshal([]byte(r.stderr), &failure); err != nil || failure.Error.Kind != "invalid" || r.code != exitUsage {
			t.Errorf("%q: code %d, %q", args, r.code, r.stderr)
		}
	}
}

func TestMonitorCommands(t *testing.T) {
	f := startFake(t)
	dir := t.TempDir()
	t.Chdir(dir)
	f.cli(t, "monitor", "add", "Acme 2", "--module", "./acme", "--digest", "sha256:AB", "--", "--verbose", "x").
		want(t, exitOK, "monitor Acme 2 installed: running\n", "")
	req := request[*apiv1.AddMonitorRequest](t, f, "AddMonitor")
	if req.GetModule() != filepath.Join(dir, "acme") || req.GetDigest() != "ab" || !slices.Equal(req.GetArgs(), []string{"--verbose", "x"}) {
		t.Errorf("asked for %v", req)
	}
	f.cli(t, "monitor", "list").want(t, exitOK, "Acme Port  running  1.2      1", "")
	f.cli(t, "monitor", "show", "Acme Port").want(t, exitOK, "Log of pid 42:\n  ready�[31m\n", "")
	f.cli(t, "monitor", "show", "Acme Port", "-o", "json").want(t, exitOK, `"pid": 42,`, "")
	f.cli(t, "monitor", "show", "Nope").want(t, exitNotFound, "", `monitor "Nope" is not installed`)
	f.cli(t, "monitor", "restart", "Acme Port", "--spooler", "NTPRINT").want(t, exitOK, "restarted: running", "")
	if got := request[*apiv1.RestartMonitorRequest](t, f, "RestartMonitor").GetSpooler(); got != "NTPRINT" {
		t.Errorf("spooler %q", got)
	}
	f.cli(t, "monitor", "remove", "Acme Port", "-o", "json").want(t, exitOK, "{}\n", "")
}

func TestPortCommands(t *testing.T) {
	f := startFake(t)
	f.ports = append(f.ports, &apiv1.Port{Name: "P2", State: "offline", Status: "paper\nout"})
	f.cli(t, "port", "add", "P9", "--monitor", "Acme Port", "--set", "host=10.0.0.5", "--set", "options=a=b,c").
		want(t, exitOK, "port P9 added: closed\n", "")
	req := request[*apiv1.AddPortRequest](t, f, "AddPort")
	if req.GetSettings()["host"] != "10.0.0.5" || req.GetSettings()["options"] != "a=b,c" || req.GetMonitor() != "Acme Port" {
		t.Errorf("asked for %v", req)
	}
	f.cli(t, "port", "list").want(t, exitOK, "P2    offline             -         paper out\n", "")
	f.cli(t, "port", "show", "P1", "-o", "json").want(t, exitOK, `"printers": [`, "")
	f.cli(t, "port", "delete", "P1").want(t, exitConflict, "", `port "P1" is used`)
	f.cli(t, "port", "list", "--spooler", "x", "-o", "json").want(t, exitOK, "[\n  {\n    \"name\": \"P1\"", "")
	f.ports = nil
	f.cli(t, "port", "list").want(t, exitOK, "no ports\n", "")
	f.cli(t, "port", "list", "-o", "json").want(t, exitOK, "[]\n", "")
}

func TestPortDeviceCommands(t *testing.T) {
	f := startFake(t)
	f.cli(t, "port", "bidi", "P1").want(t, exitOK, "\\Printer.Consumables.BlackToner:Level  INT   25\n", "")
	r := request[*apiv1.SendRecvBidiDataRequest](t, f, "SendRecvBidiData")
	if r.GetAction() != "GetAll" || len(r.GetItems()) != 1 || r.GetItems()[0].GetSchema() != `\Printer` {
		t.Errorf("asked for %v", r)
	}
	f.cli(t, "port", "bidi", "P1", "--get", `\A:B`, "--get", `\C:D`).want(t, exitOK, "-     the printer does not tell\n", "")
	if r := request[*apiv1.SendRecvBidiDataRequest](t, f, "SendRecvBidiData"); r.GetAction() != "Get" || len(r.GetItems()) != 2 || r.GetItems()[1].GetNumber() != 2 {
		t.Errorf("asked for %v", r)
	}
	f.cli(t, "port", "bidi", "P1", "--set", `\A:B=STRING:x:y`, "-o", "json").want(t, exitOK, `"value": "25"`, "")
	if r := request[*apiv1.SendRecvBidiDataRequest](t, f, "SendRecvBidiData"); r.GetItems()[0].GetValue() != "x:y" || r.GetItems()[0].GetType() != "STRING" {
		t.Errorf("asked for %v", r)
	}
	f.cli(t, "port", "bidi", "P1", "--set", `x`).want(t, exitUsage, "", "SCHEMA=TYPE:VALUE")
	f.cli(t, "port", "bidi", "P1", "--get", "a", "--schema").want(t, exitUsage, "", "none of the others")
	f.cli(t, "port", "timeouts", "P1", "--write-constant", "90000").want(t, exitOK, "new time-outs", "")
	if r := request[*apiv1.SetPortTimeOutsRequest](t, f, "SetPortTimeOuts"); r.GetWriteTotalConstant() != 90_000 || r.GetName() != "P1" {
		t.Errorf("asked for %v", r)
	}
	f.cli(t, "port", "data", "P1", "marker-levels").want(t, exitOK, "10,20\n", "")
	f.cli(t, "port", "data", "P1").want(t, exitUsage, "", "--control")
}

func TestPrinterCommands(t *testing.T) {
	f := startFake(t)
	f.cli(t, "printer", "add", "Labels", "--port", "P1", "--port", "P2", "--keep-printed-jobs", "--start", "08:00").
		want(t, exitOK, "printer Labels added: idle\n", "")
	want := &apiv1.PrinterSettings{Ports: []string{"P1", "P2"}, KeepPrintedJobs: proto.Bool(true), StartTime: proto.Uint32(480)}
	if got := request[*apiv1.AddPrinterRequest](t, f, "AddPrinter").GetSettings(); !proto.Equal(got, want) {
		t.Errorf("added with %v, want %v", got, want)
	}
	f.cli(t, "printer", "set", "Office", "--comment", "", "--max-attempts", "0", "--keep-printed-jobs=false").want(t, exitOK, "changed", "")
	want = &apiv1.PrinterSettings{Comment: proto.String(""), MaxAttempts: proto.Uint32(0), KeepPrintedJobs: proto.Bool(false)}
	if got := request[*apiv1.UpdatePrinterRequest](t, f, "UpdatePrinter").GetSettings(); !proto.Equal(got, want) {
		t.Errorf("changed with %v, want %v", got, want)
	}
	f.cli(t, "printer", "list").want(t, exitOK, "Office  idle   0     P1", "")
	f.cli(t, "printer", "show", "Office").want(t, exitOK, "max attempts          5\n", "")
	f.cli(t, "printer", "show", "Office", "-o", "json").want(t, exitOK, `"keepPrintedJobs": false`, "")
	f.cli(t, "printer", "pause", "Office").want(t, exitOK, "printer Office paused", "")
	f.cli(t, "printer", "resume", "Nope").want(t, exitNotFound, "", "does not exist")
	f.cli(t, "printer", "purge", "Office").want(t, exitOK, "printer Office purged: 2 jobs cancelled\n", "")
	f.cli(t, "printer", "purge", "Office", "-o", "json").want(t, exitOK, `"cancelled": 2`, "")
	f.cli(t, "printer", "delete", "Office", "-o", "json").want(t, exitOK, "{}\n", "")
}

func TestJobCommands(t *testing.T) {
	f := startFake(t)
	f.cli(t, "job", "list").want(t, exitOK, "no jobs\n", "")
	f.cli(t, "job", "list", "-o", "json").want(t, exitOK, "[]\n", "")
	f.jobs = []*apiv1.Job{
		{Id: 1, Printer: "Office", Title: "a\x1b]0;x\x07", State: "printed", Size: 1234, Attempts: []*apiv1.Attempt{
			{Number: 1, Port: "P1", Outcome: "crashed", BytesSent: 1000, Tries: 1},
			{Number: 2, Port: "P1", Outcome: "failed", Tries: 7, Error: "connection\nrefused"},
		}},
		{Id: 2, Printer: "Office", State: "queued"},
	}
	f.cli(t, "job", "list", "--all").want(t, exitOK, "1   Office   printed  1.2 kB", "")
	f.cli(t, "job", "show", "1").want(t, exitOK, "2        failed (7 times)  0 B     P1", "")
	f.cli(t, "job", "show", "1").want(t, exitOK, "connection refused", "")
	f.cli(t, "job", "show", "2").want(t, exitOK, "no attempts\n", "")
	f.cli(t, "job", "show", "2", "-o", "json").want(t, exitOK, `"attempts": []`, "")
	f.cli(t, "job", "show", "9").want(t, exitNotFound, "", "job 9 does not exist")
	f.cli(t, "job", "cancel", "2").want(t, exitOK, "job 2: queued on Office\n", "")
	f.cli(t, "job", "cancel", "2", "-o", "json").want(t, exitOK, "{\n  \"id\": 2", "")
	f.cli(t, "job", "cancel", "2", "9", "1", "-o", "json").want(t, exitNotFound, "[\n  {\n    \"id\": 2", "job 9 does not exist")
	f.cli(t, "job", "cancel", "9", "-o", "json").want(t, exitNotFound, "", "job 9 does not exist")
	f.cli(t, "job", "move", "1", "--printer", "Labels").want(t, exitOK, "job 1", "")
	if got := request[*apiv1.MoveJobRequest](t, f, "MoveJob").GetPrinter(); got != "Labels" {
		t.Errorf("moved to %q", got)
	}
}

func TestStatusVersionWhy(t *testing.T) {
	f := startFake(t)
	f.cli(t, "status").want(t, exitOK, "node     online-incomplete  0         0      0         1 held, 3 queued\n\nProblems of node:\n  - printer \"Labels\" is missing: monitor \"Acme�\"", "")
	f.cli(t, "status", "-o", "json").want(t, exitOK, `"version": "v9.8.7"`, "")
	f.cli(t, "version").want(t, exitOK, "host    spoolhost v9.8.7 at unix:", "")
	f.cli(t, "version", "-o", "json").want(t, exitOK, `"reachable": true`, "")
	f.cli(t, "why", "printer", "Office").want(t, exitOK, "printer Office waits.\n\n", "")
	f.cli(t, "why", "job", "12").want(t, exitOK, "  submitted by anna\n\nWhat to do:\n  - Switch the device on.\n", "")
	f.cli(t, "why", "port", "P1", "-o", "json").want(t, exitOK, `"advice": [`, "")
}

func TestRegistryCommands(t *testing.T) {
	f := startFake(t)
	f.cli(t, "registry", "set", `Monitors\Acme`, "Timeout", "0x1e", "--type", "reg_dword").want(t, exitOK, `value Timeout of Monitors\Acme set`, "")
	if got := f.values[`Monitors\Acme\Timeout`]; got.GetType() != "REG_DWORD" || string(got.GetData()) != "\x1e\x00\x00\x00" {
		t.Errorf("stored %v", got)
	}
	f.cli(t, "registry", "get", `Monitors\Acme`, "Timeout", "-o", "json").want(t, exitOK, `"data": "HgAAAA=="`, "")
	f.cli(t, "registry", "get", `Monitors\Acme`).want(t, exitNotFound, "", "does not exist")
	f.values[`K\M`] = &apiv1.RegistryValue{Type: "REG_MULTI_SZ", Text: "a\nb\x1b"}
	f.cli(t, "registry", "get", "K", "M").want(t, exitOK, "a\nb�\n", "")
	f.cli(t, "registry", "list").want(t, exitOK, "Ports\\\nVALUE  TYPE          DATA\nHosts  REG_MULTI_SZ  a, b\n", "")
	f.cli(t, "registry", "export").want(t, exitOK, "[Monitors]\n(default) = REG_SZ: A\n\n[Monitors\\Acme]\n", "")
	f.cli(t, "registry", "export", "-o", "json").want(t, exitOK, "[\n  {\n    \"path\": \"Monitors\"", "")
	f.cli(t, "registry", "delete", `Monitors\Acme`, "--tree").want(t, exitOK, `key Monitors\Acme deleted`, "")
	f.cli(t, "registry", "delete", `Monitors\Acme`, "").want(t, exitOK, `value (default) of Monitors\Acme deleted`, "")
}

func TestRegistryValues(t *testing.T) {
	for name, c := range map[string]struct {
		typ  string
		data []string
		want registry.Value
	}{
		"text":      {"REG_SZ", []string{"a b"}, registry.String("", "a b")},
		"no text":   {"REG_SZ", []string{""}, registry.String("", "")},
		"expand":    {"REG_EXPAND_SZ", []string{"%x%"}, registry.String("", "%x%")},
		"list":      {"REG_MULTI_SZ", []string{"a", "b"}, registry.Strings("", "a", "b")},
		"empty":     {"REG_MULTI_SZ", nil, registry.Strings("")},
		"number":    {"REG_QWORD", []string{"18446744073709551615"}, registry.Uint64("", 1<<64-1)},
		"hex":       {"REG_BINARY", []string{"de:ad be-ef"}, registry.Bytes("", []byte{0xde, 0xad, 0xbe, 0xef})},
		"none":      {"REG_NONE", nil, registry.Bytes("", nil)},
		"too large": {"REG_DWORD", []string{"4294967296"}, registry.Value{}},
		"no number": {"REG_DWORD", []string{"x"}, registry.Value{}},
		"no hex":    {"REG_BINARY", []string{"xy"}, registry.Value{}},
		"missing":   {"REG_SZ", nil, registry.Value{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseValue("n", c.typ, c.data)
			if failed := c.want.Data == nil && c.typ != "REG_NONE"; failed != (err != nil) || exitCode(err) != map[bool]int{true: exitUsage}[failed] {
				t.Fatalf("error %v", err)
			}
			if string(got.GetData()) != string(c.want.Data) || err == nil && got.GetType() != c.typ {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
