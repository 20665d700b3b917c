package cluster_test

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/OpenPrinting/goipp"

	"github.com/spoolhost/spoolhost/host"
	"github.com/spoolhost/spoolhost/host/frontend/ipp/attr"
	"github.com/spoolhost/spoolhost/host/hosttest"
	"github.com/spoolhost/spoolhost/host/job"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

// byIPP asks a node for the printer Office of the cluster spooler.
func (h *hosts) byIPP(through *node, op goipp.Op, document string, more ...goipp.Attribute) *goipp.Message {
	h.Helper()
	return h.ask(through, op, strings.NewReader(document), nil, more...)
}

// ask is byIPP with groups of subscription attributes, and a document that comes bit by bit.
func (h *hosts) ask(through *node, op goipp.Op, document io.Reader, wanted goipp.Groups, more ...goipp.Attribute) *goipp.Message {
	h.Helper()
	addr := through.host.IPPAddrs()[0]
	m := goipp.NewRequest(goipp.DefaultVersion, op, 7)
	m.Operation = append(goipp.Attributes{
		attr.Charset("attributes-charset", "utf-8"), attr.Language("attributes-natural-language", "en"),
		attr.URI("printer-uri", "ipp://"+addr+"/spoolers/ntprint/printers/Office"), attr.Name("requesting-user-name", "ann"),
	}, more...)
	if wanted != nil {
		m.Groups = append(goipp.Groups{{Tag: goipp.TagOperationGroup, Attrs: m.Operation}}, wanted...)
	}
	head, err := m.EncodeBytes()
	h.ok(err)
	request, err := http.NewRequestWithContext(h.Context(), http.MethodPost, "http://"+addr+"/", io.MultiReader(bytes.NewReader(head), document))
	h.ok(err)
	request.Header.Set("Content-Type", goipp.ContentType)
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	h.ok(err)
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	h.ok(err)
	var answer goipp.Message
	if err := answer.DecodeBytes(data); err != nil {
		h.Fatalf("%s through %s: HTTP %d, %v: %q", op, addr, response.StatusCode, err, data)
	}
	return &answer
}

// done is byIPP for what must succeed.
func (h *hosts) done(through *node, op goipp.Op, document string, more ...goipp.Attribute) *goipp.Message {
	h.Helper()
	answer := h.byIPP(through, op, document, more...)
	if goipp.Status(answer.Code) != goipp.StatusOk {
		text, _, _ := attr.ReadText(answer.Operation, "status-message")
		h.Fatalf("%s: %s (%s)", op, goipp.Status(answer.Code), text)
	}
	return answer
}

func (h *hosts) jobOf(m *goipp.Message) uint64 {
	h.Helper()
	id, ok, err := attr.ReadInt(m.Job, "job-id")
	if !ok || err != nil {
		h.Fatalf("no job-id: %v", m.Job)
	}
	return uint64(id)
}

func ipped(_ int, c *host.Config) { c.IPP.Listen = []string{"127.0.0.1:0"} }

// TestAnyNodeByIPP: a printer of a cluster spooler is the same at every node.
func TestAnyNodeByIPP(t *testing.T) {
	t.Parallel()
	h := bootHosts(t, 2, ipped)
	h.create("n2")
	_, to := h.sink()
	h.printer(h.nodes[0], "Office", to)
	var uuids []string
	for _, n := range h.nodes {
		printed := h.jobOf(h.done(n, goipp.OpPrintJob, "one"))
		open := h.jobOf(h.done(n, goipp.OpCreateJob, ""))
		h.done(n, goipp.OpSendDocument, "two", attr.Int("job-id", int(open)), attr.Bool("last-document", false))
		h.done(n, goipp.OpSendDocument, "three", attr.Int("job-id", int(open)), attr.Bool("last-document", true))
		h.printed(n, printed)
		h.printed(n, open)
		p := h.done(n, goipp.OpGetPrinterAttributes, "").Printer
		uri, _, _ := attr.ReadText(p, "printer-uri-supported")
		if want := "ipp://" + n.host.IPPAddrs()[0] + "/spoolers/NTPRINT/printers/Office"; uri != want {
			t.Errorf("the printer is at %s, want %s", uri, want)
		}
		uuid, _, _ := attr.ReadText(p, "printer-uuid")
		uuids = append(uuids, uuid)
		h.done(n, goipp.OpGetJobAttributes, "", attr.Int("job-id", int(printed)))
	}
	if uuids[0] != uuids[1] || uuids[0] == "" {
		t.Errorf("the printer has the names %v", uuids)
	}
	list := h.done(h.nodes[0], goipp.OpGetJobs, "", attr.Keyword("which-jobs", "completed"))
	count := 0
	for _, g := range list.Groups {
		if g.Tag == goipp.TagJobGroup {
			count++
		}
	}
	if count != 4 {
		t.Errorf("%d jobs are listed, want 4", count)
	}
	if got := goipp.Status(h.byIPP(h.nodes[0], goipp.OpGetJobAttributes, "", attr.Int("job-id", 999)).Code); got != goipp.StatusErrorNotFound {
		t.Errorf("an unknown job: %s", got)
	}
}

