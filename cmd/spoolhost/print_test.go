package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// writeFile makes a document of so many bytes.
func writeFile(t *testing.T, name string, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, bytes.Repeat([]byte("0123456789abcdef"), n/16+1)[:n], 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPrintFile(t *testing.T) {
	f := startFake(t)
	path := writeFile(t, "report \x1b[31m.pdf", 3*uploadChunk+17)
	f.cli(t, "print", "-p", "Office", "--priority", "50", "--start", "22:00", "--until", "6:30", path).
		want(t, exitOK, "job 1: report �[31m.pdf, 786.4 kB, queued on Office\n", "")
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if f.uploaded() != 1 || !bytes.Equal(f.uploads[0], want) {
		t.Error("the document did not arrive whole")
	}
	h := request[*apiv1.SubmitHeader](t, f, "SubmitHeader")
	if h.GetPriority() != 50 || h.GetStartTime() != 22*60 || h.GetUntilTime() != 6*60+30 || h.GetTitle() != "report �[31m.pdf" {
		t.Errorf("header %v", h)
	}
}

func TestPrintStdin(t *testing.T) {
	f := startFake(t)
	for _, args := range [][]string{{"print", "-p", "Office"}, {"print", "-p", "Office", "-", "--title", "Über\xff 1"}} {
		f.cliWith(t.Context(), strings.NewReader("hello"), args...).want(t, exitOK, "5 B, queued on Office", "")
	}
	if f.jobs[0].GetTitle() != "standard input" || f.jobs[1].GetTitle() != "Über� 1" {
		t.Errorf("titles %q and %q", f.jobs[0].GetTitle(), f.jobs[1].GetTitle())
	}
	f.cli(t, "print", "-p", "Office", "-", "-").want(t, exitUsage, "", "only once")
}

func TestPrintRefusals(t *testing.T) {
	f := startFake(t)
	empty, dir := writeFile(t, "empty", 0), t.TempDir()
	for name, c := range map[string]struct {
		args   []string
		code   int
		stderr string
	}{
		"no such file":      {[]string{"print", "-p", "Office", dir + "/none"}, exitNotFound, "none\": no such file or directory; nothing was queued"},
		"directory":         {[]string{"print", "-p", "Office", dir}, exitUsage, "is a directory"},
		"empty file":        {[]string{"print", "-p", "Office", empty}, exitUsage, "empty\" is empty; nothing was queued"},
		"empty stdin":       {[]string{"print", "-p", "Office"}, exitUsage, "\"standard input\" is empty"},
		"unknown printer":   {[]string{"print", "-p", "Nope", writeFile(t, "doc", 10<<20)}, exitNotFound, "printer \"Nope\" does not exist"},
		"no printer":        {[]string{"print", empty}, exitUsage, `required flag(s) "printer" not set; see "spoolhost print --help"`},
		"bad time":          {[]string{"print", "-p", "Office", "--start", "25:00", empty}, exitUsage, "\"25:00\" is not HH:MM"},
		"hold and wait":     {[]string{"print", "-p", "Office", "--hold", "--wait", empty}, exitUsage, "[hold wait]"},
		"bad printer bytes": {[]string{"print", "-p", "a\xff", writeFile(t, "doc", 10)}, exitUsage, "printer \"a�\" is not valid UTF-8"},
	} {
		t.Run(name, func(t *testing.T) { f.cli(t, c.args...).want(t, c.code, "", c.stderr) })
	}
	if f.uploaded() != 0 {
		t.Errorf("%d documents were queued", f.uploaded())
	}
}

func TestPrintUnreadableFile(t *testing.T) {
	if os.Getuid() == 0 {
		t.Log("root reads everything: only the mapping is tested")
	}
	err := source{name: "secret.pdf"}.error(&os.PathError{Op: "open", Path: "secret.pdf", Err: os.ErrPermission})
	if exitCode(err) != exitDenied || !strings.Contains(err.Error(), `cannot read "secret.pdf"`) {
		t.Errorf("got %v, code %d", err, exitCode(err))
	}
}

func TestPrintGoesOnAfterAFailure(t *testing.T) {
	f := startFake(t)
	none := filepath.Join(t.TempDir(), "none")
	r := f.cli(t, "print", "-p", "Office", writeFile(t, "a", 100), none, writeFile(t, "b", 100), t.TempDir())
	r.want(t, exitNotFound, "job 2: b", none)
	if lines := strings.Count(r.stderr, "\n"); lines != 2 {
		t.Errorf("%d lines of errors: %s", lines, r.stderr)
	}
	r = f.cli(t, "print", "-p", "Office", "-o", "json", writeFile(t, "c", 100), none)
	var jobs []struct{ ID uint64 }
	if err := json.Unmarshal([]byte(r.stdout), &jobs); err != nil || len(jobs) != 1 || jobs[0].ID != 3 || r.code != exitNotFound {
		t.Errorf("code %d, %v: %s", r.code, err, r.stdout)
	}
	var failure struct {
		Error struct {
			Kind    string
			Code    int
			Message string
		}
	}
	if err := json.Unmarshal([]byte(r.stderr), &failure); err != nil || failure.Error.Kind != "not found" || failure.Error.Code != 2 {
		t.Errorf("%v: %s", err, r.stderr)
	}
}

// TestPrintReadError: a document that cannot be read to its end must not be queued.
func TestPrintReadError(t *testing.T) {
	f := startFake(t)
	r := &failingReader{rest: make([]byte, 2*uploadChunk), err: errors.New("input/output error")}
	f.cliWith(t.Context(), r, "print", "-p", "Office").
		want(t, exitFailure, "", `cannot read "standard input": input/output error; nothing was queued`)
	<-f.broken
	if f.uploaded() != 0 {
		t.Error("it was queued")
	}
}

// TestPrintInterrupted: Ctrl-C in the middle of an upload leaves nothing, also while the
// document itself is slow to come.
func TestPrintInterrupted(t *testing.T) {
	f := startFake(t)
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	defer w.Close()
	go func() {
		w.Write([]byte("half a page"))
		<-f.arrived
		cancel()
	}()
	f.cliWith(ctx, r, "print", "-p", "Office").want(t, exitInterrupted, "", "spoolhost: interrupted\n")
	<-f.broken
	if f.uploaded() != 0 {
		t.Error("it was queued")
	}
}

// TestPrintRefusedEarly: a refusal does not wait for a document that never ends.
func TestPrintRefusedEarly(t *testing.T) {
	f := startFake(t)
	r, w := io.Pipe()
	defer w.Close()
	f.cliWith(t.Context(), r, "print", "-p", "Nope").want(t, exitNotFound, "", "does not exist")
}

func TestPrintWait(t *testing.T) {
	printed := &apiv1.Job{Title: "a", State: "printed", Attempts: []*apiv1.Attempt{{Port: "P1", Outcome: "printed"}}}
	for name, c := range map[string]struct {
		watch  []*apiv1.Job
		code   int
		stdout string
		stderr string
	}{
		"printed":   {[]*apiv1.Job{{State: "queued"}, {State: "printing"}, printed}, exitOK, "printed by P1", ""},
		"cancelled": {[]*apiv1.Job{{State: "cancelled", Reason: "by anna"}}, exitNotPrinted, "cancelled (by anna)", "job 1 did not print, it was cancelled: by anna"},
		"failed":    {[]*apiv1.Job{{State: "failed"}}, exitNotPrinted, "failed", "why job 1"},
		"held":      {[]*apiv1.Job{{State: "printing"}, {State: "held", Reason: "5 attempts failed"}}, exitNotPrinted, "held", "job release 1"},
		"cut off":   {[]*apiv1.Job{{State: "queued"}}, exitFailure, "queued", "stopped reporting job 1"},
	} {
		t.Run(name, func(t *testing.T) {
			f := startFake(t)
			f.watch = c.watch
			f.cliWith(t.Context(), strings.NewReader("x"), "print", "-p", "Office", "--wait").want(t, c.code, c.stdout, c.stderr)
		})
	}
}

func TestPrintWaitEndsEarly(t *testing.T) {
	f := startFake(t)
	f.watch, f.hang = []*apiv1.Job{{State: "queued"}}, true
	f.cliWith(t.Context(), strings.NewReader("x"), "print", "-p", "Office", "--wait", "--timeout", "200ms").
		want(t, exitTimeout, "", "job 1 has not printed within 200ms, it is queued and stays")
	for len(f.arrived) > 0 {
		<-f.arrived
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-f.arrived // The chunk.
		<-f.arrived // The watch.
		cancel()
	}()
	r := f.cliWith(ctx, strings.NewReader("x"), "print", "-p", "Office", "--wait", "-o", "json")
	r.want(t, exitInterrupted, `"id": 2`, "job 2 is queued and stays")
	if _, ok := f.requests["CancelJob"]; ok {
		t.Error("the job was cancelled")
	}
}

func TestPrintWaitJSONOfAFailure(t *testing.T) {
	f := startFake(t)
	f.watch = []*apiv1.Job{{State: "held"}}
	r := f.cliWith(t.Context(), strings.NewReader("x"), "print", "-p", "Office", "--wait", "-o", "json")
	r.want(t, exitNotPrinted, `"state": "held"`, `{"error":{"kind":"not printed","code":63,`)
}

func TestTitles(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                  "plain",
		" a\tb\n":                "a b",
		"a\x00\x1b[0m\u202eb":    "a��[0m�b",
		"bad\xff":                "bad�",
		strings.Repeat("é", 300): strings.Repeat("é", maxTitle),
		"\n":                     "",
	} {
		if got := sanitiseTitle(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestOneFailureDecidesTheCode(t *testing.T) {
	several := failures{spoolerr.New(spoolerr.Denied, 0, "a"), spoolerr.New(spoolerr.NotFound, 0, "b")}
	if code := exitCode(several.err()); code != exitDenied {
		t.Errorf("got %d", code)
	}
	if failures(nil).err() != nil {
		t.Error("no failures are an error")
	}
}
