package host

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/spoolhost/spoolhost/host/cluster/engine"
	"github.com/spoolhost/spoolhost/host/eventlog"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// clocks compares this node's wall clock with those of the others, once a minute. Ownership
// goes by clocks that nobody can set; but times of jobs and events are told by this one,
// and hours in which printers print.
type clocks struct {
	node string
	// ask says how far the clocks of the others are ahead of this one, by name, as far as
	// they answer.
	ask func(ctx context.Context) map[string]time.Duration
	say func(severity eventlog.Severity, text string)

	mu    sync.Mutex
	wrong string
}

const (
	clocksFirst = 10 * time.Second
	clocksEvery = time.Minute
)

func (c *clocks) run(ctx context.Context) {
	for first := clocksFirst; wait(ctx, first); first = clocksEvery {
		c.look(ctx)
	}
}

// look makes an event when the clock has become wrong, and when it is right again.
func (c *clocks) look(ctx context.Context) {
	others := c.ask(ctx)
	if len(others) == 0 {
		return // nobody to compare with
	}
	text := skewOf(c.node, others)
	c.mu.Lock()
	before := c.wrong
	c.wrong = text
	c.mu.Unlock()
	switch {
	case before == "" && text != "":
		c.say(eventlog.Warning, text)
	case before != "" && text == "":
		c.say(eventlog.Info, "the clock of node "+c.node+" agrees with the others' again")
	}
}

// problem says what is wrong with the clock; empty for nothing.
func (c *clocks) problem() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wrong
}

// skewOf says by how much this node's clock differs from what most of the clocks say. Of
// two that differ nobody knows which is wrong.
func skewOf(node string, others map[string]time.Duration) string {
	all := []time.Duration{0}
	for _, ahead := range others {
		all = append(all, ahead)
	}
	slices.Sort(all)
	if len(others) == 1 {
		for other, ahead := range others {
			if ahead.Abs() > engine.MaxSkew {
				return fmt.Sprintf("the clocks of nodes %s and %s differ by %v, and one of them is wrong; ownership does not depend on clocks, but times of jobs and events do: set up NTP",
					spool.Quote(node), spool.Quote(other), ahead.Abs().Round(100*time.Millisecond))
			}
		}
		return ""
	}
	if own := -(all[(len(all)-1)/2] + all[len(all)/2]) / 2; own.Abs() > engine.MaxSkew {
		return engine.SkewText("node "+node, own)
	}
	return ""
}

// askClocks asks the other nodes for their time, all at once.
func (e *clusterEngine) askClocks(ctx context.Context) map[string]time.Duration {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	e.mu.Lock()
	nodes := e.nodes
	e.mu.Unlock()
	var mu sync.Mutex
	var asking sync.WaitGroup
	ahead := make(map[string]time.Duration)
	for _, n := range nodes {
		if spool.Fold(n.Name) == spool.Fold(e.roster.Self.Name) {
			continue
		}
		asking.Go(func() {
			conn, err := e.Dial(n.Name, n.API)
			if err != nil {
				return
			}
			before := e.roster.Now()
			reply, err := apiv1.NewClusterClient(conn).GetNode(ctx, &apiv1.GetNodeRequest{})
			if err != nil {
				return
			}
			between := before.Add(e.roster.Now().Sub(before) / 2)
			mu.Lock()
			defer mu.Unlock()
			ahead[n.Name] = reply.GetNow().AsTime().Sub(between)
		})
	}
	asking.Wait()
	return ahead
}

// newClocks compares the clock of an engine's node.
func newClocks(e *clusterEngine) *clocks {
	name := e.roster.Self.Name
	return &clocks{node: name, ask: e.askClocks, say: func(severity eventlog.Severity, text string) {
		e.host.events.Add(eventlog.Event{ID: eventlog.ClockSkewed, Severity: severity, Object: eventlog.Host, Name: name, Text: text})
	}}
}