// TestNobodyOwnsByIPP: while no node owns the spooler, documents are taken and told of.
func TestNobodyOwnsByIPP(t *testing.T) {
	t.Parallel()
	h := bootHosts(t, 2, ipped)
	h.create("n2")
	_, to := h.sink()
	h.printer(h.nodes[0], "Office", to)
	for _, n := range h.nodes {
		_, err := n.DrainNode(t.Context(), &apiv1.DrainNodeRequest{Name: n.host.Cluster().Name()})
		h.ok(err)
	}
	h.until("nobody owns it", func() bool {
		v, _ := h.nodes[0].host.Cluster().View()
		_, _, owned := v.OwnerOf(spoolerName)
		return !owned
	})
	p := h.done(h.nodes[0], goipp.OpGetPrinterAttributes, "").Printer
	if reasons, _, _ := attr.ReadTexts(p, "printer-state-reasons"); len(reasons) != 1 || reasons[0] != "none" {
		t.Errorf("a printer whose spooler has no owner is said to be %v", reasons)
	}
	id := h.jobOf(h.done(h.nodes[0], goipp.OpPrintJob, "kept"))
	if j := h.done(h.nodes[0], goipp.OpGetJobAttributes, "", attr.Int("job-id", int(id))); h.jobOf(j) != id {
		t.Errorf("job %d is told of as %v", id, j.Job)
	}
	_, err := h.nodes[0].ResumeNode(t.Context(), &apiv1.ResumeNodeRequest{Name: "n1"})
	h.ok(err)
	h.printed(h.nodes[0], id)
}

// TestEventsThroughAnotherNode: a client that asks a node which does not own the spooler has
// its subscriptions there, also one that came with a job, and gets their events.
func TestEventsThroughAnotherNode(t *testing.T) {
	t.Parallel()
	h := bootHosts(t, 2, ipped)
	h.create("n2")
	_, to := h.sink()
	h.printer(h.nodes[0], "Office", to)
	other := h.nodes[0]
	wanted := goipp.Groups{{Tag: goipp.TagSubscriptionGroup, Attrs: goipp.Attributes{
		attr.Keyword("notify-events", "job-completed"), attr.Keyword("notify-pull-method", "ippget"),
	}}}
	subscribed := func(op goipp.Op, document string) (int, *goipp.Message) {
		t.Helper()
		answer := h.ask(other, op, strings.NewReader(document), wanted)
		id, has, err := attr.ReadInt(answer.Subscription, "notify-subscription-id")
		if goipp.Status(answer.Code) != goipp.StatusOk || !has || err != nil {
			t.Fatalf("%s: %s, %v", op, goipp.Status(answer.Code), answer.Groups)
		}
		return id, answer
	}
	printers, _ := subscribed(goipp.OpCreatePrinterSubscriptions, "")
	withJob, answer := subscribed(goipp.OpPrintJob, "one")
	h.printed(other, h.jobOf(answer))
	if printers == withJob { // made on different nodes, which count each by itself
		t.Errorf("two subscriptions have the number %d", printers)
	}
	for _, id := range []int{printers, withJob} {
		h.until("the event of subscription "+strconv.Itoa(id), func() bool {
			told := h.done(other, goipp.OpGetNotifications, "", attr.Int("notify-subscription-ids", id))
			for _, g := range told.Groups {
				if event, _, _ := attr.ReadText(g.Attrs, "notify-subscribed-event"); g.Tag == goipp.TagEventNotificationGroup && event == "job-completed" {
					return true
				}
			}
			return false
		})
	}
	h.done(other, goipp.OpRenewSubscription, "", attr.Int("notify-subscription-id", printers))
	h.done(other, goipp.OpCancelSubscription, "", attr.Int("notify-subscription-id", printers))
	if got := goipp.Status(h.byIPP(other, goipp.OpGetNotifications, "", attr.Int("notify-subscription-ids", printers)).Code); got != goipp.StatusErrorNotFound {
		t.Errorf("a cancelled subscription: %s", got)
	}
}

// TestSlowDocumentThroughAnotherNode: the owner knows that a document is still being sent to
// another node, and does not take its submitter for gone.
func TestSlowDocumentThroughAnotherNode(t *testing.T) {
	t.Parallel()
	clock := hosttest.NewClock(time.Now())
	h := bootHosts(t, 2, func(n int, c *host.Config) {
		ipped(n, c)
		c.Now = clock.Now
	})
	h.create("n2")
	_, to := h.sink()
	h.printer(h.nodes[0], "Office", to)
	id := h.jobOf(h.done(h.nodes[0], goipp.OpCreateJob, ""))
	owner, ok := h.nodes[1].host.Cluster().Instances()[0].(interface{ Queue() *job.Queue })
	if !ok {
		t.Fatal("the owner's jobs cannot be seen")
	}
	document, sender := io.Pipe()
	var sending sync.WaitGroup
	sending.Go(func() {
		h.ask(h.nodes[0], goipp.OpSendDocument, document, nil, attr.Int("job-id", int(id)), attr.Bool("last-document", true))
	})
	for range 3 {
		clock.Forward(time.Minute)
		now := clock.Now()
		h.until("the owner has heard of the submitter", func() bool {
			_, err := sender.Write(make([]byte, 4096))
			h.ok(err)
			j, err := owner.Queue().Get(t.Context(), id)
			return err == nil && !j.Touched.Before(now)
		})
	}
	h.ok(sender.Close())
	sending.Wait()
	h.printed(h.nodes[0], id)
}
