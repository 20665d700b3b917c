// Package lprtest is a line printer daemon (RFC 1179) for tests: it takes jobs, refuses
// steps, and answers late, as it is told.
//
// Only tests below plugins import it.
package lprtest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// Daemon is the far side. Its fields are set before the first connection.
type Daemon struct {
	// Refuse gives the answer to a step: "job", "control", "control end", "data" or "data
	// end". Nil, and 0, accept.
	Refuse func(step string) byte
	// Says is sent after a refusal.
	Says string
	// Before is called before the data is read.
	Before func()
	// State is what the queue's state is.
	State string

	listener net.Listener
	jobs     chan Job
	all      sync.WaitGroup
}

// Job is a job as it arrived.
type Job struct {
	Queue         string
	Control, Data string
	ControlName   string
	DataName      string
	// Steps are the steps in their order.
	Steps []string
	// Err is why the connection ended before the job was whole.
	Err error
	// From is the sender's address.
	From *net.TCPAddr
}

// New starts a daemon; the test's end stops it.
func New(t *testing.T, d *Daemon) *Daemon {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.listener, d.jobs = l, make(chan Job, 1024)
	d.all.Go(d.accept)
	t.Cleanup(func() {
		d.Close()
		d.all.Wait()
	})
	return d
}

// Close stops listening.
func (d *Daemon) Close() { _ = d.listener.Close() }

// Settings names the daemon in a port's settings.
func (d *Daemon) Settings(more ...string) map[string]string {
	host, port, _ := net.SplitHostPort(d.listener.Addr().String())
	s := map[string]string{"host": host, "port": port, "queue": "lp"}
	for i := 0; i+1 < len(more); i += 2 {
		s[more[i]] = more[i+1]
	}
	return s
}

// Addr is where it listens.
func (d *Daemon) Addr() *net.TCPAddr { return d.listener.Addr().(*net.TCPAddr) }

// Job waits for the next job, whole or not.
func (d *Daemon) Job() Job { return <-d.jobs }

// Waiting says how many jobs nobody has fetched.
func (d *Daemon) Waiting() int { return len(d.jobs) }

func (d *Daemon) accept() {
	for {
		c, err := d.listener.Accept()
		if err != nil {
			return
		}
		d.all.Go(func() {
			defer func() { _ = c.Close() }()
			d.serve(c)
		})
	}
}

func (d *Daemon) serve(c net.Conn) {
	r := bufio.NewReader(c)
	command, err := r.ReadString('\n')
	if err != nil {
		return
	}
	switch command[0] {
	case 2:
		j := Job{Queue: strings.TrimSpace(command[1:]), From: c.RemoteAddr().(*net.TCPAddr)}
		j.Err = d.receive(c, r, &j)
		d.jobs <- j
	case 3:
		_, _ = io.WriteString(c, d.State)
	}
}

func (d *Daemon) receive(c net.Conn, r *bufio.Reader, j *Job) error {
	if err := d.answer(c, j, "job"); err != nil {
		return err
	}
	for {
		line, err := r.ReadString('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		var size int64
		var name string
		if _, err := fmt.Sscanf(line[1:], "%d %s\n", &size, &name); err != nil {
			return fmt.Errorf("subcommand %q: %w", line, err)
		}
		step, into := "data", &j.Data
		if line[0] == 2 {
			step, into, j.ControlName = "control", &j.Control, name
		} else {
			j.DataName = name
		}
		if err := d.file(c, r, j, step, size, into); err != nil {
			return err
		}
	}
}

func (d *Daemon) file(c net.Conn, r io.Reader, j *Job, step string, size int64, into *string) error {
	if err := d.answer(c, j, step); err != nil {
		return err
	}
	if step == "data" && d.Before != nil {
		d.Before()
	}
	content := make([]byte, size+1)
	n, err := io.ReadFull(r, content)
	*into = string(content[:min(int64(n), size)])
	if err != nil {
		return err
	}
	if content[size] != 0 {
		return fmt.Errorf("%s ends with %d, not with a zero", step, content[size])
	}
	return d.answer(c, j, step+" end")
}

func (d *Daemon) answer(c net.Conn, j *Job, step string) error {
	j.Steps = append(j.Steps, step)
	var code byte
	if d.Refuse != nil {
		code = d.Refuse(step)
	}
	if _, err := c.Write([]byte{code}); err != nil {
		return err
	}
	if code != 0 {
		_, _ = io.WriteString(c, d.Says)
		return fmt.Errorf("refused %s", step)
	}
	return nil
}
