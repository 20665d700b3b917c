package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spoolhost/spoolhost/cmd/spoolhost/bench/procs"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

// accepts is how long clients of the other two nodes wait until their documents are
// accepted, with the owner there, and from its death until another prints for it. Documents
// are due at fixed times, and times count from when one was due.
func (b *bench) accepts(ctx context.Context) error { return b.accept(ctx, false) }

// acceptsLed is the same with etcd's leader on the node that dies, so that an election is in it.
func (b *bench) acceptsLed(ctx context.Context) error { return b.accept(ctx, true) }

func (b *bench) accept(ctx context.Context, led bool) error {
	const name, printers = "ACCEPT", 10
	if err := b.spooler(ctx, name, printers); err != nil {
		return err
	}
	var turns []string
	var before, during []time.Duration
	for range b.turns {
		who, quiet, gone, err := b.acceptTurn(ctx, name, led)
		if err != nil {
			return err
		}
		turns = append(turns, who+": "+latencies(quiet, gone))
		before, during = append(before, quiet...), append(during, gone...)
	}
	if b.turns > 1 { // a turn alone has three documents beyond its p99
		turns = append(turns, "all turns: "+latencies(before, during))
	}
	row := "accept, before -> during a fail-over"
	if led {
		row += " with etcd's leader"
	}
	fmt.Printf("| %s | %d | %s | p99 <= 2 times | %.1f |\n", row, printers, strings.Join(turns, "; "), procs.Load())
	return nil
}

// acceptTurn kills an owner, and gives how long documents took before and after.
func (b *bench) acceptTurn(ctx context.Context, name string, led bool) (who string, before, during []time.Duration, err error) {
	leader, err := b.leader(ctx)
	if err != nil {
		return "", nil, nil, err
	}
	owner, err := b.online(ctx, name)
	if err != nil {
		return "", nil, nil, err
	}
	window := b.lease + time.Second
	if before, err = b.load(ctx, name, owner, window); err != nil {
		return "", nil, nil, err
	}
	if led && owner != leader { // at once: the leader goes away from a node that owns much
		if _, err := b.command(ctx, "--addr", "unix:"+b.socket(1), "spooler", "move", name, "--to", leader.name, "--wait"); err != nil {
			return "", nil, nil, err
		}
		owner = leader
	}
	owner.kill()
	if during, err = b.load(ctx, name, owner, window); err != nil {
		return "", nil, nil, err
	}
	if who = owner.name; owner == leader {
		who += " (etcd's leader)"
	}
	return who, before, during, b.up(ctx, owner)
}

// latencies are the percentiles of both.
func latencies(before, during []time.Duration) string {
	return fmt.Sprintf("p50 %.1f -> %.1f ms, p99 %.1f -> %.1f ms, most %.1f -> %.1f ms",
		ms(before, 0.5), ms(during, 0.5), ms(before, 0.99), ms(during, 0.99), ms(before, 1), ms(during, 1))
}

// leader gives the node that leads etcd, once that has not changed for a while: the lead goes
// to a node that owns little, some seconds after owners have changed.
func (b *bench) leader(ctx context.Context) (leader *node, err error) {
	const settled = 15 * time.Second
	var since time.Time
	err = until(ctx, "etcd keeps its leader", func() error {
		r, err := b.nodes[0].GetCluster(ctx, &apiv1.GetClusterRequest{})
		if err != nil {
			return err
		}
		now := slices.IndexFunc(r.GetMembers(), func(m *apiv1.ClusterMember) bool { return m.GetRole() == "leader" })
		switch {
		case now < 0 || leader != b.nodes[now]:
			leader, since = nil, time.Now()
			if now >= 0 {
				leader = b.nodes[now]
			}
		case time.Since(since) > settled:
			return nil
		}
		return errors.New("it has just changed")
	})
	return leader, err
}

func ms(all []time.Duration, part float64) float64 {
	s := slices.Sorted(slices.Values(all))
	return float64(s[min(int(part*float64(len(s))), len(s)-1)].Microseconds()) / 1000
}

func (b *bench) load(ctx context.Context, name string, except *node, window time.Duration) ([]time.Duration, error) {
	const rate = 50 // a second
	var mu sync.Mutex
	var all []time.Duration
	var errs []error
	var clients sync.WaitGroup
	began := time.Now()
	for i := range int(window.Seconds() * float64(rate)) {
		due := began.Add(time.Duration(i) * time.Second / time.Duration(rate))
		<-time.After(time.Until(due))
		n := b.nodes[i%nodes]
		if n == except {
			n = b.other(except)
		}
		clients.Go(func() {
			_, err := n.submit(ctx, name, printerName(i%10), document("accept", i))
			mu.Lock()
			defer mu.Unlock()
			all, errs = append(all, time.Since(due)), append(errs, err)
		})
	}
	clients.Wait()
	return all, errors.Join(errs...)
}
