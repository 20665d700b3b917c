package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
)

// console is a command line at a real terminal, and what can be read there.
type console struct {
	t    *testing.T
	ctx  context.Context
	cmd  *exec.Cmd
	tty  *os.File
	done chan struct{} // closed when nothing more comes

	mu   sync.Mutex
	text bytes.Buffer
}

// Keys. A yes or no is an answer by itself.
const (
	enter    = "\r"
	escape   = "\x1b"
	ctrlC    = "\x03"
	clearKey = "\x15" // Ctrl-U
	yes      = "y"
	no       = "n"
	focus    = "┃ " // stands before the field that takes the keys
)

// fields of the page after the address, in their order.
func connection() []string {
	return []string{"Longest time to connect", "Longest wait for the printer", "Longest wait for the end", "Ask the printer", "SNMP community",
		"SNMP device index", "Test the connection"}
}

// terminal starts a command line at a terminal of its own.
func (s shell) terminal(ctx context.Context, args ...string) *console {
	s.t.Helper()
	self, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	c := &console{t: s.t, ctx: ctx, cmd: exec.CommandContext(ctx, self, append([]string{"--addr", s.addr}, args...)...), done: make(chan struct{})}
	// Of this sort of terminal nobody asks the colours, which nothing here would answer.
	c.cmd.Env = append(os.Environ(), "TERM=screen-256color", "NO_COLOR=1")
	if c.tty, err = pty.StartWithSize(c.cmd, &pty.Winsize{Rows: 50, Cols: 120}); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		defer close(c.done)
		buf := make([]byte, 4096)
		for {
			n, err := c.tty.Read(buf)
			c.mu.Lock()
			c.text.Write(buf[:n])
			c.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	s.t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		_ = c.tty.Close()
		<-c.done
	})
	return c
}

// escapes are what moves the cursor and colours text.
var escapes = regexp.MustCompile(`\x1b(\[[0-9;?]*[a-zA-Z]|\][^\x07\x1b]*(\x07|\x1b\\)|[=>()][0-9A-Z]?)`)

// shown gives all that was shown so far.
func (c *console) shown() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return escapes.ReplaceAllString(c.text.String(), "")
}

// expect waits until the terminal has shown a text.
func (c *console) expect(text string) {
	c.t.Helper()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for !strings.Contains(c.shown(), text) {
		select {
		case <-poll.C:
		case <-c.done:
			if strings.Contains(c.shown(), text) {
				return
			}
			c.t.Fatalf("the command ended without showing %q:\n%s", text, c.shown())
		case <-c.ctx.Done():
			c.t.Fatalf("the terminal does not show %q:\n%s", text, c.shown())
		}
	}
}

// press sends keys. What a key does may take a moment, and keys that come before are taken
// by what has the focus: after one that moves it, wait for what has it then.
func (c *console) press(keys ...string) {
	c.t.Helper()
	if _, err := c.tty.WriteString(strings.Join(keys, "")); err != nil {
		c.t.Fatalf("%v; the terminal shows:\n%s", err, c.shown())
	}
}

// fill writes into the field that has the focus, in place of what is in it.
func (c *console) fill(text string) {
	c.t.Helper()
	c.press(clearKey, text)
	c.expect(text)
}

// next goes on to fields, one after the other, by the beginnings of their titles.
func (c *console) next(titles ...string) {
	c.t.Helper()
	for _, title := range titles {
		c.forget()
		c.press(enter)
		c.expect(focus + title)
	}
}

// forget drops what was shown, so that expect sees only what comes.
func (c *console) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text.Reset()
}

// exit waits for the end and gives the exit code.
func (c *console) exit() int {
	c.t.Helper()
	err := c.cmd.Wait()
	var status *exec.ExitError
	switch {
	case errors.As(err, &status):
		return status.ExitCode()
	case err != nil:
		c.t.Fatalf("%v:\n%s", err, c.shown())
	}
	return 0
}

