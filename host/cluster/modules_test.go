package cluster_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spoolhost/spoolhost/host"
	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/hosttest"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

// publisher makes n1 the only node that has the monitor, with a spooler that needs it, and
// has it published.
func publisher(t *testing.T, allow ...string) (*hosts, *hosttest.Sink) {
	t.Helper()
	h := bootHosts(t, 2, func(_ int, c *host.Config) { c.Builtins, c.Membership.Modules = nil, allow })
	m := hosttest.Monitor(monitorName)
	_, err := apiv1.NewMonitorsClient(h.nodes[0].conn).AddMonitor(t.Context(), &apiv1.AddMonitorRequest{Name: monitorName, Module: m.Path, Args: m.Args})
	h.ok(err)
	h.create("n1")
	sink, to := h.sink()
	h.printer(h.nodes[0], "Office", to)
	h.publish()
	return h, sink
}

func (h *hosts) publish() string {
	h.Helper()
	r, err := apiv1.NewModulesClient(h.nodes[0].conn).PublishModule(h.Context(), &apiv1.PublishModuleRequest{Name: "test MONITOR"})
	h.ok(err)
	return r.GetModule().GetDigest()
}

// has gives what a node has as the monitor.
func (h *hosts) has(n *node) *apiv1.Monitor {
	r, _ := apiv1.NewMonitorsClient(n.conn).GetMonitor(h.Context(), &apiv1.GetMonitorRequest{Name: monitorName})
	return r.GetMonitor()
}

// movable waits until a move to a node would lose no printer, and moves.
func (h *hosts) movable(to string) {
	h.Helper()
	h.until("the others know that "+to+" has the monitor", func() bool {
		v, _ := h.nodes[0].host.Cluster().View()
		m := v.Members[to]
		return m.Monitors[monitorName] != "" && m.Monitors[monitorName] == v.States["ntprint"].Needs[monitorName]
	})
	if m := h.move(h.nodes[0], to); !m.GetDone() || m.GetFailure() != "" {
		h.Errorf("%+v", m)
	}
}

// TestFetchedMonitor: a node that lacks a monitor gets it from the cluster, prints with it,
// and follows when another file is published.
func TestFetchedMonitor(t *testing.T) {
	t.Parallel()
	h, sink := publisher(t, "all")
	n2 := h.nodes[1]
	h.until("n2 has fetched it", func() bool { return h.has(n2) != nil })
	if m := h.has(n2); filepath.Dir(m.GetModule()) != filepath.Join(h.dir, "n2", "fetched") || m.GetDigest() != h.has(h.nodes[0]).GetDigest() {
		t.Errorf("%+v", m)
	}
	h.movable("n2")
	h.printed(h.nodes[0], h.submit(n2, "Office", paper(100_000)).GetId())
	if r := sink.Receipts(); len(r) != 1 || r[0].Bytes != 100_000 {
		t.Errorf("%+v", r)
	}
	if e := h.events(n2, eventlog.ModuleFetched); len(e) != 1 || !strings.Contains(e[0], "published by") {
		t.Errorf("events of n2: %q", e)
	}

	m := hosttest.Monitor(monitorName)
	content, err := os.ReadFile(m.Path)
	h.ok(err)
	other := filepath.Join(h.dir, "other")
	h.ok(os.WriteFile(other, append(content, 0), 0o755)) //nolint:gosec // it is executed
	_, err = apiv1.NewMonitorsClient(h.nodes[0].conn).UpgradeMonitor(t.Context(), &apiv1.UpgradeMonitorRequest{Name: monitorName, Module: other})
	h.ok(err)
	second := h.publish()
	h.until("n2 has fetched the other", func() bool { return h.has(n2).GetDigest() == second })
	h.printed(h.nodes[0], h.submit(n2, "Office", paper(1000)).GetId())
	if stored, err := filepath.Glob(filepath.Join(h.dir, "shared", "modules", "*")); err != nil || len(stored) != 1 || filepath.Base(stored[0]) != second {
		t.Errorf("on the shared storage are %v, %v", stored, err)
	}

	modules := apiv1.NewModulesClient(n2.conn)
	_, err = modules.WithdrawModule(t.Context(), &apiv1.WithdrawModuleRequest{Name: monitorName})
	h.ok(err)
	if list, err := modules.ListClusterModules(t.Context(), &apiv1.ListClusterModulesRequest{}); err != nil {
		t.Error(err)
	} else if len(list.GetModules()) > 0 {
		h.until("it is seen to be withdrawn", func() bool {
			list, err = modules.ListClusterModules(t.Context(), &apiv1.ListClusterModulesRequest{})
			return err == nil && len(list.GetModules()) == 0
		})
	}
	if _, err := os.Stat(filepath.Join(h.dir, "shared", "modules", second)); err == nil || h.has(n2) == nil {
		t.Errorf("withdrawn: the file %v, the monitor %v", err, h.has(n2))
	}
}

