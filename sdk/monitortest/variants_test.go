package monitortest_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/sdk/mockmonitor"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/monitortest"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// A variant is the mock with one rule broken.
type variant func() monitor.Initialize

// wrapped is an instance of the mock whose methods can be replaced.
type wrapped struct {
	monitor.Monitor
	init monitor.Init

	enum     func(ctx context.Context) ([]spool.PortInfo, error)
	open     func(ctx context.Context, name string) (monitor.Port, error)
	xcv      func(granted spool.Access) spool.Access
	data     func(ctx context.Context, x monitor.Xcv, name string, in []byte) ([]byte, error)
	shutdown func(ctx context.Context) error
	port     func(p *wrappedPort) monitor.Port
}

func (w *wrapped) EnumPorts(ctx context.Context) ([]spool.PortInfo, error) {
	if w.enum != nil {
		return w.enum(ctx)
	}
	return w.Monitor.EnumPorts(ctx)
}

func (w *wrapped) OpenPort(ctx context.Context, name string) (monitor.Port, error) {
	if w.open != nil {
		return w.open(ctx, name)
	}
	p, err := w.Monitor.OpenPort(ctx, name)
	if err != nil || w.port == nil {
		return p, err
	}
	return w.port(&wrappedPort{Port: p, w: w, name: name}), nil
}

func (w *wrapped) XcvOpenPort(ctx context.Context, object string, granted spool.Access) (monitor.Xcv, error) {
	if w.xcv != nil {
		granted = w.xcv(granted)
	}
	x, err := w.Monitor.XcvOpenPort(ctx, object, granted)
	return &wrappedXcv{x, w}, err
}

func (w *wrapped) Shutdown(ctx context.Context) error {
	if w.shutdown != nil {
		return w.shutdown(ctx)
	}
	return w.Monitor.Shutdown(ctx)
}

type wrappedXcv struct {
	monitor.Xcv
	w *wrapped
}

func (x *wrappedXcv) Data(ctx context.Context, name string, in []byte) ([]byte, error) {
	if x.w.data != nil {
		return x.w.data(ctx, x.Xcv, name, in)
	}
	return x.Xcv.Data(ctx, name, in)
}

type wrappedPort struct {
	monitor.Port
	w    *wrapped
	name string
	job  uint64

	start func(ctx context.Context, doc spool.Doc) error
	write func(ctx context.Context, b []byte) (int, error)
	end   func(ctx context.Context, status spool.JobStatus) error
	close func(ctx context.Context) error
}

func (p *wrappedPort) StartDoc(ctx context.Context, doc spool.Doc) error {
	p.job = doc.JobID
	if p.start != nil {
		return p.start(ctx, doc)
	}
	return p.Port.StartDoc(ctx, doc)
}

func (p *wrappedPort) Write(ctx context.Context, b []byte) (int, error) {
	if p.write != nil {
		return p.write(ctx, b)
	}
	return p.Port.Write(ctx, b)
}

func (p *wrappedPort) EndDoc(ctx context.Context, status spool.JobStatus) error {
	if p.end != nil {
		return p.end(ctx, status)
	}
	return p.Port.EndDoc(ctx, status)
}

func (p *wrappedPort) Close(ctx context.Context) error {
	if p.close != nil {
		return p.close(ctx)
	}
	return p.Port.Close(ctx)
}

// breaks makes a variant: change is called for each instance.
func breaks(change func(w *wrapped)) variant {
	return scripted(mockmonitor.Options{UI: "mockui"}, change)
}

func scripted(opts mockmonitor.Options, change func(w *wrapped)) variant {
	return func() monitor.Initialize {
		mock := mockmonitor.New(opts)
		return func(ctx context.Context, init monitor.Init) (monitor.Monitor, error) {
			m, err := mock.Initialize(ctx, init)
			if err != nil {
				return nil, err
			}
			w := &wrapped{Monitor: m, init: init}
			change(w)
			return w, nil
		}
	}
}

func portBreaks(change func(p *wrappedPort)) variant {
	return breaks(func(w *wrapped) {
		w.port = func(p *wrappedPort) monitor.Port {
			change(p)
			return p
		}
	})
}

func dataBreaks(data func(ctx context.Context, w *wrapped, x monitor.Xcv, name string, in []byte) ([]byte, error)) variant {
	return breaks(func(w *wrapped) {
		w.data = func(ctx context.Context, x monitor.Xcv, name string, in []byte) ([]byte, error) {
			return data(ctx, w, x, name, in)
		}
	})
}

func sent(ctx context.Context, p *wrappedPort) error {
	return p.w.init.Spooler.SetJob(ctx, p.job, spool.JobControlSentToPrinter)
}

