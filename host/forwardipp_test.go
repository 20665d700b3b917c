//go:build unix

package host

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"testing"

	"github.com/OpenPrinting/goipp"

	"github.com/spoolhost/spoolhost/host/frontend/ipp/attr"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

// byIPP asks the client's host for the printer of its connection.
func (q *queues) byIPP(op goipp.Op, more ...goipp.Attribute) goipp.Status {
	q.t.Helper()
	must := func(err error) {
		if err != nil {
			q.t.Helper()
			q.t.Fatal(err)
		}
	}
	addr := q.client.IPPAddrs()[0]
	m := goipp.NewRequest(goipp.DefaultVersion, op, 1)
	m.Operation = append(goipp.Attributes{
		attr.Charset("attributes-charset", "utf-8"), attr.Language("attributes-natural-language", "en"),
		attr.URI("printer-uri", "ipp://"+addr+"/printers/"+url.PathEscape(q.name().String())),
	}, more...)
	body, err := m.EncodeBytes()
	must(err)
	request, err := http.NewRequestWithContext(q.t.Context(), http.MethodPost, "http://"+addr+"/", bytes.NewReader(body))
	must(err)
	request.Header.Set("Content-Type", goipp.ContentType)
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	must(err)
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	must(err)
	var answer goipp.Message
	must(answer.DecodeBytes(data))
	return goipp.Status(answer.Code)
}

// TestCancelByIPP: a print dialog's user cancels jobs that have been forwarded: one, all of
// theirs, all of the queue; each is cancelled on the server, and no other.
func TestCancelByIPP(t *testing.T) {
	t.Parallel()
	q := newQueues(t)
	q.clientNode.stop()
	q.clientNode.cfg.IPP.Listen = []string{"127.0.0.1:0"}
	q.client = q.clientNode.start()
	q.stall()
	send := func() uint64 {
		t.Helper()
		id := q.print(page(1 << 10))
		await(t, "the job to be sent", func() bool {
			r, err := q.near().GetJob(t.Context(), &apiv1.GetJobRequest{Id: id})
			return err == nil && r.GetJob().GetState() == "printed"
		})
		return id
	}
	cancelled := func(n, others int) {
		t.Helper()
		await(t, "the cancellation at the server", func() bool {
			states := make(map[string]int)
			for _, j := range q.there(true) {
				states[j.GetState()]++
			}
			return states["cancelled"] == n && states["queued"] == others
		})
	}
	for i, op := range []goipp.Op{goipp.OpCancelJob, goipp.OpCancelMyJobs, goipp.OpCancelJobs} {
		id := send()
		if other := send(); op == goipp.OpCancelJob {
			if got := q.byIPP(op, attr.Int("job-id", int(id))); got != goipp.StatusOk {
				t.Fatalf("%s: %s", op, got)
			}
			cancelled(1, 1)
			id = other
			op = goipp.OpCancelMyJobs
		}
		if got := q.byIPP(op); got != goipp.StatusOk {
			t.Fatalf("%s: %s", op, got)
		}
		cancelled(2*i+2, 0)
		await(t, "the client to know of job", func() bool {
			r, err := q.near().GetJob(t.Context(), &apiv1.GetJobRequest{Id: id})
			f := r.GetJob().GetForwarded()
			return err == nil && len(f) == 1 && f[0].GetJob().GetState() == "cancelled"
		})
	}
	send()
	if r, err := apiv1.NewPrintersClient(q.dialClient()).PurgePrinter(t.Context(), &apiv1.PurgePrinterRequest{Name: q.name().String()}); err != nil || r.GetCancelled() != 1 {
		t.Errorf("purged: %v, %v", r, err)
	}
	cancelled(7, 0)
	if got := q.sink.Receipts(); len(got) != 0 {
		t.Errorf("%d documents were printed", len(got))
	}
}
