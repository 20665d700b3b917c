package ippmon

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/OpenPrinting/goipp"

	"github.com/spoolhost/spoolhost/plugins/internal/ports"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// printer is what a printer says of itself.
type printer struct {
	operations []goipp.Op
	formats    []string
	accepting  bool
	status     spool.PortStatus
}

func (p printer) can(ops ...goipp.Op) bool {
	return !slices.ContainsFunc(ops, func(op goipp.Op) bool { return !slices.Contains(p.operations, op) })
}

func (p printer) takes(mime string) bool {
	return slices.ContainsFunc(p.formats, func(f string) bool { return strings.EqualFold(f, mime) })
}

func keywords(name string, words ...string) goipp.Attribute {
	a := goipp.Attribute{Name: name}
	for _, w := range words {
		a.Values.Add(goipp.TagKeyword, goipp.String(w))
	}
	return a
}

// printer asks the printer for its abilities and its state.
func (c *client) printer(ctx context.Context) (printer, error) {
	answer, err := c.do(ctx, c.request(goipp.OpGetPrinterAttributes, "", keywords("requested-attributes",
		"operations-supported", "document-format-supported", "printer-is-accepting-jobs", "printer-state", "printer-state-reasons", "printer-state-message")))
	if err != nil {
		return printer{}, err
	}
	list := answer.Printer
	p := printer{accepting: true, status: statusOf(list)}
	for _, v := range find(list, "operations-supported") {
		if n, ok := v.V.(goipp.Integer); ok {
			p.operations = append(p.operations, goipp.Op(n))
		}
	}
	for _, v := range find(list, "document-format-supported") {
		p.formats = append(p.formats, v.V.String())
	}
	if v := find(list, "printer-is-accepting-jobs"); len(v) > 0 {
		if b, ok := v[0].V.(goipp.Boolean); ok {
			p.accepting = bool(b)
		}
	}
	return p, nil
}

// reason is a word of printer-state-reasons and what it is in winspool.
type reason struct {
	word string
	code spool.PortStatusCode
}

func reasons() []reason {
	return []reason{
		{"media-jam", spool.PortStatusPaperJam}, {"media-empty", spool.PortStatusPaperOut}, {"media-needed", spool.PortStatusPaperOut},
		{"output-area-full", spool.PortStatusOutputBinFull}, {"toner-empty", spool.PortStatusNoToner}, {"marker-supply-empty", spool.PortStatusNoToner},
		{"toner-low", spool.PortStatusTonerLow}, {"marker-supply-low", spool.PortStatusTonerLow}, {"door-open", spool.PortStatusDoorOpen},
		{"cover-open", spool.PortStatusDoorOpen}, {"interlock-open", spool.PortStatusDoorOpen}, {"offline", spool.PortStatusOffline},
		{"shutdown", spool.PortStatusOffline}, {"paused", spool.PortStatusUserIntervention}, {"standby", spool.PortStatusPowerSave},
		{"spool-area-full", spool.PortStatusOutOfMemory}, {"media-low", spool.PortStatusPaperProblem},
	}
}

// statusOf gives the gravest of what a printer reports. It is a warning at most: the
// printer takes documents even so, and keeps them until somebody has seen to it.
func statusOf(list goipp.Attributes) spool.PortStatus {
	var worst spool.PortStatus
	for _, v := range find(list, "printer-state-reasons") {
		word, severity := strings.TrimSuffix(v.V.String(), "-error"), spool.SeverityWarning
		if cut, ok := strings.CutSuffix(word, "-report"); ok {
			word, severity = cut, spool.SeverityInfo
		}
		word = strings.TrimSuffix(word, "-warning")
		for _, r := range reasons() {
			if r.word == word && (worst.Clear() || severity < worst.Severity) {
				worst = spool.PortStatus{Code: r.code, Severity: severity}
			}
		}
	}
	return worst
}

// watcher asks an open port's printer for its state now and then.
type watcher struct {
	end  context.CancelFunc
	done chan struct{}
	once sync.Once
}

func watch(s settings, report *ports.Condition) *watcher {
	ctx, end := context.WithCancel(context.Background())
	w := &watcher{end: end, done: make(chan struct{})}
	go w.run(ctx, s, report)
	return w
}

func (w *watcher) run(ctx context.Context, s settings, report *ports.Condition) {
	defer close(w.done)
	if s.statusInterval == 0 {
		return
	}
	c := newClient(s)
	defer c.close()
	tick := time.NewTicker(s.statusInterval)
	defer tick.Stop()
	for {
		if p, err := c.printer(ctx); err == nil { // else the next document says so
			report.Device(ctx, p.status)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (w *watcher) stop() {
	w.once.Do(w.end)
	<-w.done
}
