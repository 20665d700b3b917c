package api

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/spoolhost/spoolhost/host/frontend/access"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

// Every method of the API has its role.
func TestEveryMethodIsClassified(t *testing.T) {
	s := New(Config{})
	defer s.Close(t.Context())
	known := needs()
	for service, info := range s.grpc.GetServiceInfo() {
		for _, m := range info.Methods {
			name := "/" + service + "/" + m.Name
			if _, ok := known[name]; !ok {
				t.Errorf("%s has no role", name)
			}
			delete(known, name)
		}
	}
	for name := range known {
		t.Errorf("%s does not exist", name)
	}
	if err := authorize(context.Background(), "/spoolhost.api.v1.New/Method"); !errors.Is(spoolgrpc.FromStatus(err), spoolerr.Denied) {
		t.Errorf("a method without a role: %v", err)
	}
}

func TestRoles(t *testing.T) {
	b := newBench(t)
	b.printer("p", nil)
	ctx := t.Context()
	calls := []struct {
		name string
		need access.Role
		call func(uid int64) error
	}{
		{"status", access.User, func(uid int64) error { _, err := b.hosts(uid).GetStatus(ctx, &apiv1.GetStatusRequest{}); return err }},
		{"printer get", access.User, func(uid int64) error {
			_, err := b.printers(uid).GetPrinter(ctx, &apiv1.GetPrinterRequest{Name: "p"})
			return err
		}},
		{"pause", access.Operator, func(uid int64) error {
			_, err := b.printers(uid).PausePrinter(ctx, &apiv1.PausePrinterRequest{Name: "p"})
			return err
		}},
		{"purge", access.Operator, func(uid int64) error {
			_, err := b.printers(uid).PurgePrinter(ctx, &apiv1.PurgePrinterRequest{Name: "p"})
			return err
		}},
		{"registry", access.Operator, func(uid int64) error {
			_, err := apiv1.NewRegistryClient(b.conns[uid]).ListKey(ctx, &apiv1.ListKeyRequest{Path: "Printers"})
			return err
		}},
		{"printer set", access.Administrator, func(uid int64) error {
			_, err := b.printers(uid).UpdatePrinter(ctx, &apiv1.UpdatePrinterRequest{Name: "p"})
			return err
		}},
	}
	roles := map[int64]access.Role{root: access.Administrator, int64(os.Getuid()): access.Administrator, operator: access.Operator, ann: access.User, unknown: access.User}
	for uid, has := range roles {
		if _, served := b.conns[uid]; !served {
			b.serve(uid)
		}
		st, err := b.hosts(uid).GetStatus(ctx, &apiv1.GetStatusRequest{})
		if err != nil || st.GetRole() != has.String() {
			t.Errorf("caller %d is %q: %v", uid, st.GetRole(), err)
		}
		for _, c := range calls {
			err := spoolgrpc.FromStatus(c.call(uid))
			if (err == nil) != (has >= c.need) || err != nil && !errors.Is(err, spoolerr.Denied) {
				t.Errorf("%s by %s: %v", c.name, has, err)
			}
		}
	}
}

func explain(b *bench, uid int64, kind, name string) (*apiv1.ExplainResponse, error) {
	r, err := b.hosts(uid).Explain(b.Context(), &apiv1.ExplainRequest{Kind: kind, Name: name})
	return r, spoolgrpc.FromStatus(err)
}

func text(r *apiv1.ExplainResponse) string {
	var all strings.Builder
	all.WriteString(r.GetSummary() + "\n")
	for _, e := range r.GetEvents() {
		all.WriteString(e.GetText() + "\n")
	}
	for _, a := range r.GetAdvice() {
		all.WriteString(a + "\n")
	}
	return all.String()
}

func (b *bench) says(uid int64, kind, name string, want ...string) {
	b.Helper()
	r, err := explain(b, uid, kind, name)
	if err != nil {
		b.Errorf("why %s %s: %v", kind, name, err)
		return
	}
	for _, w := range want {
		if !strings.Contains(text(r), w) {
			b.Errorf("why %s %s does not say %q:\n%s", kind, name, w, text(r))
		}
	}
}

