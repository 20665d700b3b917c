// Package monitortest is the conformance kit of port monitors: it plays the host, and
// checks a monitor against the contract rule by rule.
//
//	func TestConformance(t *testing.T) {
//		monitortest.Run(t, monitortest.Serve(initialize), monitortest.Options{
//			Settings: map[string]string{"address": "{{sink}}"},
//		})
//	}
//
// A vendor's tests import it, and "spoolhost module verify" is the same kit against any
// executable. It launches no host and does not measure speed. What it could not check it
// says, with the reason; it never passes over a rule in silence.
package monitortest

import (
	"context"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
)

// Options say how to make a port of the monitor under test, and how patient to be.
type Options struct {
	// Settings are those of each port that the kit adds. Placeholders in them and in
	// PortName are replaced anew for each port:
	//
	//	{{sink}} {{sink.host}} {{sink.port}}  a TCP printer of the kit's
	//	{{file}}                              a file that does not exist yet
	//	{{dir}}                               an empty directory
	//	{{n}}                                 a number
	//
	// A monitor that prints to neither a {{sink}} nor a {{file}} can bring a Device of its
	// own. Without any, the rules about a document's bytes are not checked.
	Settings map[string]string
	// PortName is the name of the ports added; "Test {{n}}" if empty.
	PortName string
	// Encode makes the input of AddPort; portconfig.Encode if nil. DeletePort gets the same
	// without settings.
	Encode func(name string, settings map[string]string) []byte
	// Device makes the far end of one port, in dir; nil for what the placeholders ask for.
	Device func(dir string) (Device, error)
	// Timeout bounds each call; 20 s if 0.
	Timeout time.Duration
	// Grace is how long a call may go on after it was cancelled; 5 s if 0, as in the host.
	Grace time.Duration
	// Only are the ids of the rules to check; all if empty.
	Only []string

	// small makes documents smaller, for the kit's own tests.
	small bool
}

// size is how large a large document is.
func (o Options) size(n int) int {
	if o.small {
		return n / 16
	}
	return n
}

func (o Options) withDefaults() Options {
	if o.PortName == "" {
		o.PortName = "Test {{n}}"
	}
	if o.Encode == nil {
		o.Encode = portconfig.Encode
	}
	if o.Device == nil {
		o.Device = o.deviceOfSettings
	}
	if o.Timeout == 0 {
		o.Timeout = 20 * time.Second
	}
	if o.Grace == 0 {
		o.Grace = 5 * time.Second
	}
	return o
}

// Subject is a monitor under test.
type Subject struct {
	name  string
	start func(ctx context.Context, host hostServer, dir string) (*module, error)
	// inProcess says that it has no process of its own.
	inProcess bool
}

// Serve is a monitor in this process, called over gRPC as a host calls it. Its package
// variables are shared by all instances here, as in one process of its own.
func Serve(initialize monitor.Initialize, opts ...monitor.Option) Subject {
	return inProcess(monitor.Module(initialize, opts...))
}

// Executable is a module in any language, started for each rule afresh.
func Executable(path string, args ...string) Subject {
	return Subject{name: path, start: func(ctx context.Context, host hostServer, dir string) (*module, error) {
		return launch(ctx, path, args, host, dir)
	}}
}

// Run checks a monitor in a test: each rule is a subtest, and those that could not be
// checked are skipped with the reason.
func Run(t *testing.T, subject Subject, opts Options) {
	t.Helper()
	series := newSeries(subject, opts)
	for _, c := range checks(opts) {
		t.Run(c.ID, func(t *testing.T) {
			switch r := series.check(t.Context(), c); r.Outcome {
			case Fail:
				t.Errorf("%s\n%s\nsource: %s", r.Text, r.Detail, r.Source)
			case NotChecked:
				t.Skipf("not checked: %s", r.Detail)
			case Pass:
			}
		})
	}
}

// Verify checks a monitor outside of a test. It stops early, with fewer results, when ctx
// ends. each, if not nil, is called after each rule.
func Verify(ctx context.Context, subject Subject, opts Options, each func(Result)) Report {
	report := Report{Subject: subject.name}
	series := newSeries(subject, opts)
	for _, c := range checks(opts) {
		r := series.check(ctx, c)
		if ctx.Err() != nil {
			break
		}
		report.Results = append(report.Results, r)
		if each != nil {
			each(r)
		}
	}
	return report
}

// series is the checks of one subject, one after the other.
type series struct {
	subject Subject
	opts    Options
	dead    bool // it does not start, and need not be waited for again
}

func newSeries(subject Subject, opts Options) *series {
	return &series{subject: subject, opts: opts.withDefaults()}
}

func (s *series) check(ctx context.Context, c check) Result {
	if s.dead {
		return Result{Rule: c.Rule, Outcome: NotChecked, Detail: "the module does not start"}
	}
	r := c.check(ctx, s.subject, s.opts)
	s.dead = c.ID == startRule && r.Outcome == Fail
	return r
}
