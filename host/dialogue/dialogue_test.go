package dialogue

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	hostservicev1 "github.com/spoolhost/spoolhost/proto/spoolhost/hostservice/v1"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/monitorui/form"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
	"github.com/spoolhost/spoolhost/sdk/wire/monitoruiwire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// session is a server module that keeps what it hears.
type session struct {
	heard []string
	err   error
}

func (s *session) Data(_ context.Context, name string, in []byte) ([]byte, error) {
	s.heard = append(s.heard, name+" "+string(in))
	return in, s.err
}

func newLink(s *session, op monitoruiwire.Operation) *link {
	l := &link{token: "t", subject: Subject{Operation: op, Monitor: "M", Session: s}, watch: newWatch(time.Hour, func() {})}
	return l
}

func (l *link) send(t *testing.T, token, name string, in []byte) error {
	t.Helper()
	_, err := l.XcvData(t.Context(), &hostservicev1.XcvDataRequest{Token: token, DataName: name, Input: in})
	return spoolgrpc.FromStatus(err)
}

// TestTakeBack: what a dialogue has added and not deleted again goes when it fails.
func TestTakeBack(t *testing.T) {
	s := &session{}
	l := newLink(s, monitoruiwire.AddPort)
	for _, c := range [][2]string{{"AddPort", "A"}, {"AddPort", "B"}, {"addport", "C"}, {"DeletePort", "a"}} {
		if err := l.send(t, "t", c[0], portconfig.EncodeText(c[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(l.confirm("B"), l.confirm("c")); err != nil {
		t.Error(err)
	}
	if err := l.confirm("A"); spoolerr.KindOf(err) != spoolerr.Internal {
		t.Errorf("an outcome that is a lie: %v", err)
	}
	s.heard = nil
	l.close()
	failed := spoolerr.New(spoolerr.Cancelled, 0, "cancelled")
	if err := l.takeBack(time.Minute, failed); !errors.Is(err, spoolerr.Cancelled) {
		t.Error(err)
	}
	if got := strings.Join(s.heard, ";"); got != `DeletePort {"name":"B"};DeletePort {"name":"C"}` {
		t.Errorf("taken back: %s", got)
	}
	s.err = spoolerr.New(spoolerr.Busy, 0, "in use")
	if err := l.takeBack(time.Minute, failed); spoolerr.KindOf(err) != spoolerr.Precondition || !strings.Contains(err.Error(), `"B", which it had added`) {
		t.Errorf("what is left behind: %v", err)
	}
}

func TestLinkRefuses(t *testing.T) {
	s := &session{}
	l := newLink(s, monitoruiwire.AddPort)
	for _, token := range []string{"", "T", "tt"} {
		if err := l.send(t, token, "AddPort", nil); !errors.Is(err, spoolerr.BadHandle) {
			t.Errorf("token %q: %v", token, err)
		}
	}
	for range maxCommands {
		if err := l.send(t, "t", "x", nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.send(t, "t", "x", nil); !errors.Is(err, spoolerr.Exhausted) || len(s.heard) != maxCommands {
		t.Errorf("after %d commands: %v", len(s.heard), err)
	}
	l.close()
	if err := l.send(t, "t", "x", nil); !errors.Is(err, spoolerr.BadHandle) {
		t.Errorf("after the dialogue: %v", err)
	}
	denied := newLink(&session{err: spoolerr.New(spoolerr.Denied, 0, "no")}, monitoruiwire.AddPort)
	if err := denied.send(t, "t", "AddPort", portconfig.EncodeText("A")); !errors.Is(err, spoolerr.CodeAccessDenied) || len(denied.added) > 0 {
		t.Errorf("a refused command: %v, noted %v", err, denied.added)
	}
}

// slow is a person who never answers.
type slow struct{ monitoruiwire.Person }

func (slow) Ask(ctx context.Context, _ form.Page) (form.Answers, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestPersonWhoNeverAnswers(t *testing.T) {
	p := &patient{Person: slow{}, watch: newWatch(time.Hour, func() {}), idle: 10 * time.Millisecond}
	if _, err := p.Ask(t.Context(), form.Page{Title: "Name"}); spoolerr.KindOf(err) != spoolerr.TimedOut || !strings.Contains(err.Error(), "Name") {
		t.Errorf("error %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Ask(gone, form.Page{Title: "Name"}); !errors.Is(err, context.Canceled) {
		t.Errorf("a person who is gone: %v", err)
	}
}

// TestWatch: only a module's own time counts.
func TestWatch(t *testing.T) {
	expired := make(chan struct{})
	w := newWatch(time.Millisecond, func() { close(expired) })
	w.pause()
	w.resume() // still at rest, as it began
	if w.timer != nil {
		t.Error("it measures before the module works")
	}
	w.resume()
	select {
	case <-expired:
	case <-time.After(30 * time.Second):
		t.Error("it never expires")
	}
	w.end()
	if w.timer != nil {
		t.Error("it measures after the end")
	}
}

func TestFind(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		kind spoolerr.Kind
		say  string
	}{
		"none":    {spoolerr.New(spoolerr.Invalid, 0, "unknown data name"), spoolerr.Unsupported, "--set"},
		"not now": {spoolerr.New(spoolerr.Exited, 0, "the monitor died"), spoolerr.Exited, "does not name its UI"},
		"no text": {nil, spoolerr.Invalid, "does not name its UI"},
	} {
		_, err := find(t.Context(), Config{}, Subject{Monitor: "M", Session: &session{err: c.err}})
		if spoolerr.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.say) || !strings.Contains(err.Error(), `"M"`) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
