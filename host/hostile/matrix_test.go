//go:build linux

package hostile

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/status"

	"github.com/spoolhost/spoolhost/host/hosttest/poll"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/spooler"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"

	"github.com/spoolhost/spoolhost/host/eventlog"
)

// row is one way to misbehave, and what an operator sees of it.
type row struct {
	// name is the monitor's, the port's and the printer's.
	name string
	// do is the misbehaviour, in the module's process before it serves.
	do func(*module)
	// lives is how many lives the module misbehaves in, after the one in which it was
	// added; 0 is all.
	lives int
	// refused is what "monitor add" says of a module that misbehaves already then; empty:
	// it does not notice.
	refused string
	// outcomes are those of the attempts of a document; nil prints none.
	outcomes []job.Outcome
	// size is that document's; 0 is 100,000 bytes, which the host hands over in one call.
	size int
	// anyhow asks for the last outcome only: a crash may come before the document or in it.
	anyhow bool
	// options are what the operator chose for the monitor.
	options *apiv1.MonitorOptions
	// also is done ahead of the document.
	also func(*trial)
	// addPort is what "port add" says; empty adds none.
	addPort string
	// event and says are the event that tells of it; it names the monitor.
	event eventlog.ID
	says  string
	// state is the monitor's in the end; empty for running.
	state string
	// finally looks at what the module has left, once it is removed.
	finally func(t *testing.T, dir string)
}

func groups() map[string][]row {
	return map[string][]row{
		"handshake": handshakeRows(), "output": outputRows(), "calls": callRows(), "processes": processRows(),
		"replies": replyRows(), "callbacks": callbackRows(), "ways": wayRows(), "between": betweenRows(), "limits": limitRows(),
	}
}

// neighbour is a monitor that does nothing wrong, from the first row to the last.
const neighbour = "Neighbour"

var sequence atomic.Int64 // of modules' directories

// atOnce is how many rows of a group run at the same time: most of them wait.
const atOnce = 8

func TestMatrix(t *testing.T) {
	h := build(t)
	beside := &trial{house: h, T: t, row: row{name: neighbour}, dir: filepath.Join(h.dir, neighbour)}
	check(t, os.Mkdir(beside.dir, 0o700))
	check(t, beside.add(1<<30))
	h.printOne([]byte("the first document")) // opens what stays open
	_, err := h.monitors().GetMonitor(t.Context(), &apiv1.GetMonitorRequest{Name: goodName})
	check(t, err)
	ctx, stop := context.WithCancel(t.Context())
	printing := make(chan struct{})
	go func() {
		defer close(printing)
		h.print(ctx)
	}()
	before := h.rest()
	for _, together := range [][]string{{"handshake", "calls"}, {"between"}, {"ways"}, {"replies"}, {"processes"}, {"output"}, {"callbacks"}, {"limits"}} {
		h.runGroups(t, together)
		h.wantSame(t, before)
	}
	stop()
	<-printing
	h.wantSame(t, before)
	h.verify()
	beside.remove()
}

// runGroups runs groups beside one another: those of which most rows do nothing but wait
// for a time-out.
func (h *house) runGroups(t *testing.T, groups []string) {
	var all sync.WaitGroup
	for _, group := range groups {
		all.Go(func() {
			t.Run(group, func(t *testing.T) { h.runGroup(t, group) })
		})
	}
	all.Wait()
}

func (h *house) runGroup(t *testing.T, group string) {
	slots := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for _, r := range groups()[group] {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			t.Run(r.name, func(t *testing.T) { (&trial{house: h, T: t, row: r, group: group}).run() })
		})
	}
	all.Wait()
}

// trial is one row at work.
type trial struct {
	*testing.T
	row
	house *house
	group string
	dir   string // of the module; its path marks every process that belongs to the row
	job   uint64
	// printer says that there is one.
	printer bool
}

