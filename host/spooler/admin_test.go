package spooler_test

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spoolhost/spoolhost/host"
	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/hosttest"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/spooler"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// wants checks an error's kind and code, and that it names the object.
func wants(t *testing.T, err error, k spoolerr.Kind, c spoolerr.Code, name string) {
	t.Helper()
	if !errors.Is(err, k) || c != 0 && spoolerr.CodeOf(err) != c || !strings.Contains(err.Error(), name) {
		t.Errorf("%v (kind %v, code %d); want kind %v, code %d, and %q in it", err, spoolerr.KindOf(err), spoolerr.CodeOf(err), k, c, name)
	}
}

func TestDuplicateNames(t *testing.T) {
	n := boot(t, nil)
	n.port("Lobby")
	n.printer("Hall Ä", "lobby")
	wants(t, n.node().AddPort(t.Context(), "LOBBY", monitorName, nil), spoolerr.Exists, 0, "LOBBY")
	wants(t, n.node().AddPrinter(t.Context(), "hall ä", spooler.Settings{Ports: []string{"Lobby"}}), spoolerr.Exists,
		spoolerr.CodePrinterAlreadyExists, "hall ä")
	if v := n.node().Printers(); len(v) != 1 || v[0].Name != "Hall Ä" {
		t.Errorf("%+v", v)
	}
	n.restart()
	if v, err := n.node().Printer("HALL Ä"); err != nil || v.Ports[0] != "lobby" {
		t.Errorf("%+v %v", v, err)
	}
}

func TestBadNames(t *testing.T) {
	n := boot(t, nil)
	n.port("A")
	for _, name := range []string{"", " a", "a\nb", `a\b`, "a,b", "a/b", "\xff", strings.Repeat("n", 300), "a\x1b[31m"} {
		err := n.node().AddPrinter(t.Context(), name, spooler.Settings{Ports: []string{"A"}})
		wants(t, err, spoolerr.Invalid, spoolerr.CodeInvalidName, "printer name")
		if strings.ContainsAny(err.Error(), "\x1b\n") {
			t.Errorf("%q", err)
		}
	}
	for _, name := range []string{"", "a\nb", "a,b", "\xff", strings.Repeat("n", 300)} {
		wants(t, n.node().AddPort(t.Context(), name, monitorName, nil), spoolerr.Invalid, spoolerr.CodeInvalidName, "port name")
	}
	if len(n.node().Printers()) != 0 || len(n.node().Ports()) != 1 {
		t.Error("something was added")
	}
}

func TestUnknownNames(t *testing.T) {
	n := boot(t, nil)
	ctx := t.Context()
	n.port("A")
	n.printer("p", "A")
	s := n.node()
	_, submitErr := s.Submit(ctx, spooler.Submission{Printer: "nowhere"}, strings.NewReader("x"))
	wants(t, submitErr, spoolerr.NotFound, spoolerr.CodeInvalidPrinterName, `"nowhere"`)
	for _, err := range []error{
		s.PausePrinter(ctx, "nowhere"), s.ResumePrinter(ctx, "nowhere"), s.DeletePrinter(ctx, "nowhere"),
		s.UpdatePrinter(ctx, "nowhere", spooler.Settings{}),
	} {
		wants(t, err, spoolerr.NotFound, spoolerr.CodeInvalidPrinterName, `"nowhere"`)
	}
	wants(t, s.AddPrinter(ctx, "q", spooler.Settings{Ports: []string{"A", "B"}}), spoolerr.NotFound, spoolerr.CodeUnknownPort, `"B"`)
	wants(t, s.AddPrinter(ctx, "q", spooler.Settings{}), spoolerr.Invalid, spoolerr.CodeUnknownPort, `"q"`)
	wants(t, s.AddPrinter(ctx, "q", spooler.Settings{Ports: []string{"A", "a"}}), spoolerr.Invalid, 0, "twice")
	wants(t, s.UpdatePrinter(ctx, "p", spooler.Settings{Policy: ptr("perhaps")}), spoolerr.Invalid, 0, `"perhaps"`)
	wants(t, s.UpdatePrinter(ctx, "p", spooler.Settings{StartTime: ptr[uint32](1440)}), spoolerr.Invalid, spoolerr.CodeInvalidTime, "1440")
	wants(t, s.UpdatePrinter(ctx, "p", spooler.Settings{Comment: ptr("a\x00")}), spoolerr.Invalid, 0, "comment")
	wants(t, s.DeletePort(ctx, "B"), spoolerr.NotFound, spoolerr.CodeUnknownPort, `"B"`)
	wants(t, s.AddPort(ctx, "B", "No Monitor", nil), spoolerr.NotFound, spoolerr.CodeUnknownPrintMonitor, `"No Monitor"`)
	wants(t, s.CancelJob(ctx, 99, "ann"), spoolerr.NotFound, 0, "99")
}

