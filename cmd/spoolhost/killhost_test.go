package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/spoolhost/spoolhost/host/hosttest"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

// serveProcess is "spoolhost serve" in a process of its own, which can be killed.
type serveProcess struct {
	cmd  *exec.Cmd
	addr string
	line string // what it said when it was ready
}

// startServe runs this test binary as spoolhost (see TestMain) and waits for its line.
func startServe(ctx context.Context, t *testing.T, dir string, args ...string) *serveProcess {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	addr := "unix:" + filepath.Join(dir, "s")
	cmd := exec.CommandContext(ctx, self, append([]string{"serve", "--data", filepath.Join(dir, "data"), "--listen", addr, "--ipp", "none"}, args...)...)
	log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.Contains(line, "is ready") {
		text, _ := os.ReadFile(filepath.Join(dir, "log"))
		t.Fatalf("serve said %q (%v); its log:\n%s", line, err, text)
	}
	return &serveProcess{cmd: cmd, addr: addr, line: line}
}

// kill is kill -9; it returns when the process is gone.
func (p *serveProcess) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// shortDir is a directory whose path leaves room for socket names.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sh")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// ledger is what the clients were told.
type ledger struct {
	mu    sync.Mutex
	acked map[uint64]string // job id -> SHA-256 of its document
	again []uint64          // ids that were given twice
	next  int
}

func (l *ledger) ack(id uint64, sum string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, twice := l.acked[id]; twice {
		l.again = append(l.again, id)
	}
	l.acked[id] = sum
}

func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

// waitFor waits until so many submissions are acknowledged.
func (l *ledger) waitFor(ctx context.Context, n int) {
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for l.count() < n && ctx.Err() == nil {
		<-poll.C
	}
}

// document makes one that nobody made before.
func (l *ledger) document() ([]byte, string) {
	l.mu.Lock()
	l.next++
	n := l.next
	l.mu.Unlock()
	pairs := 500 + rand.IntN(60_000)
	if n%5 == 0 {
		pairs += 150_000 // too long for a segment: it has a file of its own
	}
	doc := append([]byte(fmt.Sprintf("document %06d ", n)), bytes.Repeat([]byte{byte(n), byte(n >> 8)}, pairs)...)
	sum := sha256.Sum256(doc)
	return doc, hex.EncodeToString(sum[:])
}