// variants are the rules that a monitor in this process can break, and how.
func variants() map[string]variant {
	return map[string]variant{
		"capabilities.served": breaks(func(w *wrapped) { w.port = func(p *wrappedPort) monitor.Port { return reader{p} } }),
		"xcv.delete-port":     dataBreaks(deletesNothing),
		"xcv.duplicate":       dataBreaks(addsAgain),
		"xcv.access":          breaks(func(w *wrapped) { w.xcv = func(spool.Access) spool.Access { return spool.ServerAccessAdminister } }),
		"xcv.unknown":         dataBreaks(knowsEverything),
		"xcv.malformed":       dataBreaks(acceptsRubbish),
		"xcv.monitor-ui":      scripted(mockmonitor.Options{UI: "/usr/lib/acme/ui.so"}, func(*wrapped) {}),
		"ports.enum":          breaks(listsTwice),
		"ports.unknown":       breaks(unknownIsNotFound),
		"ports.second-open":   breaks(secondOpenClosesFirst),
		"ports.reopen":        breaks(opensOnce),
		"document.data":       portBreaks(losesAByte),
		"document.count":      portBreaks(failsOnNothing),
		"document.sent":       portBreaks(reportsTwice),
		"document.together": breaks(func(w *wrapped) {
			w.port = func(p *wrappedPort) monitor.Port { return reportsBothWays{p} }
		}),
		"document.unsized": breaks(func(w *wrapped) {
			w.port = func(p *wrappedPort) monitor.Port { return needsTheLength{p} }
		}),
		"document.write-first":   portBreaks(takesWithoutDocument),
		"document.end-first":     portBreaks(endsWithoutDocument),
		"document.start-twice":   portBreaks(startDropsDocument),
		"document.close-midway":  portBreaks(closeLocksPort),
		"document.aborted":       portBreaks(reportsAborted),
		"document.after-aborted": portBreaks(keepsAborted),
		"device.slow":            portBreaks(givesUpOnSlow),
		"device.stalled":         portBreaks(func(p *wrappedPort) { p.write = func(_ context.Context, b []byte) (int, error) { return insist(p, b) } }),
		"device.refused":         portBreaks(ignoresRefusal),
		"device.unreachable":     portBreaks(dialsForEver),
		"instances.ports":        listsOthers(),
		"instances.settings":     global(),
		"instances.shutdown":     endsEverybody(),
		"shutdown.silence":       breaks(talksOn),
		"shutdown.prompt":        breaks(func(w *wrapped) { w.shutdown = slowShutdown(w) }),
		"registry.keys":          breaks(leaksKeys),
		"registry.failure":       dataBreaks(ignoresStore),
		"registry.discipline":    breaks(usesClosedKey),
		"restart.ports":          breaks(remembersInMemory),
		"resources.descriptors":  portBreaks(leaksDescriptors),
		"resources.threads":      portBreaks(leaksGoroutines),
	}
}

// besides are the rules that are checked beside a broken one, to see that they pass: all
// that do not need a process of its own, but under the race detector those of its group. A
// call that never returns keeps Shutdown waiting: it breaks two rules.
func besides(rule string) (ids []string) {
	group, _, _ := strings.Cut(rule, ".")
	for _, r := range monitortest.Rules() {
		if rule == "device.stalled" && r.ID == "shutdown.prompt" {
			continue
		}
		if own := strings.HasPrefix(r.ID, group+"."); own || !monitortest.Raced && !strings.HasPrefix(r.ID, "resources.") {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// TestVariants proves of each rule that breaking it fails its check, and no other.
func TestVariants(t *testing.T) {
	t.Cleanup(leaked.free)
	checked := map[string]func() monitortest.Report{}
	for rule, v := range variants() {
		if strings.HasPrefix(rule, "resources.") {
			continue
		}
		checked[rule] = func() monitortest.Report {
			opts := monitortest.Small(sinkOptions())
			opts.Grace, opts.Only = 2*time.Second, besides(rule)
			return monitortest.Verify(t.Context(), monitortest.Serve(v()), opts, nil)
		}
	}
	eachOnlyFails(t, checked)
}

// TestLeaks is TestVariants for what can only be measured of a whole process. Memory is
// measured of a fresh one: here, what other tests leave to be freed would hide a leak.
func TestLeaks(t *testing.T) {
	t.Run("resources.memory", func(t *testing.T) {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		opts := monitortest.Small(monitortest.Options{Settings: map[string]string{"to": "{{sink}}", "grow": "262144"}})
		opts.Only = besides("resources.memory")
		onlyFails(t, monitortest.Verify(t.Context(), monitortest.Executable(self, mockmonitor.Argument), opts, nil), "resources.memory")
	})
	for rule, v := range variants() {
		if strings.HasPrefix(rule, "resources.") {
			t.Run(rule, func(t *testing.T) {
				t.Cleanup(leaked.free)
				opts := monitortest.Small(sinkOptions())
				opts.Only = besides(rule)
				onlyFails(t, monitortest.Verify(t.Context(), monitortest.Serve(v()), opts, nil), rule)
			})
		}
	}
}

// eachOnlyFails runs many at once: they wait more than they work.
func eachOnlyFails(t *testing.T, checked map[string]func() monitortest.Report) {
	t.Helper()
	reports := map[string]chan monitortest.Report{}
	turn := make(chan struct{}, 8)
	for rule, check := range checked {
		done := make(chan monitortest.Report, 1)
		reports[rule] = done
		go func() {
			turn <- struct{}{}
			done <- check()
			<-turn
		}()
	}
	for rule, report := range reports {
		t.Run(rule, func(t *testing.T) { onlyFails(t, <-report, rule) })
	}
}

func onlyFails(t *testing.T, report monitortest.Report, rule string) {
	t.Helper()
	if failed := report.With(monitortest.Fail); !slices.Equal(failed, []string{rule}) {
		t.Errorf("failed: %q, want %q", failed, rule)
		for _, r := range report.Results {
			if r.Outcome == monitortest.Fail || r.ID == rule {
				t.Logf("%s: %s: %s", r.Outcome, r.ID, r.Detail)
			}
		}
	}
}
