package host

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// watched is a storageWatch whose probe answers what the test says.
func watched(answer *error) (s *storageWatch, told *[]string) {
	at := time.Unix(0, 0)
	told = new([]string)
	s = newStorageWatch("/srv", func() error { return *answer }, func() time.Time { at = at.Add(time.Minute); return at })
	s.say = func(severity eventlog.Severity, text string) { *told = append(*told, severity.String()+" "+text) }
	return s, told
}

// TestStorageIsToldOnce: one event when the directory becomes unusable, one for another
// reason, none for other details of the same, and one when it is usable again.
func TestStorageIsToldOnce(t *testing.T) {
	readonly := spoolerr.New(spoolerr.Unavailable, 0, "shared directory /srv is read-only; mount it read-write")
	nearly := func(left string) error {
		return spoolerr.New(spoolerr.NoSpace, 0, "shared directory /srv is nearly full; %s are left", left)
	}
	var answer error
	s, told := watched(&answer)
	for _, next := range []error{nil, readonly, readonly, nearly("9 MiB"), nearly("8 MiB"), nil, nil} {
		answer = next
		s.look(t.Context())
		if got := s.problem(); (next == nil) != (got == "") || next != nil && got != next.Error() {
			t.Errorf("at %v: %q", next, got)
		}
	}
	want := []string{"error", "error", "info shared directory /srv can be used again, after 1m0s"}
	if !slices.EqualFunc(*told, want, strings.HasPrefix) || !strings.Contains((*told)[0], "read-only") || !strings.Contains((*told)[1], "nearly full") {
		t.Errorf("%q", *told)
	}
}

// TestStorageThatIsSilent: a probe that hangs is a problem, and is not asked again before it
// has come back.
func TestStorageThatIsSilent(t *testing.T) {
	var none error
	s, _ := watched(&none)
	answers, asked := make(chan error), 0
	s.probe = func() error { asked++; return <-answers }
	s.patience = 10 * time.Millisecond
	for range 3 {
		s.look(t.Context())
		if !strings.Contains(s.problem(), "does not answer") {
			t.Errorf("%q", s.problem())
		}
	}
	s.patience = time.Minute
	go func() { answers <- nil }()
	if s.look(t.Context()); s.problem() != "" || asked != 1 {
		t.Errorf("after it came back: %q, asked %d times", s.problem(), asked)
	}
}

// TestStorageIsAskedForAtOnce: what could not be written has it looked at, and a host that
// stops waits for no silent file system.
func TestStorageIsAskedForAtOnce(t *testing.T) {
	var none error
	s, _ := watched(&none)
	ctx, stop := context.WithCancel(t.Context())
	looked, hang := make(chan bool, 1), make(chan bool)
	s.probe = func() error {
		select {
		case looked <- true:
			return nil
		case <-hang:
			return errors.New("too late")
		}
	}
	ended := make(chan bool)
	go func() { defer close(ended); s.run(ctx) }()
	for range 2 {
		s.failed(errors.New("no room"))
		<-looked
	}
	looked <- true // the next probe hangs
	s.failed(errors.New("no room"))
	stop()
	<-ended
	close(hang)
}