func (tr *trial) run() {
	tr.dir = filepath.Join(tr.house.dir, "m"+strconv.Itoa(int(sequence.Add(1))))
	check(tr, os.Mkdir(tr.dir, 0o700))
	if tr.refused != "" {
		tr.wantRefused()
	}
	first := 2
	if tr.options != nil {
		first = 3
	}
	check(tr, tr.add(first))
	defer tr.remove()
	if tr.options != nil { // and another life begins, with them
		_, err := tr.house.monitors().UpdateMonitor(tr.Context(), &apiv1.UpdateMonitorRequest{Name: tr.name, Options: tr.options})
		check(tr, err)
	}
	if tr.addPort != "" {
		err := tr.house.node().AddPort(tr.Context(), tr.name+" 2", tr.name, nil)
		tr.wantText("port add", fmt.Sprint(err), tr.addPort)
	}
	if tr.also != nil {
		tr.also(tr)
	}
	if tr.outcomes != nil {
		tr.print()
	}
	tr.wantEvent()
	tr.house.goesOn(tr)
	tr.wantState()
	if tr.event == eventlog.MonitorExited { // and it runs again
		tr.wantText("why monitor", tr.why("monitor", tr.name), "ask its vendor")
	}
}

// add installs the module, which misbehaves from its first life or later.
func (tr *trial) add(first int) error {
	last := 1 << 30
	if tr.lives > 0 {
		last = first + tr.lives - 1
	}
	_, err := tr.house.monitors().AddMonitor(tr.Context(), &apiv1.AddMonitorRequest{
		Name: tr.name, Module: tr.house.module, Args: []string{moduleArg, tr.group, tr.name, tr.dir, strconv.Itoa(first), strconv.Itoa(last)},
	})
	return err
}

// wantRefused adds the module as it is: an operator hears at once what is wrong with it.
func (tr *trial) wantRefused() {
	err := tr.add(1)
	tr.wantText("monitor add", status.Convert(err).Message(), tr.refused)
	tr.wantText("monitor add", status.Convert(err).Message(), strconv.Quote(tr.name))
	check(tr, os.Remove(filepath.Join(tr.dir, "lives")))
	tr.wantGone()
}

// print prints a document and waits for its attempts.
func (tr *trial) print() {
	node := tr.house.node()
	if slices.Contains(tr.outcomes, job.TimedOut) || slices.Contains(tr.outcomes, job.Unconfirmed) {
		soon := 3 * time.Second
		poll.Until(tr, "the port has a deadline", func() bool { // it is listed, or will be
			return node.SetPortLimits(tr.Context(), tr.name, spooler.PortLimits{Resource: &soon}) == nil
		})
	}
	tr.addPrinter()
	tr.submit(cmp.Or(tr.size, 100_000))
	var got []job.Outcome
	ok := poll.OK(func() bool {
		j, err := node.Queue().Get(tr.Context(), tr.job)
		check(tr, err)
		got = nil
		for _, a := range j.Attempts {
			got = append(got, a.Outcome)
		}
		if tr.anyhow && len(got) > 0 {
			got = got[len(got)-1:]
		}
		return slices.Equal(got, tr.outcomes)
	})
	if !ok {
		tr.Fatalf("attempts %v, want %v; why job says:\n%s", got, tr.outcomes, tr.why("job", tr.jobName()))
	}
	if tr.event == eventlog.JobAttemptEnded {
		var why string
		poll.OK(func() bool { // the event comes after the record that it tells of
			why = tr.why("job", tr.jobName())
			return strings.Contains(why, tr.says)
		})
		tr.wantText("why job", why, tr.says)
	}
}

func (tr *trial) addPrinter() {
	if tr.printer {
		return
	}
	tr.printer = true
	poll.Until(tr, "the printer can be added", func() bool { // its monitor may be on its way
		return tr.house.node().AddPrinter(tr.Context(), tr.name, spooler.Settings{Ports: []string{tr.name}}) == nil
	})
}

func (tr *trial) submit(size int) {
	j, err := tr.house.node().Submit(tr.Context(), spooler.Submission{Printer: tr.name, User: "ann", Title: "x"}, bytes.NewReader(make([]byte, size)))
	check(tr, err)
	tr.job = j.ID
}