func TestExplain(t *testing.T) {
	b := newBench(t)
	b.printer("p", map[string]string{"fail": "end", "only": "1"})
	b.pause("p")
	b.submit(ann, "p", "x")
	b.says(ann, "job", "1", "Job 1 (", "is queued", "is paused", `spoolhost printer resume "p"`, "accepted from")
	b.says(ann, "printer", "P", `Printer "p"`, "is paused", "unfinished jobs: 1", "spoolhost printer resume")
	b.says(ann, "port", "port of p", `monitor "Test Monitor"`, "is idle")
	b.says(ann, "monitor", "test monitor", "is running", "restarted 0 times", "is running as process")
	b.must(b.actions(1)["hold"](b.jobs(ann)))
	b.says(ann, "job", "1", "is held", "spoolhost job release 1", "spoolhost job cancel 1")
	for _, bad := range []struct {
		uid        int64
		kind, name string
		want       spoolerr.Kind
	}{
		{bob, "job", "1", spoolerr.Denied}, {ann, "job", "x", spoolerr.Invalid}, {ann, "job", "9", spoolerr.NotFound},
		{ann, "printer", "q", spoolerr.NotFound}, {ann, "port", "q", spoolerr.NotFound}, {ann, "monitor", "q", spoolerr.NotFound},
		{ann, "weather", "x", spoolerr.Invalid},
	} {
		if _, err := explain(b, bad.uid, bad.kind, bad.name); !errors.Is(err, bad.want) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	// What went wrong with her job is told of the printer, but not to others: it has the title.
	_, err := b.printers(operator).ResumePrinter(t.Context(), &apiv1.ResumePrinterRequest{Name: "p"})
	b.must(err)
	b.must(b.actions(1)["release"](b.jobs(ann)))
	b.until("the job failed once and was printed", func() bool {
		r, err := b.jobs(ann).GetJob(t.Context(), &apiv1.GetJobRequest{Id: 1})
		return err == nil && r.GetJob().GetState() == "printed"
	})
	b.says(ann, "job", "1", "is printed", "attempt 1 at port", "the device refuses", "printed, 1 bytes")
	for uid, sees := range map[int64]bool{ann: true, operator: true, bob: false} {
		r, err := explain(b, uid, "printer", "p")
		if err != nil || strings.Contains(text(r), "secret title") != sees {
			t.Errorf("caller %d sees the title: want %v\n%s %v", uid, sees, text(r), err)
		}
	}
}

func TestServeAfterClose(t *testing.T) {
	s := New(Config{})
	s.Close(t.Context())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(l); err != nil {
		t.Errorf("%v", err)
	}
}

func TestMonitorInUse(t *testing.T) {
	b := newBench(t)
	ctx := t.Context()
	m, err := b.catalog.Get(monitorName)
	b.must(err)
	_, err = b.monitors(root).AddMonitor(ctx, &apiv1.AddMonitorRequest{Name: "Vendor", Module: m.Path, Args: m.Args})
	b.must(err)
	_, err = b.monitors(root).AddMonitor(ctx, &apiv1.AddMonitorRequest{Name: "VENDOR", Module: m.Path, Args: m.Args})
	if !errors.Is(spoolgrpc.FromStatus(err), spoolerr.CodePrintMonitorAlreadyInstalled) {
		t.Errorf("%v", err)
	}
	_, err = b.ports(root).AddPort(ctx, &apiv1.AddPortRequest{Name: "V1", Monitor: "Vendor"})
	b.must(err)
	_, err = b.printers(root).AddPrinter(ctx, &apiv1.AddPrinterRequest{Name: "v", Settings: &apiv1.PrinterSettings{Ports: []string{"V1"}}})
	b.must(err)
	remove := func() error {
		_, err := b.monitors(root).RemoveMonitor(ctx, &apiv1.RemoveMonitorRequest{Name: "vendor"})
		return spoolgrpc.FromStatus(err)
	}
	if err := remove(); spoolerr.CodeOf(err) != spoolerr.CodePrintMonitorInUse || !strings.Contains(err.Error(), `"v"`) {
		t.Errorf("%v", err)
	}
	_, err = b.printers(root).DeletePrinter(ctx, &apiv1.DeletePrinterRequest{Name: "v"})
	b.must(err)
	b.must(remove())
	if err := remove(); !errors.Is(err, spoolerr.CodeUnknownPrintMonitor) {
		t.Errorf("%v", err)
	}
	_, err = b.monitors(root).RemoveMonitor(ctx, &apiv1.RemoveMonitorRequest{Name: monitorName})
	if err == nil || !strings.Contains(err.Error(), "cannot be removed") {
		t.Errorf("a builtin: %v", err)
	}
	_, err = b.monitors(root).AddMonitor(ctx, &apiv1.AddMonitorRequest{Name: "Vendor", Module: m.Path, Args: m.Args})
	b.must(err)
	if v := b.spooler.Ports(); len(v) != 0 {
		t.Errorf("ports of a removed monitor came back: %+v", v)
	}
}