// TestUnfetchedMonitor: nothing is fetched that the node does not allow, a move says so, and
// content that is damaged is refused until it is published again.
func TestUnfetchedMonitor(t *testing.T) {
	t.Parallel()
	h, _ := publisher(t, "sha256:"+strings.Repeat("0", 64))
	n2, modules := h.nodes[1], apiv1.NewModulesClient(h.nodes[1].conn)
	h.until("n1 knows why n2 does not have it", func() bool {
		v, _ := h.nodes[0].host.Cluster().View()
		return v.Members["n2"].Unfetched[monitorName] != "" && len(v.States["ntprint"].Needs) > 0
	})
	stream, err := h.nodes[0].MoveSpooler(t.Context(), &apiv1.MoveSpoolerRequest{Name: spoolerName, To: "n2"})
	h.ok(err)
	if _, err = stream.Recv(); err == nil || !strings.Contains(err.Error(), "does not allow") || !strings.Contains(err.Error(), "module fetch") {
		t.Errorf("a move to a node that may not fetch: %v", err)
	}
	if list, err := modules.ListClusterModules(t.Context(), &apiv1.ListClusterModulesRequest{}); err != nil || len(list.GetModules()) != 1 ||
		list.GetModules()[0].GetHere() || !strings.Contains(list.GetModules()[0].GetReason(), "does not allow") {
		t.Errorf("%v, %v", list, err)
	}

	fetch := func() error {
		_, err := modules.FetchModule(t.Context(), &apiv1.FetchModuleRequest{Name: monitorName})
		return spoolgrpc.FromStatus(err)
	}
	stored, err := filepath.Glob(filepath.Join(h.dir, "shared", "modules", "*"))
	if err != nil || len(stored) != 1 {
		t.Fatal(stored, err)
	}
	content, err := os.ReadFile(stored[0])
	h.ok(err)
	h.ok(os.WriteFile(stored[0], bytes.Replace(content, []byte("mockmonitor"), []byte("mockmenitor"), 1), 0o600))
	if err := fetch(); spoolerr.KindOf(err) != spoolerr.Corrupt || !strings.Contains(err.Error(), "publish it again") {
		t.Errorf("damaged: %v", err)
	}
	h.ok(os.Remove(stored[0]))
	if err := fetch(); spoolerr.KindOf(err) != spoolerr.Corrupt || !strings.Contains(err.Error(), "missing") {
		t.Errorf("gone: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(h.dir, "n2", "fetched", "*")); len(left) > 0 || h.has(n2) != nil {
		t.Errorf("%v, %v, %v", left, err, h.has(n2))
	}
	h.publish()
	h.ok(fetch())
	h.movable("n2")
	h.printed(h.nodes[0], h.submit(n2, "Office", paper(10)).GetId())
}

// TestFetchCompletes: a spooler that came to a node without its monitor is complete once the
// node may fetch it.
func TestFetchCompletes(t *testing.T) {
	t.Parallel()
	h, _ := publisher(t)
	stream, err := h.nodes[0].MoveSpooler(t.Context(), &apiv1.MoveSpoolerRequest{Name: spoolerName, To: "n2", Force: true, Wait: true})
	h.ok(err)
	for err == nil {
		_, err = stream.Recv()
	}
	id := h.submit(h.nodes[0], "Office", paper(10)).GetId()
	why, err := h.nodes[0].Explain(t.Context(), &apiv1.ExplainRequest{Spooler: spoolerName, Kind: "printer", Name: "Office"})
	h.ok(err)
	if !strings.Contains(why.String(), "module fetch") {
		t.Errorf("%v", why)
	}
	_, err = apiv1.NewModulesClient(h.nodes[1].conn).FetchModule(t.Context(), &apiv1.FetchModuleRequest{Name: monitorName})
	h.ok(err)
	h.printed(h.nodes[0], id)
}

// TestPublishRefused: what comes with the host, or is not there, is not stored.
func TestPublishRefused(t *testing.T) {
	t.Parallel()
	h := bootHosts(t, 1, func(_ int, c *host.Config) { c.Builtins = []catalog.Monitor{hosttest.Monitor(monitorName)} })
	modules := apiv1.NewModulesClient(h.nodes[0].conn)
	for name, kind := range map[string]spoolerr.Kind{monitorName: spoolerr.Precondition, "nobody": spoolerr.NotFound} {
		_, err := modules.PublishModule(t.Context(), &apiv1.PublishModuleRequest{Name: name})
		if err = spoolgrpc.FromStatus(err); spoolerr.KindOf(err) != kind {
			t.Errorf("publish %s: %v", name, err)
		}
		_, err = modules.FetchModule(t.Context(), &apiv1.FetchModuleRequest{Name: name})
		if err = spoolgrpc.FromStatus(err); spoolerr.KindOf(err) != spoolerr.NotFound {
			t.Errorf("fetch %s: %v", name, err)
		}
		_, err = modules.WithdrawModule(t.Context(), &apiv1.WithdrawModuleRequest{Name: name})
		if err = spoolgrpc.FromStatus(err); spoolerr.KindOf(err) != spoolerr.NotFound {
			t.Errorf("withdraw %s: %v", name, err)
		}
	}
}

// events gives the texts of a node's events of one sort.
func (h *hosts) events(n *node, id eventlog.ID) (texts []string) {
	h.Helper()
	return h.eventsOf(n, "", id)
}

// eventsOf gives those of one spooler.
func (h *hosts) eventsOf(n *node, of string, id eventlog.ID) (texts []string) {
	h.Helper()
	stream, err := n.ListEvents(h.Context(), &apiv1.ListEventsRequest{Spooler: of, Ids: []uint32{uint32(id)}})
	h.ok(err)
	for r, err := stream.Recv(); err == nil; r, err = stream.Recv() {
		for _, e := range r.GetEvents() {
			texts = append(texts, e.GetText())
		}
	}
	return texts
}

// TestWhyThroughAnotherNode: any node tells what is wrong with a spooler, when it is tried
// again, and what has happened to it.
func TestWhyThroughAnotherNode(t *testing.T) {
	t.Parallel()
	h := bootHosts(t, 2, nil)
	h.create("n2")
	flag := filepath.Join(h.dir, "fail")
	h.printer(h.nodes[0], "Office", map[string]string{"fail": "enum", "while": flag})
	h.ok(os.WriteFile(flag, nil, 0o600))
	_, err := apiv1.NewMonitorsClient(h.nodes[1].conn).RestartMonitor(t.Context(), &apiv1.RestartMonitorRequest{Name: monitorName, Spooler: spoolerName})
	h.ok(err)
	h.until("it is said when the monitor is started again", func() bool {
		why, err := h.nodes[0].Explain(t.Context(), &apiv1.ExplainRequest{Spooler: spoolerName, Kind: "spooler", Name: spoolerName})
		h.ok(err)
		advice := strings.Join(why.GetAdvice(), "\n")
		return strings.Contains(advice, "is started again at ") && strings.Contains(advice, `printer "Office" is missing`)
	})
	if e := h.events(h.nodes[0], eventlog.MonitorInitializeFailed); len(e) > 0 {
		t.Errorf("events of n1 itself: %q", e)
	}
	if e := h.eventsOf(h.nodes[0], spoolerName, eventlog.MonitorInitializeFailed); len(e) == 0 {
		t.Error("n1 does not tell of the spooler's events")
	}
}