func TestBadSubmissions(t *testing.T) {
	n := boot(t, nil)
	n.port("A")
	n.printer("p", "A")
	submit := func(sub spooler.Submission, body io.Reader) error {
		sub.Printer = "p"
		_, err := n.node().Submit(t.Context(), sub, body)
		return err
	}
	doc := strings.NewReader("x")
	wants(t, submit(spooler.Submission{}, strings.NewReader("")), spoolerr.Invalid, spoolerr.CodeInvalidData, "empty")
	wants(t, submit(spooler.Submission{}, io.MultiReader(doc, brokenBody{})), spoolerr.Cancelled, 0, `"p"`)
	wants(t, submit(spooler.Submission{Datatype: "EMF"}, doc), spoolerr.Invalid, spoolerr.CodeInvalidDatatype, `"EMF"`)
	wants(t, submit(spooler.Submission{Title: "a\nb"}, doc), spoolerr.Invalid, 0, "title")
	wants(t, submit(spooler.Submission{StartTime: 2000}, doc), spoolerr.Invalid, spoolerr.CodeInvalidTime, "2000")
	if left := n.documents(); len(left) != 0 || len(n.node().Queue().Active("")) != 0 {
		t.Errorf("left %v", left)
	}
}

type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { return 0, context.Canceled }

func TestDeleteInUse(t *testing.T) {
	n, dev := boot(t, nil), newShutSink(t)
	ctx := t.Context()
	n.port("A", "to", dev.to())
	n.port("B")
	n.printer("p", "A")
	n.printer("q", "B")
	wants(t, n.node().DeletePort(ctx, "a"), spoolerr.Busy, spoolerr.CodeBusy, `"p"`)
	running := n.submit("p", paper("x", big))
	n.sending(running)
	wants(t, n.node().DeletePrinter(ctx, "p"), spoolerr.Precondition, spoolerr.CodePrinterHasJobsQueued, `"p"`)
	// A job that is on its way to a printer keeps it as well.
	n.ok(n.node().PausePrinter(ctx, "q"))
	if _, err := n.node().Queue().Move(ctx, running, "q"); err != nil { // its attempt is not stopped
		t.Fatal(err)
	}
	wants(t, n.node().DeletePrinter(ctx, "q"), spoolerr.Precondition, spoolerr.CodePrinterHasJobsQueued, `"q"`)
	dev.open()
	n.printed(running)
	n.ok(n.node().DeletePrinter(ctx, "p"))
	n.ok(n.node().DeletePrinter(ctx, "q"))
	n.until("the ports are free", func() bool { return n.node().DeletePort(ctx, "A") == nil })
	n.restart()
	if v := n.node().Ports(); len(v) != 1 || v[0].Name != "B" || len(n.node().Printers()) != 0 {
		t.Errorf("%+v", v)
	}
}

func TestPortOfADeletedPrinterIsClosed(t *testing.T) {
	n, dev := boot(t, nil), newSink(t)
	n.port("A", "to", dev.to())
	n.port("B", "to", dev.to())
	n.printer("p", "A")
	n.until("A is open", func() bool { v, _ := n.node().Port("A"); return v.State == "idle" })
	n.set("p", spooler.Settings{Ports: []string{"B"}})
	n.until("B is open and A closed", func() bool {
		a, _ := n.node().Port("A")
		b, _ := n.node().Port("B")
		return a.State == "closed" && b.State == "idle"
	})
	n.ok(n.node().DeletePrinter(t.Context(), "p"))
	n.until("B is closed", func() bool { v, _ := n.node().Port("B"); return v.State == "closed" })
}

