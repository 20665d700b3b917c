package ipp_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/OpenPrinting/goipp"

	"github.com/spoolhost/spoolhost/host/frontend/ipp/attr"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/spooler"
)

// ids asks for jobs and gives their numbers in order.
func (b *bench) ids(more ...goipp.Attribute) (ids []int) {
	b.Helper()
	for _, g := range b.do(b.request(goipp.OpGetJobs, more...), nil).Groups {
		if g.Tag == goipp.TagJobGroup {
			id, _, _ := attr.ReadInt(g.Attrs, "job-id")
			ids = append(ids, id)
		}
	}
	return ids
}

func TestGetJobs(t *testing.T) {
	b := newBench(t, nil)
	which := func(w string) goipp.Attribute { return attr.Keyword("which-jobs", w) }
	for range 3 {
		b.state(b.print("x"), job.Printed)
	}
	b.pause()
	for i := range 4 {
		b.user = []string{"ann", "bob"}[i%2]
		b.print("x")
	}
	b.do(b.request(goipp.OpPromoteJob, jobID(7)), nil)
	b.do(b.request(goipp.OpHoldJob, jobID(4)), nil)
	b.do(b.request(goipp.OpScheduleJobAfter, jobID(5), attr.Int("predecessor-job-id", 6)), nil)
	b.user = "ann"
	for _, c := range []struct {
		more []goipp.Attribute
		want []int
	}{
		{nil, []int{7, 6, 5, 4}},
		{[]goipp.Attribute{which("completed")}, []int{3, 2, 1}},
		{[]goipp.Attribute{which("all"), attr.Int("limit", 5)}, []int{7, 6, 5, 4, 3}},
		{[]goipp.Attribute{which("all"), attr.Int("first-index", 6), attr.Int("limit", 1)}, []int{2}},
		{[]goipp.Attribute{attr.Bool("my-jobs", true)}, []int{6, 4}},
		{[]goipp.Attribute{which("pending-held")}, []int{4}},
		{[]goipp.Attribute{which("canceled")}, nil},
		{[]goipp.Attribute{which("proof-print")}, nil},
		{[]goipp.Attribute{attr.Int("job-ids", 2, 5)}, []int{5, 2}},
		{[]goipp.Attribute{attr.Int("first-index", 99)}, nil},
	} {
		if got := b.ids(c.more...); !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v", c.more, got, c.want)
		}
	}
	b.do(b.request(goipp.OpGetJobs, which("some")), nil, goipp.StatusErrorAttributesOrValues)
	b.wants(b.jobAttributes(5), "number-of-intervening-jobs", "2")
	b.wants(b.jobAttributes(7), "job-state-reasons", "printer-stopped")
}

func TestJobControl(t *testing.T) {
	b := newBench(t, nil)
	b.pause()
	id := b.print("x", attr.Name("job-name", "before"))
	m := b.request(goipp.OpSetJobAttributes, jobID(id))
	m.Job = goipp.Attributes{attr.Name("job-name", "after"), attr.Int("copies", 2), attr.Int("job-priority", 60), attr.Keyword("job-hold-until", "indefinite")}
	b.do(m, nil)
	list := b.jobAttributes(id)
	for name, want := range map[string]string{"job-name": "after", "copies": "2", "job-priority": "60", "job-hold-until": "indefinite", "job-state": "4"} {
		b.wants(list, name, want)
	}
	m = b.request(goipp.OpSetJobAttributes, jobID(id))
	m.Job = goipp.Attributes{attr.Int("job-k-octets", 7)}
	b.do(m, nil, goipp.StatusErrorAttributesOrValues)
	b.do(b.request(goipp.OpReleaseJob, jobID(id)), nil)
	b.do(b.request(goipp.OpRestartJob, jobID(id)), nil, goipp.StatusErrorNotPossible)
	b.do(b.request(goipp.OpCancelJob, jobID(id)), nil)
	b.do(b.request(goipp.OpCancelJob, jobID(id)), nil, goipp.StatusErrorNotPossible)
	b.do(b.request(goipp.OpCancelJob, jobID(99)), nil, goipp.StatusErrorNotFound)
	b.do(b.request(goipp.OpCancelJob), nil, goipp.StatusErrorNotPossible) // there is no current job
	for range 3 {
		b.print("x")
	}
	b.user = "bob"
	other := b.print("x")
	b.user = "ann"
	b.do(b.request(goipp.OpCancelMyJobs), nil)
	if got := b.ids(); !slices.Equal(got, []int{int(other)}) {
		t.Errorf("left after Cancel-My-Jobs: %v", got)
	}
	b.do(b.request(goipp.OpCancelJobs), nil)
	if got := b.ids(); len(got) != 0 {
		t.Errorf("left after Cancel-Jobs: %v", got)
	}
}

