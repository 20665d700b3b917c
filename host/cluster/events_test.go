package cluster_test

import (
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/host"
	"github.com/spoolhost/spoolhost/host/cluster"
	"github.com/spoolhost/spoolhost/host/eventlog"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

var errUnplugged = errors.New("the cable is out")

// TestEventsOfAllNodes: what happened to a spooler is told by any node, whoever owned it
// then, in order of time; a node that is not reached is named.
func TestEventsOfAllNodes(t *testing.T) {
	t.Parallel()
	var unplugged atomic.Bool // n1, as n3 sees it
	h := bootHosts(t, 3, func(n int, c *host.Config) {
		dial := c.Membership.Dial
		c.Membership.Dial = func(m cluster.Member) (grpc.ClientConnInterface, error) {
			if n == 2 && m.Name == "n1" && unplugged.Load() {
				return nil, errUnplugged
			}
			return dial(m)
		}
	})
	h.create("n1")
	_, to := h.sink()
	h.printer(h.nodes[0], "Office", to)
	h.printed(h.nodes[0], h.submit(h.nodes[2], "Office", paper(1000)).GetId())
	h.move(h.nodes[2], "n2")
	second := h.submit(h.nodes[2], "Office", paper(1000)).GetId()
	h.printed(h.nodes[2], second)

	ask := &apiv1.ListEventsRequest{Spooler: spoolerName, Ids: []uint32{uint32(eventlog.JobPrinted)}}
	h.until("all that was printed is told", func() bool { events, _ := h.listEvents(h.nodes[2], ask); return len(events) == 2 })
	events, unasked := h.listEvents(h.nodes[2], ask)
	if len(unasked) > 0 || events[0].GetNode() != "n1" || events[1].GetNode() != "n2" {
		t.Errorf("%v, unasked %v", events, unasked)
	}
	whole, _ := h.listEvents(h.nodes[2], &apiv1.ListEventsRequest{Spooler: spoolerName})
	if !slices.IsSortedFunc(whole, func(a, b *apiv1.Event) int { return a.GetTime().AsTime().Compare(b.GetTime().AsTime()) }) {
		t.Errorf("not in order of time: %v", whole)
	}
	newest, _ := h.listEvents(h.nodes[0], &apiv1.ListEventsRequest{Spooler: spoolerName, Limit: 1, Ids: ask.GetIds()})
	if len(newest) != 1 || newest[0].GetObjectName() != strconv.FormatUint(second, 10) {
		t.Errorf("the newest is %v", newest)
	}

	why, err := h.nodes[0].Explain(t.Context(), &apiv1.ExplainRequest{Spooler: spoolerName, Kind: "printer", Name: "Office"})
	h.ok(err)
	if n := why.GetEvents(); len(n) == 0 || n[0].GetNode() != "n1" {
		t.Errorf("n2 tells of the time before it: %v", n)
	}
	unplugged.Store(true)
	events, unasked = h.listEvents(h.nodes[2], ask)
	if len(events) != 1 || len(unasked) != 1 || unasked[0].GetNode() != "n1" || !strings.Contains(unasked[0].GetProblem(), errUnplugged.Error()) {
		t.Errorf("%v, unasked %v", events, unasked)
	}
}

// TestEventsFollowed: who follows a spooler's events goes on with them when it moves.
func TestEventsFollowed(t *testing.T) {
	t.Parallel()
	h := bootHosts(t, 2, nil)
	h.create("n1")
	_, to := h.sink()
	h.printer(h.nodes[0], "Office", to)
	stream, err := h.nodes[1].ListEvents(t.Context(), &apiv1.ListEventsRequest{Spooler: spoolerName, Follow: true, Ids: []uint32{uint32(eventlog.JobPrinted)}})
	h.ok(err)
	for _, owner := range []string{"n1", "n2"} {
		if owner == "n2" {
			h.move(h.nodes[0], owner)
		}
		h.submit(h.nodes[0], "Office", paper(1000))
		r, err := stream.Recv()
		h.ok(err)
		if e := r.GetEvents(); len(e) != 1 || e[0].GetNode() != owner {
			t.Errorf("%v, at %s", r, owner)
		}
	}
}

// TestEventsOfOneNode: nobody asks for them but nodes.
func TestEventsOfOneNode(t *testing.T) {
	t.Parallel()
	h := bootHosts(t, 1, nil)
	stream, err := h.nodes[0].ListNodeEvents(t.Context(), &apiv1.ListNodeEventsRequest{Events: &apiv1.ListEventsRequest{}})
	if err == nil {
		_, err = stream.Recv()
	}
	if err == nil || !strings.Contains(err.Error(), "nodes of its cluster only") {
		t.Errorf("%v", err)
	}
	stream2, err := h.nodes[0].ListEvents(t.Context(), &apiv1.ListEventsRequest{Spooler: "NOBODY"})
	h.ok(err)
	if _, err = stream2.Recv(); err == nil || !strings.Contains(err.Error(), "NOBODY") {
		t.Errorf("of an unknown spooler: %v", err)
	}
}

func (h *hosts) listEvents(n *node, r *apiv1.ListEventsRequest) (events []*apiv1.Event, unasked []*apiv1.UnaskedNode) {
	h.Helper()
	stream, err := n.ListEvents(h.Context(), r)
	h.ok(err)
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return events, unasked
		}
		h.ok(err)
		events, unasked = append(events, r.GetEvents()...), append(unasked, r.GetUnasked()...)
	}
}

// TestJobsAreCounted: every node tells how many jobs a spooler has now, not a moment ago.
func TestJobsAreCounted(t *testing.T) {
	t.Parallel()
	h := bootHosts(t, 2, nil)
	h.create("n1")
	_, to := h.sink()
	h.printer(h.nodes[0], "Office", to)
	_, err := h.nodes[0].PausePrinter(t.Context(), &apiv1.PausePrinterRequest{Spooler: spoolerName, Name: "Office"})
	h.ok(err)
	for i := range 3 {
		h.submit(h.nodes[0], "Office", paper(100))
		for _, n := range h.nodes {
			r, err := n.ListSpoolers(t.Context(), &apiv1.ListSpoolersRequest{})
			h.ok(err)
			if got := r.GetClusterSpoolers()[0].GetJobs(); got != uint32(i+1) {
				t.Errorf("%d jobs after %d, at %s", got, i+1, n.host.Cluster().Name())
			}
		}
	}
}
