// Package pointprinttest is the conformance kit of Point and Print modules and of drivers'
// event modules: it plays the host, with a printer that has one colour profile, and checks a
// module against the contract rule by rule.
//
//	func TestConformance(t *testing.T) {
//		pointprinttest.Run(t, pointprinttest.PointPrint(initialize), pointprinttest.Options{})
//	}
//
// A vendor's tests import it. It copies no files and does not judge which paths are wise,
// only which a host would refuse.
package pointprinttest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc"

	pluginv1 "github.com/spoolhost/spoolhost/proto/spoolhost/plugin/v1"
	"github.com/spoolhost/spoolhost/sdk/driver"
	"github.com/spoolhost/spoolhost/sdk/monitortest"
	"github.com/spoolhost/spoolhost/sdk/pointprint"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// Options say what the module under test needs. The zero value is good.
type Options struct {
	// Values are added to the printer's data, in the key of the test, CopyFiles\ICM, or for a
	// driver in PrinterDriverData. Values of the same name take the place of the kit's.
	Values []registry.Value
	// Files are added to the files of that key, by name.
	Files map[string][]byte
	// Timeout bounds each call; 20 s if 0.
	Timeout time.Duration
	// Grace is how long a call may go on after it was given up; 5 s if 0.
	Grace time.Duration
	// Only are the ids of the rules to check; empty is all.
	Only []string
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

// Subject is a module under test.
type Subject struct{ inner monitortest.Subject }

// PointPrint is a Point and Print module in this process, called over gRPC as a host calls it.
func PointPrint(initialize pointprint.Initialize) Subject {
	return Subject{monitortest.Other(pointprint.Served(initialize))}
}

// Driver is a driver's event module in this process.
func Driver(load driver.Load) Subject { return Subject{monitortest.Other(driver.Served(load))} }

// Executable is a module in any language, started for each rule afresh.
func Executable(path string, args ...string) Subject {
	return Subject{monitortest.Executable(path, args...)}
}

// Kind asks a module what it is: "pointprint", "driver", or another kind that is not checked
// here.
func (s Subject) Kind(ctx context.Context) (string, error) {
	m, err := s.inner.Start(ctx, func() *grpc.Server { return grpc.NewServer() })
	if err != nil {
		return "", err
	}
	defer m.Kill()
	d, err := pluginv1.NewPluginClient(m.Conn).Describe(ctx, &pluginv1.DescribeRequest{})
	return d.GetKind(), spoolgrpc.FromStatus(err)
}

// Run checks a module in a test: each rule is a subtest.
func Run(t *testing.T, subject Subject, opts Options) {
	t.Helper()
	checks, err := subject.checks(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range checks {
		t.Run(c.ID, func(t *testing.T) {
			if r := c.check(t.Context(), subject, opts); r.Outcome != monitortest.Pass {
				t.Errorf("%s\n%s\nsource: %s", r.Text, r.Detail, r.Source)
			}
		})
	}
}

// Verify checks a module outside of a test. each, which may be nil, sees every result when
// it is known.
func Verify(ctx context.Context, subject Subject, opts Options, each func(monitortest.Result)) (monitortest.Report, error) {
	report := monitortest.Report{Subject: subject.inner.Name()}
	checks, err := subject.checks(ctx, opts)
	if err != nil {
		return report, err
	}
	for _, c := range checks {
		r := c.check(ctx, subject, opts)
		if each != nil {
			each(r)
		}
		report.Results = append(report.Results, r)
	}
	return report, nil
}

// Rules gives the rules of a kind, in the order in which they are checked.
func Rules(kind string) (rules []monitortest.Rule) {
	for _, c := range checksOf(kind) {
		rules = append(rules, c.Rule)
	}
	return rules
}

func checksOf(kind string) []rule {
	switch kind {
	case wire.KindPointPrint:
		return append(pathRules(), append(eventRules(), commonRules()...)...)
	case wire.KindDriver:
		return append(driverRules(), commonRules()...)
	}
	return nil
}

func (s Subject) checks(ctx context.Context, opts Options) ([]rule, error) {
	ctx, cancel := context.WithTimeout(ctx, opts.withDefaults().Timeout)
	defer cancel()
	kind, err := s.Kind(ctx)
	if err != nil {
		return nil, fmt.Errorf("the module does not start: %w", err)
	}
	all := checksOf(kind)
	if all == nil {
		return nil, fmt.Errorf("the module is of kind %q; this kit checks %q and %q", kind, wire.KindPointPrint, wire.KindDriver)
	}
	if len(opts.Only) == 0 {
		return all, nil
	}
	var some []rule
	for _, id := range opts.Only {
		found := false
		for _, c := range all {
			if c.ID == id {
				some, found = append(some, c), true
			}
		}
		if !found {
			return nil, fmt.Errorf("rule %q is unknown for modules of kind %q", id, kind)
		}
	}
	return some, nil
}

// rule is one sentence of the contract and how it is checked.
type rule struct {
	monitortest.Rule
	run func(ctx context.Context, b *bench) error
}

func (c rule) check(ctx context.Context, subject Subject, opts Options) monitortest.Result {
	r := monitortest.Result{Rule: c.Rule, Outcome: monitortest.Pass}
	b := newBench(subject, opts.withDefaults())
	err := b.start(ctx)
	if err == nil {
		err = c.run(ctx, b)
		if err == nil {
			err = b.complaint()
		}
		r.Output = b.module.Output()
	}
	b.stop()
	if err != nil {
		r.Outcome, r.Detail = monitortest.Fail, err.Error()
	} else {
		r.Output = nil
	}
	return r
}
