//go:build unix

package host

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/spoolhost/spoolhost/host/pointprint/client"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

// newSecureQueues are queues whose client comes over TLS, and is nobody at the server.
func newSecureQueues(t *testing.T) *queues {
	t.Helper()
	p, address := secured(t, func(*Config) {})
	q := &queues{pair: p}
	q.connect(address)
	return q
}

// forwarded is what a job of the client has become, as the client was last told.
func (q *queues) forwarded(id uint64) *apiv1.ForwardedJob {
	r, err := q.near().GetJob(q.t.Context(), &apiv1.GetJobRequest{Id: id})
	if err != nil || len(r.GetJob().GetForwarded()) != 1 {
		return nil
	}
	return r.GetJob().GetForwarded()[0]
}

// TestForwardByNobody: at a server that does not know it, a client may see and cancel what it
// has sent, through a restart of the server too, and nothing else.
func TestForwardByNobody(t *testing.T) {
	t.Parallel()
	q := newSecureQueues(t)
	resume := q.stall()
	ids := []uint64{q.print(page(1 << 10)), q.print(page(1 << 10))}
	for _, id := range ids {
		await(t, "the job to be queued there", func() bool { return q.forwarded(id).GetJob().GetState() == "queued" })
	}
	if list := q.here(false); len(list) != 2 {
		t.Errorf("the client lists %v", list)
	}
	q.serverNode.stop()
	q.server = q.serverNode.start()
	if _, err := q.near().CancelJob(t.Context(), &apiv1.CancelJobRequest{Id: ids[0]}); err != nil {
		t.Error(err)
	}
	gone := q.forwarded(ids[0]).GetId()
	await(t, "the cancellation", func() bool {
		f := q.forwarded(ids[0])
		return f.GetOver() && f.GetJob().GetState() == "cancelled"
	})
	resume()
	await(t, "the other to print there", func() bool {
		f := q.forwarded(ids[1])
		return f.GetOver() && f.GetJob().GetState() == "printed" && f.GetId() != gone
	})
	await(t, "the client to list nothing", func() bool { return len(q.here(false)) == 0 })
	if got := q.sink.Receipts(); len(got) != 1 {
		t.Errorf("%d documents were printed", len(got))
	}
}

// TestForwardToAStranger: a job whose server is not the one that got it is not over. It is
// followed again when the server is back.
func TestForwardToAStranger(t *testing.T) {
	t.Parallel()
	q := newSecureQueues(t)
	q.stall()
	id := q.print(page(1 << 10))
	await(t, "the job to be queued there", func() bool { return q.forwarded(id).GetJob().GetState() == "queued" })
	identity := filepath.Join(q.serverNode.cfg.Data, "identity")
	restart := func(from, to string) {
		t.Helper()
		q.serverNode.stop()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
		q.server = q.serverNode.start()
	}
	restart(identity, identity+".kept")
	await(t, "the client to say so", func() bool {
		list := q.here(false)
		return len(list) == 1 && strings.Contains(list[0].GetForwarded()[0].GetProblem(), "the server is not asked")
	})
	_, err := q.near().CancelJob(t.Context(), &apiv1.CancelJobRequest{Id: id})
	if err = spoolgrpc.FromStatus(err); !errors.Is(err, client.CodeIdentity) {
		t.Errorf("%v", err)
	}
	why, err := apiv1.NewHostClient(q.dialClient()).Explain(t.Context(), &apiv1.ExplainRequest{Kind: "job", Name: strconv.FormatUint(id, 10)})
	if err != nil || !strings.Contains(strings.Join(why.GetAdvice(), " "), "the server is not asked") {
		t.Errorf("why: %v, %v", why, err)
	}
	q.serverNode.stop()
	if err := os.RemoveAll(identity); err != nil {
		t.Fatal(err)
	}
	restart(identity+".kept", identity)
	await(t, "the cancellation there", func() bool {
		f := q.forwarded(id)
		return f.GetOver() && f.GetJob().GetState() == "cancelled"
	})
}
