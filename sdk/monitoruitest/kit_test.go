package monitoruitest_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/spoolhost/spoolhost/sdk/mockmonitor"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/monitortest"
	"github.com/spoolhost/spoolhost/sdk/monitorui"
	"github.com/spoolhost/spoolhost/sdk/monitorui/form"
	"github.com/spoolhost/spoolhost/sdk/monitoruitest"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

const argument = "spoolhost-test-ui"

func TestMain(m *testing.M) {
	mockmonitor.ServeIfAsked(mockmonitor.Options{})
	if len(os.Args) > 1 && os.Args[1] == argument {
		monitorui.Serve(ui{fault: strings.Join(os.Args[2:], " ")}, monitorui.Name("kit's ui"))
	}
	goleak.VerifyTestMain(m)
}

// ui is a UI of mockmonitor that keeps every rule but the one that its fault names.
type ui struct {
	fault string
	// over is closed when the test is over, and stay waits for what is still in it.
	over chan struct{}
	stay *sync.WaitGroup
}

func (u ui) is(fault string) bool { return u.fault == fault }

func (u ui) page(title string, settings map[string]string) form.Page {
	return form.Page{Title: title, Fields: []form.Field{
		{Name: "name", Label: "Name", Required: title == "Add", Default: settings["name"], MaxLength: spool.MaxNameLen},
		{Name: "short", Label: "Short", Type: form.Number, Min: 1, Max: 9, Default: settings["short"]},
		{Name: "password", Label: "Password", Type: form.Secret},
	}}
}

func (u ui) AddPort(ctx context.Context, d monitorui.Dialogue) (string, error) {
	page := u.page("Add", map[string]string{"short": "5"})
	if u.is("bad page") {
		page.Fields[1].Default = "10"
	}
	if u.is("meddles") {
		meddle(ctx)
	}
	for {
		answers, err := d.Ask(ctx, page)
		if err != nil {
			return u.gaveUp(ctx, err)
		}
		name := answers.Text("name")
		if u.is("tells") {
			_ = d.Inform(ctx, "the password is "+answers.Text("password"))
		}
		if u.is("logs") {
			d.Subject().Logger.Info("adding", "password", answers.Text("password"))
		}
		if u.is("adds nothing") {
			return name, nil
		}
		input := portconfig.Encode(name, answers.Settings("name", "password"))
		if u.is("adds early") {
			if _, err := d.Xcv(ctx, "AddPort", input); err != nil {
				return "", err
			}
		}
		if _, err := d.Ask(ctx, form.Page{Title: "Ready?"}); err != nil {
			return u.gaveUp(ctx, err)
		}
		if u.is("adds early") {
			return name, nil
		}
		_, err = d.Xcv(ctx, "AddPort", input)
		switch {
		case u.is("ignores errors") || err == nil:
			return name, nil
		case u.is("hides errors"):
			return "", spoolerr.New(spoolerr.Invalid, 0, "something went wrong")
		case u.is("hides access"):
			return "", spoolerr.New(spoolerr.Exists, 0, "the kit refuses this port")
		case spoolerr.KindOf(err) == spoolerr.Exists:
			page = page.With(answers).Refuse("name", err.Error())
		default:
			return "", err
		}
	}
}

// meddle reports a document as printed.
func meddle(ctx context.Context) {
	conn, err := grpc.NewClient("unix:"+os.Getenv(wire.EnvHostAddr), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err == nil {
		_ = wire.NewHost(conn).Spooler("x").SetJob(ctx, 1, spool.JobControlSentToPrinter)
		_ = conn.Close()
	}
}

// gaveUp is the end of a cancelled dialogue.
func (u ui) gaveUp(ctx context.Context, err error) (string, error) {
	if u.is("stays") && ctx.Err() != nil {
		u.stay.Add(1)
		defer u.stay.Done()
		<-u.over
	}
	if u.is("own code") {
		return "", spoolerr.New(spoolerr.Invalid, 0, "you cancelled")
	}
	return "", err
}

func (u ui) ConfigurePort(ctx context.Context, d monitorui.Dialogue, port string) error {
	out, err := d.Xcv(ctx, "GetConfigInfo", portconfig.Encode(port, nil))
	if err != nil {
		if u.is("hides ports") {
			return nil
		}
		return err
	}
	c, err := portconfig.Decode(out)
	if err != nil {
		return err
	}
	page := u.page("Configure", c.Settings)
	if u.is("forgets") {
		page.Fields[1].Default = "1"
	}
	answers, err := d.Ask(ctx, page)
	if err != nil {
		_, err = u.gaveUp(ctx, err)
		return err
	}
	_, err = d.Xcv(ctx, "ConfigPort", portconfig.Encode(port, answers.Settings("name", "password")))
	return err
}

func (u ui) DeletePort(ctx context.Context, d monitorui.Dialogue, port string) error {
	if _, err := d.Xcv(ctx, "GetConfigInfo", portconfig.Encode(port, nil)); err != nil && !u.is("hides ports") {
		return err
	}
	if !u.is("does not ask") {
		if _, err := d.Ask(ctx, form.Page{Title: "Delete?"}); err != nil {
			_, err = u.gaveUp(ctx, err)
			return err
		}
	}
	if u.is("deletes nothing") {
		return nil
	}
	_, err := d.Xcv(ctx, "DeletePort", portconfig.Encode(port, nil))
	return err
}

func options() monitoruitest.Options {
	return monitoruitest.Options{
		Monitor: mockmonitor.New(mockmonitor.Options{}).Initialize,
		Answers: map[string]string{"name": "KIT1"},
		Grace:   500 * time.Millisecond,
	}
}

func TestGood(t *testing.T) {
	t.Run("in process", func(t *testing.T) { monitoruitest.Run(t, monitoruitest.Serve(ui{}), options()) })
	t.Run("executable", func(t *testing.T) {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		opts := options()
		opts.Grace = 0
		monitoruitest.Run(t, monitoruitest.Executable(self, argument), opts)
	})
}

// TestBroken: each fault is caught by the rule it breaks, and for every rule there is a
// fault that it catches.
func TestBroken(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	caught := map[string]bool{}
	for fault, rule := range map[string]string{
		"adds nothing": "add", "bad page": "add", "forgets": "configure", "does not ask": "delete", "deletes nothing": "delete",
		"adds early": "cancel", "own code": "cancel", "stays": "gone", "hides ports": "unknown-port",
		"ignores errors": "refusal", "hides errors": "refusal", "hides access": "access", "tells": "secret", "logs": "secret",
		"meddles": "only-xcv", "is a monitor": "kind",
	} {
		caught[rule] = true
		t.Run(fault, func(t *testing.T) {
			u := ui{fault: fault, over: make(chan struct{}), stay: &sync.WaitGroup{}}
			subject := monitoruitest.Serve(u)
			switch fault {
			case "meddles": // for which it needs a process of its own
				subject = monitoruitest.Executable(self, argument, fault)
			case "is a monitor":
				subject = monitoruitest.Executable(self, mockmonitor.Argument)
			}
			failed := monitoruitest.Verify(t.Context(), subject, options()).With(monitortest.Fail)
			close(u.over)
			u.stay.Wait()
			if !slices.Contains(failed, rule) {
				t.Errorf("rule %s does not catch it; caught by %v", rule, failed)
			}
		})
	}
	for _, r := range monitoruitest.Rules() {
		if !caught[r.ID] {
			t.Errorf("no fault is caught by rule %s", r.ID)
		}
		if r.Text == "" || r.Source == "" {
			t.Errorf("rule %s says nothing", r.ID)
		}
	}
}