func TestAgain(t *testing.T) {
	b := newBench(t, nil)
	id := b.print("once")
	b.state(id, job.Printed)
	b.do(b.request(goipp.OpRestartJob, jobID(id)), nil, goipp.StatusErrorNotPossible) // not kept
	keep := true
	b.ok(b.host.Node().UpdatePrinter(t.Context(), "hall", spooler.Settings{KeepPrinted: &keep}))
	id = b.print("kept", attr.Name("job-name", "mine"))
	b.state(id, job.Printed)
	b.do(b.request(goipp.OpRestartJob, jobID(id)), nil)
	b.state(id, job.Printed)
	again := b.jobID(b.do(b.request(goipp.OpResubmitJob, jobID(id)), nil))
	b.state(again, job.Printed)
	b.wants(b.jobAttributes(again), "job-name", "mine")
	if got := b.received(); !slices.Equal(got, []string{"once", "kept", "kept", "kept"}) {
		t.Errorf("the device has %q", got)
	}
	m := b.request(goipp.OpCupsGetDocument, jobID(id), attr.Int("document-number", 2))
	b.do(m, nil, goipp.StatusErrorNotFound)
}

func TestDocuments(t *testing.T) {
	b := newBench(t, nil)
	b.pause()
	id := b.jobID(b.do(b.request(goipp.OpCreateJob), nil))
	for i, text := range []string{"one", "two", "three"} {
		b.do(b.request(goipp.OpSendDocument, jobID(id), attr.Bool("last-document", i == 2), attr.Name("document-name", text)), strings.NewReader(text))
	}
	number := func(n int) goipp.Attribute { return attr.Int("document-number", n) }
	b.wants(b.do(b.request(goipp.OpGetDocumentAttributes, jobID(id), number(2)), nil).Document, "document-name", "two")
	b.do(b.request(goipp.OpGetDocumentAttributes, jobID(id), number(4)), nil, goipp.StatusErrorNotFound)
	b.do(b.request(goipp.OpCancelDocument, jobID(id), number(2)), nil)
	b.do(b.request(goipp.OpCancelDocument, jobID(id), number(2)), nil, goipp.StatusErrorNotPossible)
	m := b.request(goipp.OpSetDocumentAttributes, jobID(id), number(1))
	m.Document = goipp.Attributes{attr.Name("document-name", "first")}
	b.do(m, nil)
	b.wants(b.do(b.request(goipp.OpGetDocumentAttributes, jobID(id), number(1)), nil).Document, "document-name", "first")
	b.do(b.request(goipp.OpResumePrinter), nil)
	b.state(id, job.Printed)
	if got := b.received(); !slices.Equal(got, []string{"one", "three"}) {
		t.Errorf("the device has %q", got)
	}
}

