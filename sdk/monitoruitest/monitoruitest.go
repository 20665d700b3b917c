// Package monitoruitest is the conformance kit of port monitor UIs: it plays the host and
// the person, and checks a UI module against the contract rule by rule.
//
//	func TestConformance(t *testing.T) {
//		monitoruitest.Run(t, monitoruitest.Serve(acmeUI{}), monitoruitest.Options{
//			Monitor: initialize, // of the server module, which runs in this process
//			Answers: map[string]string{"address": "10.0.0.5"},
//		})
//	}
//
// A vendor's tests import it. It shows nothing, launches no host and does not judge how
// good the questions are.
package monitoruitest

import (
	"context"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/monitortest"
	"github.com/spoolhost/spoolhost/sdk/monitorui"
)

// Options say how to answer the UI under test, and whom it talks to.
type Options struct {
	// Monitor is the server module: it is made afresh for each rule, in this process; or in
	// one of its own, by monitortest.Executable(path).Initialize().
	Monitor monitor.Initialize
	// Answers are a person's answers by the names of the fields: with them, and with the
	// defaults for all others, AddPort adds a port. DeletePort needs "yes" to each check that
	// is required, which the kit knows.
	Answers map[string]string
	// Timeout bounds each dialogue; 20 s if 0.
	Timeout time.Duration
	// Grace is how long a UI may go on after the person is gone; 5 s if 0.
	Grace time.Duration
}

func (o Options) withDefaults() Options {
	if o.Timeout == 0 {
		o.Timeout = 20 * time.Second
	}
	if o.Grace == 0 {
		o.Grace = 5 * time.Second
	}
	return o
}

// Subject is a UI under test.
type Subject struct{ inner monitortest.Subject }

// Serve is a UI in this process, called over gRPC as a host calls it.
func Serve(ui monitorui.UI) Subject { return Subject{monitortest.Other(monitorui.Module(ui))} }

// Executable is a UI module in any language, started for each dialogue afresh, as a host
// does.
func Executable(path string, args ...string) Subject {
	return Subject{monitortest.Executable(path, args...)}
}

// Run checks a UI in a test: each rule is a subtest.
func Run(t *testing.T, subject Subject, opts Options) {
	t.Helper()
	for _, c := range checks() {
		t.Run(c.ID, func(t *testing.T) {
			if r := c.check(t.Context(), subject, opts); r.Outcome != monitortest.Pass {
				t.Errorf("%s\n%s\nsource: %s", r.Text, r.Detail, r.Source)
			}
		})
	}
}

// Verify checks a UI outside of a test.
func Verify(ctx context.Context, subject Subject, opts Options) monitortest.Report {
	report := monitortest.Report{Subject: subject.inner.Name()}
	for _, c := range checks() {
		report.Results = append(report.Results, c.check(ctx, subject, opts))
	}
	return report
}

// Rules gives all rules, in the order in which they are checked.
func Rules() []monitortest.Rule {
	var rules []monitortest.Rule
	for _, c := range checks() {
		rules = append(rules, c.Rule)
	}
	return rules
}

// rule is one sentence of the contract and how it is checked.
type rule struct {
	monitortest.Rule
	run func(ctx context.Context, b *bench) error
}

func (c rule) check(ctx context.Context, subject Subject, opts Options) monitortest.Result {
	b := &bench{subject: subject, opts: opts.withDefaults()}
	err := b.open(ctx)
	if err == nil {
		err = c.run(ctx, b)
		b.close()
	}
	r := monitortest.Result{Rule: c.Rule, Outcome: monitortest.Pass}
	if err != nil {
		r.Outcome, r.Detail, r.Output = monitortest.Fail, err.Error(), b.said
	}
	return r
}
