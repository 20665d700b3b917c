package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/host/hosttest"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/spooler"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

// TestKillWhileSpooling kills a host whose port prints a document that is still being
// received: nobody was told that it is accepted, so the next life cancels it, says so, and
// prints on.
func TestKillWhileSpooling(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	dir := shortDir(t)
	sink, err := hosttest.NewSink(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	first := startServe(ctx, t, dir)
	setUpPrinters(ctx, t, first.addr, sink.Port(), 1)
	conn, err := dialTest(first.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	early := spooler.WhileSpooling
	if _, err := apiv1.NewPrintersClient(conn).UpdatePrinter(ctx, &apiv1.UpdatePrinterRequest{
		Name: "P0", Settings: &apiv1.PrinterSettings{StartPrinting: &early},
	}); err != nil {
		t.Fatal(err)
	}

	stream, err := apiv1.NewJobsClient(conn).SubmitJob(ctx)
	if err != nil {
		t.Fatal(err)
	}
	parts := []*apiv1.SubmitJobRequest{{Part: &apiv1.SubmitJobRequest_Header{Header: &apiv1.SubmitHeader{Printer: "P0", Title: "long"}}}}
	for range 64 {
		parts = append(parts, &apiv1.SubmitJobRequest{Part: &apiv1.SubmitJobRequest_Chunk{Chunk: make([]byte, 16<<10)}})
	}
	for _, p := range parts { // and no end
		if err := stream.Send(p); err != nil {
			t.Fatal(err)
		}
	}
	const id = 1
	prints := func() bool {
		r, err := apiv1.NewJobsClient(conn).GetJob(ctx, &apiv1.GetJobRequest{Id: id})
		a := r.GetJob().GetAttempts()
		return err == nil && r.GetJob().GetSize() == 1<<20 && len(a) == 1 && a[0].GetBytesSent() > 0
	}
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for !prints() {
		select {
		case <-poll.C:
		case <-ctx.Done():
			t.Fatal("the document never prints")
		}
	}
	first.kill()
	if r, err := stream.CloseAndRecv(); err == nil {
		t.Errorf("a document that had not come whole was accepted: %v", r)
	}

	second := startServe(ctx, t, dir)
	api := testAPI(t, second.addr)
	again, err := dialTest(second.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	r, err := apiv1.NewJobsClient(again).GetJob(ctx, &apiv1.GetJobRequest{Id: id})
	if err != nil {
		t.Fatal(err)
	}
	j := r.GetJob()
	if j.GetState() != string(job.Cancelled) || !strings.Contains(j.GetReason(), "submit it again") ||
		len(j.GetAttempts()) != 1 || j.GetAttempts()[0].GetOutcome() != string(job.Interrupted) {
		t.Errorf("%+v", j)
	}
	next, err := submitOnce(ctx, second.addr, "P0", []byte("the next document"))
	if err != nil || next <= id {
		t.Fatalf("job %d, %v", next, err)
	}
	if _, err := waitJob(ctx, api.call, &apiv1.Job{Id: next}); err != nil {
		t.Error(err)
	}
	second.kill()
}