func TestPrinterControl(t *testing.T) {
	b := newBench(t, nil)
	names := []string{"printer-state", "printer-state-reasons", "printer-is-accepting-jobs", "printer-state-message"}
	check := func(after goipp.Op, state, reasons, accepting string, more ...goipp.Attribute) {
		t.Helper()
		b.do(b.request(after, more...), nil)
		b.until("nothing prints", func() bool { v, err := b.host.Node().Printer("hall"); return err == nil && v.State != "printing" })
		list := b.printerAttributes(names...)
		b.wants(list, "printer-state", state)
		b.wants(list, "printer-state-reasons", reasons)
		b.wants(list, "printer-is-accepting-jobs", accepting)
	}
	check(goipp.OpPausePrinter, "5", "paused", "true", attr.Text("printer-state-message", "out to lunch"))
	b.wants(b.printerAttributes(names...), "printer-state-message", "out to lunch")
	check(goipp.OpResumePrinter, "3", "none", "true")
	check(goipp.OpDisablePrinter, "3", "none", "false")
	b.do(b.request(goipp.OpPrintJob), strings.NewReader("x"), goipp.StatusErrorNotAcceptingJobs)
	check(goipp.OpEnablePrinter, "3", "none", "true")
	check(goipp.OpHoldNewJobs, "3", "hold-new-jobs", "true")
	id := b.print("x")
	b.state(id, job.Held)
	check(goipp.OpReleaseHeldNewJobs, "3", "none", "true")
	b.state(id, job.Printed)
	check(goipp.OpDeactivatePrinter, "5", "paused", "false")
	check(goipp.OpActivatePrinter, "3", "none", "true")
	b.pause()
	id = b.print("x")
	check(goipp.OpPurgeJobs, "5", "paused", "true")
	b.state(id, job.Cancelled)

	m := b.request(goipp.OpSetPrinterAttributes)
	m.Printer = goipp.Attributes{
		attr.Text("printer-info", "the hall"), attr.Text("printer-location", "hall"), attr.Keyword("sides-default", "two-sided-long-edge"),
		attr.Mime("document-format-supported", "application/pdf"), attr.Int("number-up-supported", 1, 2),
	}
	b.do(m, nil)
	list := b.printerAttributes()
	for name, want := range map[string]string{
		"printer-info": "the hall", "printer-location": "hall", "sides-default": "two-sided-long-edge",
		"document-format-supported": "application/pdf", "document-format-default": "application/pdf", "number-up-supported": "[1,2]",
	} {
		b.wants(list, name, want)
	}
	m = b.request(goipp.OpSetPrinterAttributes)
	m.Printer = goipp.Attributes{attr.Text("printer-info", "changed"), attr.Int("printer-up-time", 7)}
	bad := b.do(m, nil, goipp.StatusErrorAttributesNotSettable)
	if !attr.Has(bad.Unsupported, "printer-up-time") {
		t.Errorf("unsupported: %v", bad.Unsupported)
	}
	b.wants(b.printerAttributes("printer-info"), "printer-info", "the hall")
}

func TestSubscriptions(t *testing.T) {
	b := newBench(t, nil)
	m := b.request(goipp.OpCreatePrinterSubscriptions)
	wish := goipp.Attributes{attr.Keyword("notify-pull-method", "ippget"), attr.Keyword("notify-events", "job-completed", "printer-state-changed"), attr.Octets("notify-user-data", "mine")}
	push := goipp.Attributes{attr.URI("notify-recipient-uri", "mailto:x")}
	m.Groups = goipp.Groups{{Tag: goipp.TagOperationGroup, Attrs: m.Operation}, {Tag: goipp.TagSubscriptionGroup, Attrs: wish}, {Tag: goipp.TagSubscriptionGroup, Attrs: push}}
	id, _, _ := attr.ReadInt(b.do(m, nil, goipp.StatusOkIgnoredSubscriptions).Subscription, "notify-subscription-id")
	m.Groups = slices.Delete(m.Groups, 1, 2)
	b.do(m, nil, goipp.StatusErrorIgnoredAllSubscriptions)
	b.state(b.print("x", attr.Name("job-name", "title")), job.Printed)
	events := func(from int) (names []string) {
		for _, g := range b.do(b.request(goipp.OpGetNotifications, attr.Int("notify-subscription-ids", id), attr.Int("notify-sequence-numbers", from)), nil).Groups {
			if g.Tag == goipp.TagEventNotificationGroup {
				name, _, _ := attr.ReadText(g.Attrs, "notify-event")
				n, _, _ := attr.ReadInt(g.Attrs, "notify-sequence-number")
				names = append(names, fmt.Sprint(n, " ", name))
			}
		}
		return names
	}
	b.until("the job is told", func() bool { return slices.Equal(events(0), []string{"1 job-completed"}) })
	b.pause()
	b.until("the pause is told", func() bool { return slices.Equal(events(2), []string{"2 printer-stopped"}) })
	sub := attr.Int("notify-subscription-id", id)
	list := b.do(b.request(goipp.OpGetSubscriptionAttributes, sub), nil).Subscription
	b.wants(list, "notify-events", "[job-completed,printer-state-changed]")
	b.wants(b.do(b.request(goipp.OpRenewSubscription, sub, attr.Int("notify-lease-duration", 60)), nil).Subscription, "notify-lease-duration", "60")
	if n := len(b.do(b.request(goipp.OpGetSubscriptions), nil).Groups); n != 2 {
		t.Errorf("%d subscriptions", n-1)
	}
	b.do(b.request(goipp.OpCancelSubscription, sub), nil)
	b.do(b.request(goipp.OpGetSubscriptionAttributes, sub), nil, goipp.StatusErrorNotFound)
}

