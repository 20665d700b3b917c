//go:build linux

package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

// play carries out a plan, and heals everything in the end.
func (w *world) play(ctx context.Context, plan []fault) {
	var active sync.WaitGroup
	busy := make([]sync.Mutex, nodes+1) // one fault at a time for each node
	for i, f := range plan {
		ended := make(chan struct{})
		f = w.aim(f)
		busy[f.Node].Lock()
		w.Logf("%8.3fs fault %d: %v", time.Since(w.began).Seconds(), i+1, f)
		active.Go(func() {
			defer close(ended)
			defer busy[f.Node].Unlock()
			heal, err := w.inject(ctx, f)
			if err != nil {
				w.Errorf("fault %d, %v: %v", i+1, f, err)
			}
			pause(ctx, f.Hold)
			if heal != nil {
				if err := heal(); err != nil {
					w.Errorf("healing fault %d, %v: %v", i+1, f, err)
				}
			}
		})
		if !f.Overlap {
			<-ended
		}
		pause(ctx, f.Gap)
	}
	active.Wait()
}

// aim finds the owner that a fault is to hit, if anybody knows it just now.
func (w *world) aim(f fault) fault {
	name := spoolerNames()[int(f.Hold/time.Millisecond)%len(spoolerNames())]
	for _, n := range w.nodes[1:] {
		if !f.Owner {
			break
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		r, err := n.GetSpooler(ctx, &apiv1.GetSpoolerRequest{Name: name})
		cancel()
		owner, _ := strconv.Atoi(strings.TrimPrefix(r.GetClusterSpooler().GetOwner(), "n"))
		if err != nil || owner == 0 || r.GetClusterSpooler().GetState() == "unknown" {
			continue
		}
		if f.Other == owner {
			f.Other = f.Node
		}
		if f.Node = owner; f.Other == owner {
			f.Other = 1 + owner%nodes
		}
		break
	}
	return f
}

// pause lets a time pass that is part of the plan.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// inject makes a fault; heal ends it.
func (w *world) inject(ctx context.Context, f fault) (heal func() error, err error) {
	node := w.nodes[f.Node]
	switch f.Kind {
	case "kill":
		return w.end(syscall.SIGKILL, &node.process)
	case "kill-two":
		return w.end(syscall.SIGKILL, &node.process, &w.nodes[f.Other].process)
	case "term":
		return w.end(syscall.SIGTERM, &node.process)
	case "etcd":
		return w.end(syscall.SIGKILL, w.etcd[f.Node%etcds])
	case "etcd-two":
		return w.end(syscall.SIGKILL, w.etcd[f.Node%etcds], w.etcd[f.Other%etcds])
	case "stop":
		return stop(&node.process), nil
	case "both-stop": // nobody is left who could end its modules
		guard := stopChildren(node, "guard")
		host := stop(&node.process)
		return func() error { return errors.Join(guard(), host()) }, nil
	case "etcd-stop":
		return stop(w.etcd[f.Node%etcds]), nil
	case "module", "modules", "guard":
		signalAll(childrenOf(node, f.Kind), syscall.SIGKILL)
		return nil, nil
	case "module-stop", "modules-stop", "guard-stop":
		return stopChildren(node, strings.TrimSuffix(f.Kind, "-stop")), nil
	case "cut", "cut-in", "cut-out", "pair", "pair-in", "island":
		return w.cut(f)
	case "readonly":
		return w.remount(w.path("s"+strconv.Itoa(f.Node)), true)
	case "readonly-all":
		return w.remount(w.path("t"), false)
	case "full":
		return w.fill()
	case "move":
		return nil, w.move(ctx, f)
	case "drain":
		return w.drain(ctx, f)
	}
	return nil, fmt.Errorf("there is no fault %q", f.Kind)
}

// end ends processes, which are started again.
func (w *world) end(by syscall.Signal, list ...*process) (heal func() error, err error) {
	for _, p := range list {
		p.signal(by)
	}
	return func() error {
		for _, p := range list {
			if !p.gone(patience) {
				return fmt.Errorf("%v did not end it within %v", by, patience)
			}
			if err := p.start(); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// stop is SIGSTOP, and SIGCONT.
func stop(p *process) (heal func() error) {
	p.signal(syscall.SIGSTOP)
	return func() error { p.signal(syscall.SIGCONT); return nil }
}

// stopChildren stops modules of a host, or its guard, and lets them go on.
func stopChildren(node *machineNode, kind string) (heal func() error) {
	stopped := childrenOf(node, kind)
	signalAll(stopped, syscall.SIGSTOP)
	return func() error {
		still := processesOf(node)
		signalAll(slices.DeleteFunc(stopped, func(pid int) bool { return !slices.Contains(still, pid) }), syscall.SIGCONT)
		return nil
	}
}

// signalAll signals processes, which may have gone.
func signalAll(list []int, s syscall.Signal) {
	for _, pid := range list {
		_ = syscall.Kill(pid, s)
	}
}

// childrenOf gives a "module" of a host, its "modules", or its "guard".
func childrenOf(node *machineNode, kind string) []int {
	var modules, guards []int
	for _, pid := range processesOf(node) {
		command, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if strings.Contains(string(command), "cluster-guard") {
			guards = append(guards, pid)
		} else {
			modules = append(modules, pid)
		}
	}
	switch {
	case kind == "guard":
		return guards
	case kind == "module" && len(modules) > 0:
		return modules[rand.IntN(len(modules)):][:1]
	}
	return modules
}

// processesOf gives the processes that a host has started.
func processesOf(node *machineNode) (list []int) {
	parent, _ := node.state()
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		data, _ := os.ReadFile(path)
		pid, rest, _ := strings.Cut(string(data), " ")
		f := strings.Fields(rest[strings.LastIndex(rest, ")")+1:])
		if len(f) < 2 || parent == 0 || f[1] != strconv.Itoa(parent) {
			continue
		}
		if n, err := strconv.Atoi(pid); err == nil {
			list = append(list, n)
		}
	}
	return list
}

// cut keeps packets from passing: between a node and all others, another one, or everybody
// with the printers too; both ways or one.
func (w *world) cut(f fault) (heal func() error, err error) {
	others := []int{f.Other}
	if !strings.HasPrefix(f.Kind, "pair") {
		others = nil
		for m := 1; m <= etcdMachine; m++ {
			if m != f.Node {
				others = append(others, m)
			}
		}
	}
	if f.Kind == "island" {
		others = append(others, 0)
	}
	var ways [][2]int
	for _, o := range others {
		if !strings.HasSuffix(f.Kind, "-in") {
			ways = append(ways, [2]int{f.Node, o})
		}
		if !strings.HasSuffix(f.Kind, "-out") {
			ways = append(ways, [2]int{o, f.Node})
		}
	}
	for _, way := range ways {
		if err := w.net.cut(way[0], way[1]); err != nil {
			return nil, err
		}
	}
	return func() error {
		for _, way := range ways {
			if err := w.net.mend(way[0], way[1]); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// remount makes the shared directory read-only, for one node (its bind mount) or for all.
// Whoever has a document open for writing is in the way for a moment.
func (w *world) remount(path string, bind bool) (heal func() error, err error) {
	how := func(mode string) string {
		if bind {
			return "remount,bind," + mode
		}
		return "remount," + mode
	}
	for deadline := time.Now().Add(patience); ; {
		if err = run("mount", "-o", how("ro"), path); err == nil || time.Now().After(deadline) {
			return func() error { return run("mount", "-o", how("rw"), path) }, err
		}
		pause(context.Background(), 5*time.Millisecond)
	}
}

// fill leaves no room in the shared directory.
func (w *world) fill() (heal func() error, err error) {
	path := filepath.Join(w.path("t"), "filler")
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	for zeros := make([]byte, 1<<20); len(zeros) > 0; {
		if _, err := f.Write(zeros); err != nil {
			zeros = zeros[:len(zeros)/2] // to the last byte
		}
	}
	return func() error { return os.Remove(path) }, f.Close()
}

// move asks a node to move a spooler to another; it may be refused for many reasons.
func (w *world) move(ctx context.Context, f fault) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	name := spoolerNames()[int(f.Hold/time.Millisecond)%len(spoolerNames())]
	stream, err := w.nodes[f.Other].MoveSpooler(ctx, &apiv1.MoveSpoolerRequest{Name: name, To: "n" + strconv.Itoa(f.Node)})
	if err == nil {
		_, err = stream.Recv()
	}
	if err != nil {
		w.Logf("    the move of %s to n%d: %v", name, f.Node, err)
	}
	return nil
}

// drain has a node give up what it owns, and take spoolers again later.
func (w *world) drain(ctx context.Context, f fault) (heal func() error, err error) {
	name := "n" + strconv.Itoa(f.Node)
	short, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if _, err := w.nodes[f.Other].DrainNode(short, &apiv1.DrainNodeRequest{Name: name}); err != nil {
		w.Logf("    the draining of %s: %v", name, err)
	}
	return func() error { return w.resume(name) }, nil
}

// resume undoes drain, through whichever node can.
func (w *world) resume(name string) (err error) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		for _, n := range w.nodes[1:] {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			_, err = n.ResumeNode(ctx, &apiv1.ResumeNodeRequest{Name: name})
			cancel()
			if err == nil {
				return nil
			}
		}
		pause(context.Background(), 100*time.Millisecond)
	}
	return err
}