// TestDialogueAtATerminal adds, configures and deletes a port as a person does.
func TestDialogueAtATerminal(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	host := startServe(ctx, t, shortDir(t))
	t.Cleanup(host.kill)
	s := shell{t, host.addr}
	sink := newSink(t, nil)

	add := s.terminal(ctx, "port", "add", "--monitor", demoMonitor)
	add.expect(focus + "Address of the printer")
	add.press(enter) // an empty address
	add.expect("this is required")
	add.fill("127.0.0.1")
	add.next("Protocol", "Name of the port")
	add.fill("HALL")
	add.next("Port number")
	add.fill("99999")
	add.press(enter)
	add.expect("give a whole number from 1 to 65535")
	add.fill(strconv.Itoa(sink.Port()))
	add.next(connection()...)
	add.press(enter) // test: yes
	add.expect("The printer answers at 127.0.0.1:" + strconv.Itoa(sink.Port()))
	add.expect("port HALL added")
	if code := add.exit(); code != 0 {
		t.Fatalf("exit %d:\n%s", code, add.shown())
	}

	configure := s.terminal(ctx, "port", "configure", "HALL")
	configure.expect(focus + "Address of the printer")
	configure.expect("127.0.0.1")
	configure.next("Protocol", "Port number")
	configure.expect(strconv.Itoa(sink.Port()))
	configure.fill("1")
	configure.next(connection()...)
	configure.press(yes)
	configure.expect("The printer does not answer")
	configure.press(enter) // go on all the same
	configure.expect("port HALL configured")
	if code := configure.exit(); code != 0 {
		t.Fatalf("exit %d:\n%s", code, configure.shown())
	}
	if out := s.ok("xcv", ",XcvPort HALL", "GetConfigInfo"); !strings.Contains(out, `"port":"1"`) {
		t.Errorf("after the dialogue: %s", out)
	}

	remove := s.terminal(ctx, "port", "delete", "HALL")
	remove.expect("Delete this port?")
	remove.press(no)
	remove.expect("this is required")
	remove.press(yes)
	remove.expect("port HALL deleted")
	if code := remove.exit(); code != 0 {
		t.Fatalf("exit %d:\n%s", code, remove.shown())
	}
}

// TestCancelAtEveryPage: Esc and Ctrl-C leave nothing behind, wherever they come.
func TestCancelAtEveryPage(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	host := startServe(ctx, t, shortDir(t))
	t.Cleanup(host.kill)
	s := shell{t, host.addr}
	s.ok("port", "add", "HALL", "--monitor", demoMonitor, "--set", "host=127.0.0.1", "--set", "port=1")
	before := s.ok("xcv", ",XcvPort HALL", "GetConfigInfo")
	for _, key := range []string{escape, ctrlC} {
		first := func(args ...string) *console {
			c := s.terminal(ctx, args...)
			c.expect(focus + "Address of the printer")
			return c
		}
		second := func(args ...string) *console {
			c := first(args...)
			c.fill("127.0.0.2")
			c.next("Protocol")
			if args[1] == "add" {
				c.next("Name of the port")
			}
			c.next("Port number")
			return c
		}
		third := func(args ...string) *console {
			c := second(args...)
			c.fill("1")
			c.next(connection()...)
			c.press(yes)
			c.expect("The printer does not answer")
			return c
		}
		for name, reach := range map[string]func(...string) *console{"first": first, "second": second, "third": third} {
			for _, args := range [][]string{{"port", "add", "--monitor", demoMonitor}, {"port", "configure", "HALL"}} {
				c := reach(args...)
				c.press(key)
				c.expect("cancelled; nothing was changed")
				if code := c.exit(); code != exitInterrupted {
					t.Errorf("%s page of %s %s: exit %d", name, args[0], args[1], code)
				}
			}
		}
		c := s.terminal(ctx, "port", "delete", "HALL")
		c.expect("Delete this port?")
		c.press(key)
		c.expect("cancelled; nothing was changed")
		if code := c.exit(); code != exitInterrupted {
			t.Errorf("port delete: exit %d", code)
		}
	}
	if after := s.ok("xcv", ",XcvPort HALL", "GetConfigInfo"); after != before {
		t.Errorf("the port is now %s", after)
	}
	if out := s.ok("port", "list", "-o", "json"); strings.Count(out, `"name"`) != 1 {
		t.Errorf("ports after the cancelled dialogues: %s", out)
	}
}