// A page of one printer of many costs about as much as one of few.
func TestManyPrinters(t *testing.T) {
	b := newBench(t, nil)
	const many = 300
	for i := range many {
		b.ok(b.host.Node().AddPrinter(t.Context(), fmt.Sprintf("p%04d", i), spooler.Settings{Ports: []string{"P1"}}))
	}
	count := func(more ...goipp.Attribute) (names []string) {
		t.Helper()
		m := b.request(goipp.OpCupsGetPrinters, append(more, attr.Keyword("requested-attributes", "printer-name"))...)
		for _, g := range b.do(m, nil).Groups[1:] {
			if len(g.Attrs) != 1 {
				t.Errorf("more than was asked for: %v", g.Attrs)
			}
			names = append(names, g.Attrs[0].Values.String())
		}
		return names
	}
	if n := len(count()); n != many+1 {
		t.Errorf("%d printers", n)
	}
	if got := count(attr.Int("limit", 2), attr.Name("first-printer-name", "P0100")); !slices.Equal(got, []string{"p0100", "p0101"}) {
		t.Errorf("a page: %v", got)
	}
}

func TestCUPS(t *testing.T) {
	b := newBench(t, nil)
	b.wants(b.do(b.request(goipp.OpCupsGetDefault), nil).Printer, "printer-name", "hall")
	to := func(name string) goipp.Attribute { return attr.URI("printer-uri", "ipp://localhost/printers/"+name) }
	add := func(name, device string, want ...goipp.Status) {
		t.Helper()
		m := b.request(goipp.OpCupsAddModifyPrinter)
		m.Operation = attr.Put(m.Operation, to(name))
		m.Printer = goipp.Attributes{attr.URI("device-uri", device), attr.Bool("printer-is-accepting-jobs", true), attr.Enum("printer-state", 3)}
		b.do(m, nil, want...)
	}
	add("attic", "spoolhost:///P1")
	add("attic", "spoolhost:///P9", goipp.StatusErrorNotFound)
	add("cellar", "parallel:/dev/lp0", goipp.StatusErrorAttributesOrValues)
	b.do(b.request(goipp.OpCupsGetDefault), nil, goipp.StatusErrorNotFound) // two, and none is named
	m := b.request(goipp.OpCupsSetDefault)
	m.Operation = attr.Put(m.Operation, to("attic"))
	b.do(m, nil)
	b.wants(b.do(b.request(goipp.OpCupsGetDefault), nil).Printer, "printer-name", "attic")
	b.pause()
	id := b.print("x")
	m = b.request(goipp.OpCupsMoveJob, jobID(id))
	m.Job = goipp.Attributes{attr.URI("job-printer-uri", "ipp://x/printers/attic")}
	b.do(m, nil)
	b.state(id, job.Printed)
	id = b.print("y")
	m = b.request(goipp.OpCupsMoveJob)
	m.Job = goipp.Attributes{attr.URI("job-printer-uri", "ipp://x/printers/attic")}
	b.do(m, nil)
	b.state(id, job.Printed)
	m = b.request(goipp.OpCupsDeletePrinter)
	m.Operation = attr.Put(m.Operation, to("attic"))
	b.do(m, nil)
	b.do(m, nil, goipp.StatusErrorNotFound)
	if b.host.Node().DefaultPrinter() != "hall" {
		t.Error("the only printer is not the default")
	}
}