// TestNoAcknowledgedJobIsLost kills the host at random points while clients submit, and
// holds their acknowledgements against what the printer saw.
func TestNoAcknowledgedJobIsLost(t *testing.T) {
	const (
		submissions = 300
		kills       = 12
		clients     = 8
		printers    = 3
	)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	dir := shortDir(t)
	sink, err := hosttest.NewSink(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	host := startServe(ctx, t, dir)
	setUpPrinters(ctx, t, host.addr, sink.Port(), printers)

	l := &ledger{acked: make(map[uint64]string)}
	addr := host.addr
	tokens := make(chan struct{}, submissions*2) // one allows one acknowledged submission
	submitting, stopSubmitting := context.WithCancel(ctx)
	var submitters sync.WaitGroup
	for c := range clients {
		submitters.Add(1)
		go func() {
			defer submitters.Done()
			for {
				select {
				case <-tokens:
				case <-submitting.Done():
					return
				}
				doc, sum := l.document()
				if id, err := submitOnce(submitting, addr, fmt.Sprintf("P%d", c%printers), doc); err == nil {
					l.ack(id, sum)
				}
			}
		}()
	}
	grant := func(n int) {
		for range n {
			select {
			case tokens <- struct{}{}:
			default: // enough are waiting
			}
		}
	}
	killed := 0
	for ; killed < kills || l.count() < submissions; killed++ {
		grant(2 * submissions / kills)
		// Some are acknowledged, however slow the machine is; then comes a random point.
		l.waitFor(ctx, l.count()+rand.IntN(2*submissions/kills))
		pause := time.NewTimer(time.Duration(rand.IntN(20_000)) * time.Microsecond)
		<-pause.C
		host.kill()
		host = startServe(ctx, t, dir)
	}
	stopSubmitting()
	submitters.Wait()
	t.Logf("%d acknowledged submissions, %d kills of the host", l.count(), killed)
	if len(l.again) > 0 {
		t.Errorf("job ids given twice: %v", l.again)
	}
	waitPrinted(ctx, t, addr, l)
	checkReceipts(t, sink.Receipts(), l)
	checkAttempts(ctx, t, addr, sink.Receipts(), l)
	if err := host.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := host.cmd.Wait(); err != nil {
		t.Errorf("serve did not end with status 0: %v", err)
	}
}

func dialTest(addr string) (*grpc.ClientConn, error) {
	return grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
}

func setUpPrinters(ctx context.Context, t *testing.T, addr string, port, n int) {
	t.Helper()
	conn, err := dialTest(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for i := range n {
		name := fmt.Sprintf("P%d", i)
		_, err := apiv1.NewPortsClient(conn).AddPort(ctx, &apiv1.AddPortRequest{
			Name: "IP" + name, Monitor: demoMonitor, Settings: map[string]string{"host": "127.0.0.1", "port": fmt.Sprint(port)},
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = apiv1.NewPrintersClient(conn).AddPrinter(ctx, &apiv1.AddPrinterRequest{
			Name: name, Settings: &apiv1.PrinterSettings{Ports: []string{"IP" + name}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// submitOnce is one client with one document; it does not try again.
func submitOnce(ctx context.Context, addr, printer string, doc []byte) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	conn, err := dialTest(addr)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	stream, err := apiv1.NewJobsClient(conn).SubmitJob(ctx)
	if err != nil {
		return 0, err
	}
	parts := []*apiv1.SubmitJobRequest{{Part: &apiv1.SubmitJobRequest_Header{Header: &apiv1.SubmitHeader{Printer: printer, Title: "kill test"}}}}
	for chunk := range slices.Chunk(doc, 16<<10) {
		parts = append(parts, &apiv1.SubmitJobRequest{Part: &apiv1.SubmitJobRequest_Chunk{Chunk: chunk}})
	}
	parts = append(parts, &apiv1.SubmitJobRequest{Part: &apiv1.SubmitJobRequest_End{End: &apiv1.SubmitEnd{Size: uint64(len(doc))}}})
	for _, p := range parts {
		if err := stream.Send(p); err != nil {
			return 0, err
		}
	}
	r, err := stream.CloseAndRecv()
	return r.GetJob().GetId(), err
}

// waitPrinted waits until every acknowledged job is recorded as printed.
func waitPrinted(ctx context.Context, t *testing.T, addr string, l *ledger) {
	t.Helper()
	api := testAPI(t, addr)
	for id := range l.acked {
		if _, err := waitJob(ctx, api.call, &apiv1.Job{Id: id}); err != nil {
			t.Errorf("job %d: %v", id, err)
		}
	}
}

// testAPI is a client that the test closes.
func testAPI(t *testing.T, addr string) *demoAPI {
	t.Helper()
	api, err := dialDemo(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.close)
	return api
}

// checkReceipts: every acknowledged document arrived whole, and no document was on two
// connections at once.
func checkReceipts(t *testing.T, receipts []hosttest.Receipt, l *ledger) {
	t.Helper()
	whole := make(map[string]int)
	byDocument := make(map[string][]hosttest.Receipt)
	for _, r := range receipts {
		whole[r.SHA256]++
		if len(r.First) >= 15 {
			byDocument[string(r.First[:15])] = append(byDocument[string(r.First[:15])], r)
		}
	}
	for id, sum := range l.acked {
		if whole[sum] == 0 {
			t.Errorf("job %d was acknowledged, but its document never arrived whole", id)
		}
	}
	for name, list := range byDocument {
		for i := 1; i < len(list); i++ {
			if list[i-1].Ended.IsZero() || list[i].Began.Before(list[i-1].Ended) {
				t.Errorf("%s was on two connections at once: %v to %v, and from %v",
					name, list[i-1].Began, list[i-1].Ended, list[i].Began)
			}
		}
	}
}

// checkAttempts: a document arrived whole a second time only where an attempt is recorded
// that was interrupted, so that nothing recorded as printed was printed again.
func checkAttempts(ctx context.Context, t *testing.T, addr string, receipts []hosttest.Receipt, l *ledger) {
	t.Helper()
	whole := make(map[string]int)
	for _, r := range receipts {
		whole[r.SHA256]++
	}
	conn, err := dialTest(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for id, sum := range l.acked {
		r, err := apiv1.NewJobsClient(conn).GetJob(ctx, &apiv1.GetJobRequest{Id: id})
		if err != nil {
			t.Fatal(err)
		}
		printed := 0
		for _, a := range r.GetJob().GetAttempts() {
			if a.GetOutcome() == "printed" {
				printed++
			}
		}
		if attempts := len(r.GetJob().GetAttempts()); printed != 1 || whole[sum] > attempts {
			t.Errorf("job %d: %d whole copies, %d attempts, %d of them printed", id, whole[sum], attempts, printed)
		}
	}
}
