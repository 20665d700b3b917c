//go:build linux

package hostile

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/job"
)

// sent is a document that prints at once: the misbehaviour costs nothing.
var sent = []job.Outcome{job.Sent}

// go-plugin exchanges os.Stdout and os.Stderr: the descriptors are what is left. They are
// kept here, because a file that nobody holds is closed, and its number goes to another.
var stdout, stderr = os.NewFile(1, "stdout"), os.NewFile(2, "stderr")

// outputRows write what no host should have to read, and print.
func outputRows() []row {
	var rows []row
	for i, line := range []string{
		`{"@message":1}`, `{"@message":{"a":[1,2]},"@level":7}`, `{"@level":["warn"],"@message":"x"}`, `{"@timestamp":false,"@message":"x"}`,
		`{`, `{}`, `{"@message":"`, `null`, `[]`, strings.Repeat("[", 1<<16), `{"@message":"\u0000\u001b[31m"}`, "\x00\xff\xfe",
		"panic: no such luck", "[ERR] x", `{"@message":"x","@message":2}`, `{"@message":1e999}`,
	} {
		rows = append(rows, row{name: fmt.Sprint("logs malformed line ", i+1), outcomes: sent, do: func(*module) {
			fmt.Fprintln(os.Stderr, line)
			fmt.Fprintln(os.Stderr, line)
		}})
	}
	for _, fd := range []struct {
		file *os.File
		name string
	}{{stdout, "standard output"}, {stderr, "standard error"}} {
		whenAsked := func(write func(*os.File)) func(*module) {
			return func(m *module) {
				m.then["EnumPorts"] = func() { write(fd.file) }
			}
		}
		rows = append(rows,
			row{name: "writes 10 MB in a line to " + fd.name, outcomes: sent,
				do: whenAsked(func(f *os.File) { flood(f, append(bytes.Repeat([]byte("x"), 10<<20), '\n'), 1) })},
			row{name: "writes binary to " + fd.name, outcomes: sent, do: whenAsked(func(f *os.File) { flood(f, junk(1<<20), 1<<20) })},
			row{name: "writes a gigabyte of lines to " + fd.name, outcomes: sent, event: eventlog.ModuleMisbehaves, says: "writes too many",
				do: whenAsked(func(f *os.File) { flood(f, bytes.Repeat([]byte("a line like any other\n"), 1000), 1<<30) })},
			row{name: "writes a gigabyte without a newline to " + fd.name, outcomes: sent,
				do: whenAsked(func(f *os.File) { flood(f, bytes.Repeat([]byte("x"), 64<<10), 1<<30) })},
			row{name: "closes " + fd.name, outcomes: sent, do: whenAsked(func(f *os.File) { _ = f.Close() })},
		)
	}
	return append(rows,
		row{name: "prints a gigabyte", outcomes: sent, event: eventlog.ModuleMisbehaves, says: "writes too many", do: func(m *module) {
			m.then["EnumPorts"] = func() { flood(os.Stdout, bytes.Repeat([]byte("through the library\n"), 1000), 1<<30) }
		}},
		row{name: "warns without end", outcomes: sent, event: eventlog.ModuleLogLine, says: "too many to keep", do: func(m *module) {
			m.then["EnumPorts"] = func() {
				pace := time.NewTicker(10 * time.Millisecond)
				for i := range 1 << 20 {
					fmt.Fprintf(stderr, `{"@level":"error","@message":"warning %d"}`+"\n", i)
					<-pace.C
				}
			}
		}},
	)
}

// processRows leave processes behind.
func processRows() []row {
	crash := []job.Outcome{job.Crashed, job.Sent}
	return []row{
		{name: "leaves a child that holds its pipes", lives: 1, outcomes: crash, event: eventlog.MonitorExited, says: "exit status 3",
			do: on("WritePort", func(ctx context.Context) error { spawn(false); return exit(ctx) })},
		{name: "leaves a child of another session", lives: 1, outcomes: crash, event: eventlog.MonitorExited, says: "exit status 3",
			do: on("WritePort", func(ctx context.Context) error { spawn(true); return exit(ctx) })},
		{name: "is ended with twenty children", outcomes: sent, do: on("StartDocPort", func(context.Context) error {
			for range 20 {
				spawn(false)
			}
			return nil
		})},
		{name: "has a child that stops the module", lives: 1, outcomes: []job.Outcome{job.TimedOut, job.Sent},
			event: eventlog.JobAttemptEnded, says: "did not return within",
			do: on("WritePort", func(context.Context) error { stopSelf(); return nil })},
		{name: "takes a signal for its own", do: func(m *module) {
			m.then["EnumPorts"] = func() { _ = syscall.Kill(os.Getpid(), syscall.SIGSEGV) }
		}, lives: 1, outcomes: sent, anyhow: true},
	}
}

// spawn starts a process that lives for an hour and holds both outputs. The module's
// directory is among its arguments, by which the matrix finds it.
func spawn(session bool) {
	cmd := exec.Command("/bin/sh", "-c", "trap '' TERM; sleep 3600; true", os.Args[4])
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.Env = append(os.Environ(), "MARK="+os.Args[4])
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: session}
	if err := cmd.Start(); err != nil {
		panic(err)
	}
}
