package lpr

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"

	"github.com/spoolhost/spoolhost/plugins/internal/lpr/lprtest"
	"github.com/spoolhost/spoolhost/plugins/internal/netport"
	"github.com/spoolhost/spoolhost/plugins/internal/ports"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func settingsOf(d *lprtest.Daemon) Settings {
	return Settings{
		Remote: netport.Remote{Host: "127.0.0.1", Port: d.Addr().Port, ConnectTimeout: 5 * time.Second}, Queue: "lp",
		Sender: "NTPRINT", Format: 'l', WriteTimeout: 5 * time.Second, AnswerTimeout: 10 * time.Second,
	}
}

func never() {}

func send(ctx context.Context, s Settings, doc spool.Doc, data []byte) error {
	t, err := Open(ctx, s, doc)
	if err != nil {
		return err
	}
	defer t.Drop()
	for len(data) > 0 {
		n, err := t.Write(ctx, data)
		if err != nil {
			return err
		}
		data = data[n:]
	}
	if err := t.Finish(ctx, never); err != nil {
		return err
	}
	t.Release()
	return nil
}

func TestJobArrives(t *testing.T) {
	for _, first := range []bool{false, true} {
		d := lprtest.New(t, &lprtest.Daemon{})
		s := settingsOf(d)
		s.ControlFirst, s.Banner = first, true
		data := bytes.Repeat([]byte{0, 'x', '\n'}, 1<<20)
		doc := spool.Doc{JobID: 1042, Title: "a\nH evil", User: "ann", Size: int64(len(data))}
		if err := send(t.Context(), s, doc, data); err != nil {
			t.Fatal(err)
		}
		j := d.Job()
		if j.Err != nil || j.Data != string(data) || j.Queue != "lp" || j.DataName != "dfA042NTPRINT" || j.ControlName != "cfA042NTPRINT" {
			t.Errorf("%v %s %s %s, %d bytes", j.Err, j.Queue, j.DataName, j.ControlName, len(j.Data))
		}
		want := "HNTPRINT\nPann\nJa H evil\nLann\nldfA042NTPRINT\nUdfA042NTPRINT\nNa H evil\n"
		if j.Control != want {
			t.Errorf("control file %q", j.Control)
		}
		steps := []string{"job", "data", "data end", "control", "control end"}
		if first {
			steps = []string{"job", "control", "control end", "data", "data end"}
		}
		if !slices.Equal(j.Steps, steps) {
			t.Errorf("steps %v", j.Steps)
		}
	}
}

func TestEmptyDocument(t *testing.T) {
	d := lprtest.New(t, &lprtest.Daemon{})
	if err := send(t.Context(), settingsOf(d), spool.Doc{JobID: 1}, nil); err != nil {
		t.Fatal(err)
	}
	if j := d.Job(); j.Err != nil || len(j.Steps) != 1 {
		t.Errorf("%+v", j)
	}
}

func TestRefusalAtEachStep(t *testing.T) {
	for _, step := range []string{"job", "data", "data end", "control", "control end"} {
		d := lprtest.New(t, &lprtest.Daemon{Says: "lp: unknown printer\n", Refuse: func(s string) byte {
			if s == step {
				return 1
			}
			return 0
		}})
		err := send(t.Context(), settingsOf(d), spool.Doc{JobID: 1, Size: 3}, []byte("abc"))
		if !errors.Is(err, spoolerr.Unavailable) {
			t.Fatalf("%s: %v", step, err)
		}
		for _, words := range []string{"refused", `"lp"`, "code 1: lp: unknown printer", "check", strings.Fields(step)[0]} {
			if !strings.Contains(err.Error(), words) {
				t.Errorf("%s: %q does not say %q", step, err, words)
			}
		}
		d.Job()
	}
}

func TestRefusalInWords(t *testing.T) {
	d := lprtest.New(t, &lprtest.Daemon{Says: "o such printer\n", Refuse: func(string) byte { return 'N' }})
	err := send(t.Context(), settingsOf(d), spool.Doc{JobID: 1, Size: 3}, []byte("abc"))
	if err == nil || !strings.Contains(err.Error(), "No such printer") {
		t.Error(err)
	}
}