func (tr *trial) jobName() string { return strconv.FormatUint(tr.job, 10) }

// wantEvent waits for the event that tells of the misbehaviour, and looks for it where an
// operator would.
func (tr *trial) wantEvent() {
	if tr.event == 0 {
		return
	}
	ok := poll.OK(func() bool {
		return slices.ContainsFunc(tr.events(uint32(tr.event)), func(e *apiv1.Event) bool {
			return e.GetId() == uint32(tr.event) && strings.Contains(e.GetText(), tr.says) && strings.Contains(e.GetText(), strconv.Quote(tr.name))
		})
	})
	if !ok {
		var all []string
		for _, e := range tr.events() {
			all = append(all, fmt.Sprint(e.GetId(), " ", e.GetText()))
		}
		tr.Fatalf("no event %d says %q of monitor %s, but:\n%s", tr.event, tr.says, tr.name, strings.Join(all, "\n"))
	}
	tr.wantText("why monitor", tr.why("monitor", tr.name), tr.says)
}

// wantState asks for the monitor as it stands.
func (tr *trial) wantState() {
	want := tr.state
	if want == "" {
		want = "running"
	}
	var got *apiv1.Monitor
	ok := poll.OK(func() bool {
		r, err := tr.house.monitors().GetMonitor(tr.Context(), &apiv1.GetMonitorRequest{Name: tr.name})
		check(tr, err)
		got = r.GetMonitor()
		return got.GetState() == want
	})
	if !ok {
		tr.Errorf("monitor %s is %s (%s), want %s", tr.name, got.GetState(), got.GetReason(), want)
	}
}

// remove takes the row out of the host; nothing of it may stay.
func (tr *trial) remove() {
	node := tr.house.node()
	if tr.job != 0 {
		_ = node.CancelJob(context.Background(), tr.job, "ann")
		tr.house.final(tr, tr.job)
	}
	if tr.printer {
		poll.Until(tr, "the printer can be deleted", func() bool { return node.DeletePrinter(context.Background(), tr.name) == nil })
	}
	poll.Until(tr, "the monitor can be removed", func() bool {
		_, err := tr.house.monitors().RemoveMonitor(context.Background(), &apiv1.RemoveMonitorRequest{Name: tr.name})
		return err == nil
	})
	tr.wantGone()
	if tr.finally != nil {
		tr.finally(tr.T, tr.dir)
	}
	check(tr, os.RemoveAll(tr.dir))
}

func (tr *trial) wantGone() {
	tr.Helper()
	var left []proc
	if !poll.OK(func() bool {
		left = processes(func(p proc) bool { return strings.Contains(p.text, tr.dir+"\x00") })
		return len(left) == 0
	}) {
		tr.Errorf("processes are left: %+v", left)
	}
}

func (tr *trial) wantText(who, got, want string) {
	tr.Helper()
	if !strings.Contains(got, want) {
		tr.Errorf("%s says %q; it lacks %q", who, got, want)
	}
}

// why is what spoolhost why prints.
func (tr *trial) why(kind, name string) string {
	r, err := apiv1.NewHostClient(tr.house.conn).Explain(tr.Context(), &apiv1.ExplainRequest{Kind: kind, Name: name})
	check(tr, err)
	lines := append([]string{r.GetSummary()}, r.GetAdvice()...)
	for _, e := range r.GetEvents() {
		lines = append(lines, e.GetText())
	}
	return strings.Join(lines, "\n")
}

// events are those of these ids, or all, that name the row.
func (tr *trial) events(ids ...uint32) []*apiv1.Event {
	stream, err := apiv1.NewEventsClient(tr.house.conn).ListEvents(tr.Context(), &apiv1.ListEventsRequest{Ids: ids})
	check(tr, err)
	var found []*apiv1.Event
	for {
		r, err := stream.Recv()
		if err != nil {
			return found
		}
		for _, e := range r.GetEvents() {
			if strings.Contains(e.GetText(), tr.name) {
				found = append(found, e)
			}
		}
	}
}
