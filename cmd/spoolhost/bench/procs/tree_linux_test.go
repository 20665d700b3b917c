package procs

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The children of a tree that have ended count: a server that forks a process for each
// job has its cost there.
func TestUsageCountsEndedChildren(t *testing.T) {
	// The shell works in a child that ends, says so, and waits.
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", `sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done'; echo done; read line`)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	tree, err := NewTree(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	before, err := tree.Usage(true)
	if err != nil {
		t.Fatal(err)
	}
	if before.RSS <= 0 || before.Root <= 0 || before.PSS <= 0 || before.Processes < 1 {
		t.Errorf("%+v", before)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || strings.TrimSpace(line) != "done" {
		t.Fatalf("%q %v", line, err)
	}
	after, err := tree.Usage(false)
	if err != nil {
		t.Fatal(err)
	}
	if after.CPU <= before.CPU || after.Processes != 1 {
		t.Errorf("after a child that worked and ended: %+v", after)
	}
	_ = in.Close()
	_ = cmd.Wait()
	if _, err := tree.Usage(false); err == nil {
		t.Error("an ended process is measured")
	}
}

func TestNoSuchProcess(t *testing.T) {
	if _, err := NewTree(1 << 22); err == nil || !strings.Contains(err.Error(), "4194304") {
		t.Errorf("%v", err)
	}
	tree, err := NewTree(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if u, err := tree.Usage(false); err != nil || u.Root == 0 || u.RSS < u.Root {
		t.Errorf("%+v %v", u, err)
	}
}