func TestWrongLengths(t *testing.T) {
	d := lprtest.New(t, &lprtest.Daemon{})
	if err := send(t.Context(), settingsOf(d), spool.Doc{JobID: 1, Size: 3}, []byte("abcd")); !errors.Is(err, spoolerr.Invalid) {
		t.Error(err)
	}
	if err := send(t.Context(), settingsOf(d), spool.Doc{JobID: 1, Size: 3}, []byte("ab")); !errors.Is(err, spoolerr.Invalid) {
		t.Error(err)
	}
	for range 2 {
		if j := d.Job(); j.Err == nil {
			t.Error("half a job was taken for whole")
		}
	}
}

// A daemon that does not answer ends each step: by its time-out, by the call's deadline,
// and at once when the call is given up.
func TestNoAnswer(t *testing.T) {
	for _, step := range []string{"job", "data", "data end", "control", "control end"} {
		stuck := make(chan struct{})
		goOn := make(chan struct{})
		d := lprtest.New(t, &lprtest.Daemon{Refuse: func(s string) byte {
			if s == step {
				stuck <- struct{}{}
				<-goOn
			}
			return 0
		}})
		s := settingsOf(d)
		s.AnswerTimeout = 30 * time.Millisecond
		failed := make(chan error, 1)
		go func() { failed <- send(t.Context(), s, spool.Doc{JobID: 1, Size: 3}, []byte("abc")) }()
		<-stuck
		if err := <-failed; !errors.Is(err, spoolerr.CodeTimeout) || !strings.Contains(err.Error(), "answerTimeout") {
			t.Errorf("%s: %v", step, err)
		}
		goOn <- struct{}{}
		d.Job()

		s.AnswerTimeout = time.Hour
		ctx, cancel := context.WithCancel(t.Context())
		go func() { failed <- send(ctx, s, spool.Doc{JobID: 1, Size: 3}, []byte("abc")) }()
		<-stuck
		cancel()
		if err := <-failed; !errors.Is(err, spoolerr.Cancelled) {
			t.Errorf("%s: %v", step, err)
		}
		close(goOn)
		d.Job()
	}
}

// Drop ends a transfer under another goroutine's hands, and the daemon does not take the
// rest for a job.
func TestDropInWrite(t *testing.T) {
	took := make(chan struct{})
	goOn := make(chan struct{})
	d := lprtest.New(t, &lprtest.Daemon{Before: func() { close(took); <-goOn }})
	s := settingsOf(d)
	s.WriteTimeout = time.Hour
	data := make([]byte, 64<<20)
	target, err := Open(t.Context(), s, spool.Doc{JobID: 1, Size: int64(len(data))})
	if err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	go func() {
		_, err := target.Write(t.Context(), data)
		failed <- err
	}()
	<-took
	target.Drop()
	if err := <-failed; !errors.Is(err, spoolerr.BadHandle) {
		t.Error(err)
	}
	close(goOn)
	if j := d.Job(); j.Err == nil {
		t.Error("half a job was taken for whole")
	}
	target.Drop()
}

func TestQueueState(t *testing.T) {
	d := lprtest.New(t, &lprtest.Daemon{State: "lp is ready\r\n\x1b[31mno entries\n" + strings.Repeat("x", 10_000)})
	text, err := QueueState(t.Context(), settingsOf(d))
	if err != nil || !strings.HasPrefix(text, "lp is ready\n") || strings.ContainsRune(text, 0x1b) || len(text) > 4<<10 {
		t.Errorf("%q %v", text, err)
	}
}

var _ ports.Target = (*transfer)(nil)

func FuzzControlFile(f *testing.F) {
	f.Add("title", "user", "NTPRINT", uint64(7))
	f.Add("a\nb", "\xff\x00", "..", uint64(1<<63))
	f.Fuzz(func(t *testing.T, title, user, sender string, job uint64) {
		s := Settings{Sender: sender, Format: 'l', Banner: true}
		n := jobNames(job, senderName(sender))
		text := s.controlFile(spool.Doc{Title: title, User: user}, n)
		rows := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		var codes string
		for _, row := range rows {
			if len(row) < 2 || len(row) > 132 || !utf8.ValidString(row) {
				t.Fatalf("row %q", row)
			}
			codes += row[:1]
		}
		if codes != "HPJLlUN" {
			t.Errorf("%q", text)
		}
		if strings.ContainsAny(n.data, " /\n") || len(n.data) > 37 {
			t.Errorf("name %q", n.data)
		}
	})
}
