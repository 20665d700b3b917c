package lprmon

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/spoolhost/spoolhost/plugins/internal/lpr/lprtest"
	"github.com/spoolhost/spoolhost/plugins/internal/montest"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newBench(t *testing.T) *montest.Bench { return montest.NewBench(t, Name, Initialize) }

func TestDocumentsArrive(t *testing.T) {
	b := newBench(t)
	d := lprtest.New(t, &lprtest.Daemon{})
	p := b.Open("remote:lp", d.Settings("format", "f", "banner", "true", "controlFirst", "true"))
	for job, data := range []string{"one", strings.Repeat("two\x00", 1<<20)} {
		doc := spool.Doc{JobID: uint64(job + 1), Attempt: 1, Title: "t", User: "ann"}
		if err := montest.Print(t.Context(), p, doc, data); err != nil {
			t.Fatal(err)
		}
		if j := d.Job(); j.Err != nil || j.Data != data || !strings.Contains(j.Control, "Lann\nfdfA00") || j.Steps[1] != "control" {
			t.Errorf("job %d: %v %q", job, j.Err, j.Control)
		}
	}
	if n := len(b.Host.Jobs()); n != 2 {
		t.Errorf("%d jobs reported", n)
	}
}

func TestAbortedDocumentIsNotPrinted(t *testing.T) {
	b := newBench(t)
	d := lprtest.New(t, &lprtest.Daemon{})
	p := b.Open("remote:lp", d.Settings())
	if err := p.StartDoc(t.Context(), spool.Doc{JobID: 1, Size: 10}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Write(t.Context(), []byte("half")); err != nil {
		t.Fatal(err)
	}
	if err := p.EndDoc(t.Context(), spool.JobStatusDeleting); err != nil {
		t.Error(err)
	}
	if j := d.Job(); j.Err == nil {
		t.Error("half a document was taken for whole")
	}
	if len(b.Host.Jobs()) != 0 {
		t.Error("reported as sent")
	}
}

func TestRefusedJob(t *testing.T) {
	b := newBench(t)
	d := lprtest.New(t, &lprtest.Daemon{Refuse: func(string) byte { return 1 }})
	p := b.Open("remote:lp", d.Settings())
	err := p.StartDoc(t.Context(), spool.Doc{JobID: 1, Size: 1})
	montest.WantError(t, err, spoolerr.Unavailable, spoolerr.CodeAccessDenied, `"remote:lp"`, "code 1", "queue")
	if _, err := p.Write(t.Context(), []byte("x")); !errors.Is(err, spoolerr.CodeNoStartDoc) {
		t.Error(err)
	}
}

// A printer without paper stops taking data: the document waits, in calls that return.
func TestPaperOut(t *testing.T) {
	b := newBench(t)
	paper := make(chan struct{})
	d := lprtest.New(t, &lprtest.Daemon{Before: func() { <-paper }})
	p := b.Open("remote:lp", d.Settings("writeTimeout", "20ms"))
	data := make([]byte, 64<<20)
	if err := p.StartDoc(t.Context(), spool.Doc{JobID: 1, Size: int64(len(data))}); err != nil {
		t.Fatal(err)
	}
	sent := 0
	for {
		n, err := p.Write(t.Context(), data[sent:])
		sent += n
		if errors.Is(err, spoolerr.NotReady) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if r := b.Host.Ports(); len(r) != 2 || r[1].Status.Severity != spool.SeverityWarning || !strings.Contains(r[1].Status.Text, "paper") {
		t.Errorf("%v", r)
	}
	close(paper)
	for sent < len(data) {
		n, err := p.Write(t.Context(), data[sent:])
		if sent += n; err != nil && !errors.Is(err, spoolerr.NotReady) {
			t.Fatal(err)
		}
	}
	if err := p.EndDoc(t.Context(), 0); err != nil {
		t.Error(err)
	}
	if j := d.Job(); len(j.Data) != len(data) || j.Err != nil {
		t.Errorf("%d bytes, %v", len(j.Data), j.Err)
	}
	if r := b.Host.Ports(); !r[len(r)-1].Status.Clear() {
		t.Errorf("%v", r)
	}
}

// Close and Shutdown end a call that waits for the daemon.
func TestCloseWhileTheDaemonIsSilent(t *testing.T) {
	for _, how := range []string{"close", "shutdown"} {
		b := newBench(t)
		asked, goOn := make(chan struct{}), make(chan struct{})
		d := lprtest.New(t, &lprtest.Daemon{Refuse: func(step string) byte {
			if step == "data end" {
				close(asked)
				<-goOn
			}
			return 0
		}})
		p := b.Open("remote:lp", d.Settings("answerTimeout", "1h"))
		failed := make(chan error, 1)
		go func() { failed <- montest.Print(context.Background(), p, spool.Doc{JobID: 1}, "abc") }()
		<-asked
		if how == "close" {
			p.Close(t.Context())
		} else {
			b.Monitor.Shutdown(t.Context())
		}
		montest.WantError(t, <-failed, spoolerr.BadHandle, spoolerr.CodeInvalidHandle, "closed")
		close(goOn)
		d.Job()
	}
}

func TestSettings(t *testing.T) {
	b := newBench(t)
	given := map[string]string{
		"host": "printer", "port": "1515", "queue": "lp", "sender": "me.example", "connectTimeout": "1s", "writeTimeout": "2s",
		"answerTimeout": "3s", "keepAlive": "4s", "format": "o", "controlFirst": "true", "reservedPort": "true", "banner": "true",
	}
	if err := b.Add("p", given); err != nil {
		t.Fatal(err)
	}
	if got := b.Settings("p"); !maps.Equal(got, given) {
		t.Errorf("%v", got)
	}
	for key, value := range map[string]string{
		"queue": "", "host": "a b", "format": "x", "sender": "a/b", "answerTimeout": "0", "banner": "perhaps", "colour": "red",
	} {
		settings := map[string]string{"host": "printer", "queue": "lp"}
		settings[key] = value
		montest.WantError(t, b.Add("q", settings), spoolerr.Invalid, spoolerr.CodeInvalidData, key)
	}
}

// Windows' tools send the name alone, and it says everything.
func TestNameIsHostAndQueue(t *testing.T) {
	b := newBench(t)
	if err := b.Admin(portconfig.AddPort, portconfig.EncodeText("unix.example:laser")); err != nil {
		t.Fatal(err)
	}
	infos, err := b.Monitor.EnumPorts(t.Context())
	if err != nil || len(infos) != 1 || infos[0].Description != "lpr unix.example:515 queue laser" {
		t.Errorf("%v %v", infos, err)
	}
	for _, name := range []string{"laser", ":laser", "unix:", "unix:a b"} {
		montest.WantError(t, b.Admin(portconfig.AddPort, portconfig.EncodeText(name)), spoolerr.Invalid, spoolerr.CodeInvalidData)
	}
}

func TestCheckPrinterAndQueueStatus(t *testing.T) {
	b := newBench(t)
	d := lprtest.New(t, &lprtest.Daemon{State: "lp is ready\nno entries\n"})
	if err := b.Add("remote:lp", d.Settings()); err != nil {
		t.Fatal(err)
	}
	if out, err := b.Xcv(0, "", "CheckPrinter", portconfig.EncodeText("remote:lp")); err != nil || len(out) != 0 {
		t.Errorf("%x %v", out, err)
	}
	out, err := b.Xcv(0, "remote:lp", "QueueStatus", nil)
	if text, _ := portconfig.DecodeText(out); err != nil || text != "lp is ready\nno entries" {
		t.Errorf("%q %v", text, err)
	}
	if err := b.Add("gone:lp", map[string]string{"host": "127.0.0.1", "port": "1", "queue": "lp", "connectTimeout": "1s"}); err != nil {
		t.Fatal(err)
	}
	_, err = b.Xcv(0, "gone:lp", "CheckPrinter", nil)
	montest.WantError(t, err, spoolerr.Unavailable, spoolerr.CodeConnectionRefused, "gone:lp")
	_, err = b.Xcv(0, "gone:lp", portconfig.MonitorUI, nil)
	montest.WantError(t, err, spoolerr.Unsupported, spoolerr.CodeNotSupported, "setting")
}

func FuzzXcv(f *testing.F) {
	for _, name := range []string{"AddPort", "ConfigPort", "DeletePort", "GetConfigInfo"} {
		f.Add(name, "", portconfig.Encode("lp1", map[string]string{"host": "a", "queue": "b"}))
		f.Add(name, "lp1", portconfig.EncodeText("a:b"))
	}
	f.Fuzz(func(t *testing.T, name, object string, in []byte) {
		if name == "CheckPrinter" || name == "QueueStatus" {
			return // they go to the network
		}
		b := newBench(t)
		b.Add("lp1", map[string]string{"host": "printer", "queue": "lp"})
		b.Xcv(spool.ServerAccessAdminister, object, name, in)
		infos, err := b.Monitor.EnumPorts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, info := range infos {
			if strings.HasPrefix(info.Description, "damaged") || spool.CheckPortName(info.Name) != nil {
				t.Errorf("%+v", info)
			}
		}
	})
}
