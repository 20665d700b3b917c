package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/procs"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/mockmonitor"
)

// spread is least, median and most.
func spread(all []time.Duration) []time.Duration {
	if len(all) == 0 {
		return nil
	}
	s := slices.Sorted(slices.Values(all))
	return []time.Duration{s[0], s[len(s)/2], s[len(s)-1]}
}

// other gives a node that runs and is not the given one.
func (b *bench) other(than *node) *node {
	for _, n := range b.nodes {
		if n != than && n.cmd != nil {
			return n
		}
	}
	return nil
}

func document(row string, turn int) string {
	return fmt.Sprintf("%s %d at %d\n", row, turn, time.Now().UnixNano())
}

// moves is an idle spooler that is moved: from the request to the first byte of a document
// that was accepted in the middle of the move.
func (b *bench) moves(ctx context.Context) error {
	for _, printers := range b.printers {
		name := fmt.Sprintf("MOVE%d", printers)
		if err := b.spooler(ctx, name, printers); err != nil {
			return err
		}
		var all []time.Duration
		for turn := range b.turns {
			took, err := b.move(ctx, name, printers, turn)
			if err != nil {
				return err
			}
			all = append(all, took)
		}
		tell("idle move", printers, all, map[int]string{1000: "< 1", 10000: "< 3"}[printers])
	}
	return nil
}

func (b *bench) move(ctx context.Context, name string, printers, turn int) (time.Duration, error) {
	owner, err := b.online(ctx, name)
	if err != nil {
		return 0, err
	}
	target := b.other(owner)
	began := time.Now()
	stream, err := target.MoveSpooler(ctx, &apiv1.MoveSpoolerRequest{Name: name, To: target.name, Wait: true})
	if err != nil {
		return 0, err
	}
	doc := document("move", turn)
	sent := false
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
		m := r.GetMove()
		if stopped := slices.ContainsFunc(m.GetSteps(), func(s *apiv1.MoveStep) bool { return s.GetName() == "stopped" }); stopped && !sent {
			if _, err := target.submit(ctx, name, printerName(turn*37%printers), doc); err != nil {
				return 0, err
			}
			sent = true
		}
		if m.GetDone() && b.verbose {
			for _, s := range m.GetSteps() {
				fmt.Printf("  %8.3fs %s %s: %s\n", s.GetAt().AsTime().Sub(began).Seconds(), s.GetNode(), s.GetName(), s.GetText())
			}
		}
	}
	at, err := b.paper.wait(ctx, doc)
	return at.Sub(began), err
}

// crashes is an owner that is killed: from the kill to the first byte of a document that was
// accepted right after.
func (b *bench) crashes(ctx context.Context) error {
	for _, printers := range b.printers {
		name := fmt.Sprintf("MOVE%d", printers)
		if err := b.spooler(ctx, name, printers); err != nil {
			return err
		}
		var all []time.Duration
		for turn := range b.turns {
			owner, err := b.online(ctx, name)
			if err != nil {
				return err
			}
			began := time.Now()
			owner.kill()
			doc := document("crash", turn)
			if _, err := b.other(owner).submit(ctx, name, printerName(turn*41%printers), doc); err != nil {
				return err
			}
			at, err := b.paper.wait(ctx, doc)
			if err != nil {
				return err
			}
			all = append(all, at.Sub(began))
			if err := b.up(ctx, owner); err != nil {
				return err
			}
		}
		tell("owner killed", printers, all, fmt.Sprintf("< %v", b.lease.Seconds()+1))
	}
	return nil
}

const hungMonitor = "Hanging Monitor"

// hung is a spooler with a document in a monitor that never comes back from WritePort.
func (b *bench) hung(ctx context.Context) error {
	const name = "HUNG"
	if err := b.mock(ctx); err != nil {
		return err
	}
	if err := b.spooler(ctx, name, 10); err != nil {
		return err
	}
	settings := map[string]string{"to": b.paper.listener.Addr().String(), "hang": "write", "only": "1"}
	if err := b.nodes[0].printer(ctx, name, "stuck", hungMonitor, settings); err != nil {
		return err
	}
	var all []time.Duration
	for turn := range b.turns {
		owner, err := b.online(ctx, name)
		if err != nil {
			return err
		}
		if _, err := owner.submit(ctx, name, "stuck", document("stuck", turn)); err != nil {
			return err
		}
		if err := until(ctx, "the document is in the monitor", func() error { return printing(ctx, owner, name) }); err != nil {
			return err
		}
		took, err := b.move(ctx, name, 10, turn)
		if err != nil {
			return err
		}
		all = append(all, took)
		if err := until(ctx, "the document has printed", func() error {
			if printing(ctx, b.nodes[0], name) == nil {
				return errors.New("it prints")
			}
			return nil
		}); err != nil {
			return err
		}
	}
	tell("move with a hung WritePort", 11, all, fmt.Sprintf("< %v", (resource+grace+time.Second).Seconds()))
	return nil
}

func printing(ctx context.Context, n *node, name string) error {
	r, err := n.GetPort(ctx, &apiv1.GetPortRequest{Spooler: name, Name: "stuck"})
	if err == nil && r.GetPort().GetState() != "printing" {
		err = fmt.Errorf("it is %s", r.GetPort().GetState())
	}
	return err
}

// mock installs the monitor that hangs, which is this program.
func (b *bench) mock(ctx context.Context) error {
	self, err := executable()
	if err != nil {
		return err
	}
	for _, n := range b.nodes {
		if _, err := n.AddMonitor(ctx, &apiv1.AddMonitorRequest{Name: hungMonitor, Module: self, Args: []string{mockmonitor.Argument}}); err != nil {
			return err
		}
	}
	return nil
}

// limits is as many spoolers as are promised, and what they cost.
func (b *bench) limits(ctx context.Context) error {
	began := time.Now()
	for i := range b.spoolers {
		if err := b.spooler(ctx, fmt.Sprintf("S%03d", i), 1); err != nil {
			return err
		}
	}
	fmt.Printf("| %d spoolers with a printer each made | %d | %.1f | | %.1f |\n", b.spoolers, b.spoolers, time.Since(began).Seconds(), procs.Load())
	for _, n := range b.nodes {
		tree, err := procs.NewTree(n.cmd.Process.Pid)
		if err != nil {
			return err
		}
		u, err := tree.Usage(true)
		if err != nil {
			return err
		}
		fmt.Printf("| memory of %s: host, all with shares divided; processes | | %d MiB, %d MiB; %d | | |\n", n.name, u.Root>>20, u.PSS>>20, u.Processes)
	}
	return nil
}