func TestPrinterOfAMissingMonitor(t *testing.T) {
	with := true
	other := hosttest.Monitor("Other Monitor")
	n := boot(t, func(c *host.Config) {
		if with {
			c.Builtins = []catalog.Monitor{other}
		}
	})
	n.portOf(other.Name, "A")
	n.printer("p", "A")
	with = false
	n.restart()
	v, err := n.node().Printer("p")
	if err != nil || v.State != "missing" || !strings.Contains(v.Reason, "no monitor has this port") {
		t.Errorf("%+v %v", v, err)
	}
	id := n.submit("p", paper("x", 10)) // accepted, and kept until the monitor is back
	if problems := n.node().Problems(); len(problems) != 1 || !strings.Contains(problems[0], `"p"`) {
		t.Errorf("%v", problems)
	}
	with = true
	n.restart()
	n.printed(id)
	n.ok(n.node().DeletePrinter(t.Context(), "p"))
}

func TestPortThatIsGoneGoesWithItsPrinter(t *testing.T) {
	with := true
	n := boot(t, func(c *host.Config) {
		if with {
			c.Builtins = []catalog.Monitor{hosttest.Monitor("Other Monitor")}
		}
	})
	n.portOf("Other Monitor", "A")
	n.printer("p", "A")
	with = false
	n.restart()
	n.ok(n.node().DeletePrinter(t.Context(), "p"))
	if v := n.node().Ports(); len(v) != 0 {
		t.Errorf("%+v", v)
	}
}

func TestDataDirectoryInUse(t *testing.T) {
	n := boot(t, nil)
	_, err := host.New(t.Context(), n.config())
	wants(t, err, spoolerr.Busy, 0, filepath.Join(n.dir, "data"))
	n.port("A") // and the first host goes on
}

// A second Close must not take the runtime directory of the next host away.
func TestCloseTwice(t *testing.T) {
	n := boot(t, nil)
	first := n.host
	n.halt()
	n.start()
	n.ok(first.Close())
	n.port("A")
	n.kill() // the next incarnation needs the directory
	n.until("the monitor is back", func() bool { v, _ := n.node().Monitor(monitorName); return v.State == "running" && v.Restarts == 1 })
}

func TestSettingsSurvive(t *testing.T) {
	n := boot(t, nil)
	n.port("A")
	n.printer("p", "A")
	n.set("p", spooler.Settings{
		Comment: ptr("by the window"), Location: ptr("hall"), Policy: ptr("hold"), MaxAttempts: ptr[uint32](7), Priority: ptr[uint32](9),
		DefaultPriority: ptr[uint32](12), StartTime: ptr[uint32](60), UntilTime: ptr[uint32](120), KeepPrinted: ptr(true),
	})
	before, _ := n.node().Printer("p")
	n.restart()
	after, _ := n.node().Printer("p")
	before.State, before.Reason, after.State, after.Reason = "", "", "", ""
	if !before.Created.Equal(after.Created) {
		t.Errorf("created %v, then %v", before.Created, after.Created)
	}
	after.Created = before.Created
	if b, a := before, after; b.Comment != a.Comment || b.Location != a.Location || b.Policy != a.Policy || b.MaxAttempts != a.MaxAttempts ||
		b.Priority != a.Priority || b.DefaultPriority != a.DefaultPriority || b.StartTime != a.StartTime || b.UntilTime != a.UntilTime || b.KeepPrinted != a.KeepPrinted {
		t.Errorf("%+v\nthen %+v", before, after)
	}
	id := n.submitAs(spooler.Submission{Printer: "p", Hold: true}, paper("x", 10))
	if j := n.job(id); j.Priority != 12 || j.State != job.Held {
		t.Errorf("%+v", j)
	}
}
