package api

import (
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/spoolhost/spoolhost/host/cluster"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

// askTime is how long a node is waited for whose events are wanted.
const askTime = 3 * time.Second

// chronicle is what the nodes of a cluster tell of a spooler. Each event is in the log of the
// node on which it happened.
type chronicle struct {
	s       *Server
	request *apiv1.ListEventsRequest

	mu      sync.Mutex
	events  []*apiv1.Event
	unasked map[string]string // by node, why
	last    map[string]uint64 // by node, the seq of the last event that was told
}

func (s *Server) newChronicle(r *apiv1.ListEventsRequest) *chronicle {
	return &chronicle{s: s, request: r, unasked: make(map[string]string), last: make(map[string]uint64)}
}

// listClusterEvents gives the events of a cluster spooler. It needs no owner for that.
func (s *eventsServer) listClusterEvents(r *apiv1.ListEventsRequest, stream grpc.ServerStreamingServer[apiv1.ListEventsResponse]) error {
	ctx := stream.Context()
	if _, err := s.cfg.Cluster.Node.Find(ctx, r.GetSpooler()); err != nil {
		return err
	}
	past := proto.CloneOf(r)
	past.Follow = false
	c := s.newChronicle(past)
	if err := c.gather(ctx); err != nil {
		return err
	}
	if missing := c.missing(); len(missing) > 0 {
		if err := stream.Send(&apiv1.ListEventsResponse{Unasked: missing}); err != nil {
			return err
		}
	}
	err := pages(c.sorted(), func(page []*apiv1.Event) error { return stream.Send(&apiv1.ListEventsResponse{Events: page}) })
	if err != nil || !r.GetFollow() {
		return err
	}
	return c.follow(ctx, stream.Send)
}

// nodes gives all nodes that are in the cluster, those that are down too.
func (c *chronicle) nodes() map[string]cluster.Member {
	view, _ := c.s.cfg.Cluster.Node.View()
	nodes := maps.Clone(view.Members)
	if nodes == nil {
		nodes = make(map[string]cluster.Member)
	}
	if e := c.s.cfg.Engine; e != nil {
		for key, n := range e.Nodes() {
			if _, there := nodes[key]; !there {
				nodes[key] = cluster.Member{Name: n.Name, Address: n.API}
			}
		}
	}
	self := c.s.cfg.Cluster.Node.Name()
	nodes[spool.Fold(self)] = cluster.Member{Name: self}
	return nodes
}

// gather asks all nodes at once for what was until now. It fails if this node cannot tell.
func (c *chronicle) gather(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	var asking sync.WaitGroup
	for _, m := range c.nodes() {
		asking.Go(func() {
			problem := c.ask(ctx, m, c.request, c.keep)
			c.mu.Lock()
			defer c.mu.Unlock()
			if problem != nil && m.Name == c.s.cfg.Cluster.Node.Name() {
				err = problem
			} else if problem != nil {
				c.unasked[m.Name] = unaskedText(problem)
			}
		})
	}
	asking.Wait()
	return err
}

// unaskedText says in a line of its own why a node could not be asked.
func unaskedText(err error) string {
	text := spoolgrpc.FromStatus(err).Error()
	if errors.Is(spoolgrpc.FromStatus(err), context.DeadlineExceeded) || strings.Contains(text, "DeadlineExceeded") {
		return "it does not answer"
	}
	return strings.Trim(text[max(0, strings.LastIndex(text, "dial ")):], `"`)
}

// ask has one node tell its events, this node too.
func (c *chronicle) ask(ctx context.Context, m cluster.Member, r *apiv1.ListEventsRequest, tell func([]*apiv1.Event) error) error {
	name := func(page []*apiv1.Event) error {
		for _, e := range page {
			e.Node = m.Name
		}
		return tell(page)
	}
	c.mu.Lock()
	after := c.last[m.Name]
	c.mu.Unlock()
	if m.Name == c.s.cfg.Cluster.Node.Name() {
		return c.s.listEvents(ctx, r, after, name)
	}
	conn, err := c.s.cfg.Cluster.Dial(m)
	if err != nil {
		return err
	}
	stream, err := apiv1.NewEventsClient(conn).ListNodeEvents(passOn(ctx, callerOf(ctx).Caller), &apiv1.ListNodeEventsRequest{Events: r, AfterSeq: after})
	for err == nil {
		var page *apiv1.ListNodeEventsResponse
		if page, err = stream.Recv(); err == nil {
			err = name(page.GetEvents())
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// keep takes events over; each node's come in order.
func (c *chronicle) keep(page []*apiv1.Event) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.note(page)
	c.events = append(c.events, page...)
	return nil
}

// note remembers how far a node has told. mu is held.
func (c *chronicle) note(page []*apiv1.Event) {
	for _, e := range page {
		c.last[e.GetNode()] = max(c.last[e.GetNode()], e.GetSeq())
	}
}

// sorted gives what was gathered in order of time, the newest if there are too many.
func (c *chronicle) sorted() []*apiv1.Event {
	slices.SortStableFunc(c.events, func(a, b *apiv1.Event) int {
		return cmp.Or(a.GetTime().AsTime().Compare(b.GetTime().AsTime()), cmp.Compare(a.GetNode(), b.GetNode()), cmp.Compare(a.GetSeq(), b.GetSeq()))
	})
	if most := int(c.request.GetLimit()); most > 0 {
		return c.events[max(0, len(c.events)-most):]
	}
	return c.events
}

// missing gives the nodes that could not be asked.
func (c *chronicle) missing() (list []*apiv1.UnaskedNode) {
	for _, name := range slices.Sorted(maps.Keys(c.unasked)) {
		list = append(list, &apiv1.UnaskedNode{Node: name, Problem: c.unasked[name]})
	}
	return list
}

// follow goes on with what happens on any node until ctx ends. Nodes that come back, or
// join, are asked again every few seconds, from where they were.
func (c *chronicle) follow(ctx context.Context, send func(*apiv1.ListEventsResponse) error) error {
	ctx, cancel := context.WithCancel(ctx)
	var following sync.WaitGroup
	defer following.Wait()
	defer cancel()
	out := make(chan *apiv1.ListEventsResponse)
	tell := func(r *apiv1.ListEventsResponse) error {
		select {
		case out <- r:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	again := time.NewTicker(askTime)
	defer again.Stop()
	at := make(map[string]bool)
	for {
		for key, m := range c.nodes() {
			if !at[key] {
				at[key] = true
				following.Go(func() { c.followNode(ctx, m, tell) })
			}
		}
		select {
		case r := <-out:
			if err := send(r); err != nil {
				return err
			}
		case <-again.C:
		case <-ctx.Done():
			return cutOff(ctx)
		}
	}
}

// followNode tells what happens on one node, and when it stops answering or answers again.
func (c *chronicle) followNode(ctx context.Context, m cluster.Member, tell func(*apiv1.ListEventsResponse) error) {
	r := proto.CloneOf(c.request)
	r.Follow, r.Limit = true, 0
	for {
		err := c.ask(ctx, m, r, func(page []*apiv1.Event) error {
			c.mu.Lock()
			c.note(page)
			back := c.unasked[m.Name] != ""
			delete(c.unasked, m.Name)
			c.mu.Unlock()
			answer := &apiv1.ListEventsResponse{Events: page}
			if back {
				answer.Unasked = []*apiv1.UnaskedNode{{Node: m.Name}}
			}
			return tell(answer)
		})
		if ctx.Err() != nil {
			return
		}
		problem := "its host has stopped"
		if err != nil {
			problem = unaskedText(err)
		}
		c.mu.Lock()
		known := c.unasked[m.Name] != ""
		c.unasked[m.Name] = problem
		c.mu.Unlock()
		if !known && tell(&apiv1.ListEventsResponse{Unasked: []*apiv1.UnaskedNode{{Node: m.Name, Problem: problem}}}) != nil {
			return
		}
		t := time.NewTimer(askTime)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
	}
}