// TestDialogueByScript does by --set what a person does at a terminal.
func TestDialogueByScript(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dir := shortDir(t)
	config := filepath.Join(dir, "host.hcl")
	if err := os.WriteFile(config, []byte(fmt.Sprintf("local_directories = [%q]\n", dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	host := startServe(ctx, t, dir, "--config", config)
	t.Cleanup(host.kill)
	s := shell{t, host.addr}
	sink := newSink(t, nil)
	port := strconv.Itoa(sink.Port())
	code, out, errOut := s.run("port", "add", "--monitor", demoMonitor, "--set", "host=127.0.0.1", "--set", "port="+port, "--set", "prot=x")
	if code != 0 || out != "port IP_127.0.0.1 added: closed\n" ||
		!strings.Contains(errOut, "answers at 127.0.0.1:"+port) || !strings.Contains(errOut, "nothing asked for prot") {
		t.Errorf("add: exit %d, %q, %q", code, out, errOut)
	}
	s.ok("port", "configure", "IP_127.0.0.1", "--set", "port=1", "--set", "snmp=true", "--set", "snmpCommunity=hush", "--set", "test=false")
	if out := s.ok("xcv", ",XcvPort IP_127.0.0.1", "GetConfigInfo"); !strings.Contains(out, `"port":"1"`) || !strings.Contains(out, `"snmpCommunity":"hush"`) {
		t.Errorf("configured: %s", out)
	}
	s.ok("port", "configure", "IP_127.0.0.1", "--no-ui", "--set", "test=false") // changes nothing, the secret neither
	if out := s.ok("xcv", ",XcvPort IP_127.0.0.1", "GetConfigInfo"); !strings.Contains(out, `"port":"1"`) || !strings.Contains(out, `"snmpCommunity":"hush"`) {
		t.Errorf("configured again: %s", out)
	}
	s.ok("port", "delete", "IP_127.0.0.1", "--set", "confirm=true")
	s.ok("port", "add", "--monitor", "Local Port", "--set", "path="+filepath.Join(dir, "out"), "--set", "type=file", "--set", "name=OUT")
	for _, c := range []struct {
		args string // separated by |
		code int
		say  string
	}{
		{"port|add|--monitor|" + demoMonitor, exitUsage, "terminal"},
		{"port|configure|OUT", exitUsage, "terminal"},
		{"port|add|--monitor|" + demoMonitor + "|--no-ui", exitUsage, "host: this is required"},
		{"port|add|--monitor|" + demoMonitor + "|--set|host=a b", exitUsage, "host name"},
		{"port|add|--monitor|" + demoMonitor + "|--set|host=h|--set|protocol=ipp", exitUsage, "choose one of raw, lpr"},
		{"port|add|--monitor|" + demoMonitor + "|--set|host=h|--set|port=0|--set|closeTimeout=x", exitUsage, "closeTimeout: give a time"},
		{"port|add|--monitor|" + demoMonitor + "|--set|host=h|--set|name=OUT|--set|test=false", exitUsage, `"OUT" exists already`},
		{"port|add|--monitor|Local Port|--set|path=/etc/passwd", exitDenied, "local_directories"},
		{"port|add|--monitor|Nobody|--no-ui", exitNotFound, `"Nobody"`},
		{"port|configure|Nowhere|--no-ui", exitNotFound, `"Nowhere"`},
		{"port|delete|OUT|--set|confirm=no", exitUsage, "confirm"},
	} {
		code, _, errOut := s.run(strings.Split(c.args, "|")...)
		if code != c.code || !strings.Contains(errOut, c.say) {
			t.Errorf("%s: exit %d (want %d), said %q (want it to name %s)", c.args, code, c.code, errOut, c.say)
		}
	}
	s.ok("port", "delete", "OUT")
	if out := s.ok("port", "list"); out != "no ports\n" {
		t.Errorf("left: %s", out)
	}
	log, err := os.ReadFile(filepath.Join(dir, "log"))
	if err != nil || bytes.Contains(log, []byte("hush")) || strings.Contains(s.ok("events"), "hush") {
		t.Errorf("a secret is in the log or the events: %v", err)
	}
}
