package ipp_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/OpenPrinting/goipp"

	"github.com/spoolhost/spoolhost/host"
	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/frontend/ipp/attr"
	"github.com/spoolhost/spoolhost/host/hosttest"
	"github.com/spoolhost/spoolhost/host/hosttest/poll"
	"github.com/spoolhost/spoolhost/host/hosttest/unraced"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/spooler"
)

func TestMain(m *testing.M) {
	hosttest.ServeMonitor()
	unraced.Main(m)
}

const monitorName = "Test Monitor"

// bench is a host that serves IPP, a device, and a client.
type bench struct {
	*testing.T
	dir    string
	host   *host.Host
	sink   *hosttest.Sink
	addr   string
	scheme string
	client *http.Client
	user   string
	// account and password are sent if account is not empty.
	account, password string
	id                uint32
}

func newBench(t *testing.T, adjust func(*host.Config)) *bench {
	t.Helper()
	dir, err := os.MkdirTemp("", "ipp") // t.TempDir is too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	sink, err := hosttest.NewSink(nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg := host.DefaultConfig()
	cfg.Data, cfg.Listen = filepath.Join(dir, "data"), []string{"unix:" + filepath.Join(dir, "api")}
	cfg.Builtins = []catalog.Monitor{hosttest.Monitor(monitorName)}
	cfg.IPP.Listen = []string{"127.0.0.1:0"}
	if adjust != nil {
		adjust(&cfg)
	}
	h, err := host.New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	b := &bench{T: t, dir: dir, host: h, sink: sink, scheme: "http", client: &http.Client{Transport: &http.Transport{}}, user: "ann"}
	t.Cleanup(func() {
		b.client.CloseIdleConnections()
		stop()
		if err := <-done; err != nil {
			t.Errorf("the host ended: %v", err)
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		sink.Close()
		_ = os.RemoveAll(dir)
	})
	select {
	case <-h.Ready():
	case err := <-done:
		done <- err
		t.Fatal(err)
	case <-time.After(poll.Patience):
		t.Fatal("the host is not ready")
	}
	b.addr = h.IPPAddrs()[0]
	b.ok(h.Node().AddPort(t.Context(), "P1", monitorName, map[string]string{"to": fmt.Sprintf("127.0.0.1:%d", sink.Port())}))
	b.ok(h.Node().AddPrinter(t.Context(), "hall", spooler.Settings{Ports: []string{"P1"}}))
	return b
}

func (b *bench) ok(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) uri() string { return "ipp://" + b.addr + "/printers/hall" }

// request makes a request for the printer; more are operation attributes.
func (b *bench) request(op goipp.Op, more ...goipp.Attribute) *goipp.Message {
	b.id++
	m := goipp.NewRequest(goipp.DefaultVersion, op, b.id)
	m.Operation = append(goipp.Attributes{
		attr.Charset("attributes-charset", "utf-8"), attr.Language("attributes-natural-language", "en"),
		attr.URI("printer-uri", b.uri()), attr.Name("requesting-user-name", b.user),
	}, more...)
	return m
}

// post sends a request and gives the HTTP status and the answer.
func (b *bench) post(m *goipp.Message, document io.Reader) (int, *goipp.Message) {
	b.Helper()
	head, err := m.EncodeBytes()
	b.ok(err)
	body := io.Reader(bytes.NewReader(head))
	if document != nil {
		body = io.MultiReader(body, document) // of unknown length: sent in chunks
	}
	hr, err := http.NewRequestWithContext(b.Context(), http.MethodPost, b.scheme+"://"+b.addr+"/", body)
	b.ok(err)
	hr.Header.Set("Content-Type", goipp.ContentType)
	if b.account != "" {
		hr.SetBasicAuth(b.account, b.password)
	}
	resp, err := b.client.Do(hr)
	b.ok(err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	b.ok(err)
	if resp.StatusCode != http.StatusOK {
		return resp.StatusCode, nil
	}
	var answer goipp.Message
	if err := answer.DecodeBytes(data); err != nil {
		b.Fatalf("the answer cannot be read: %v\n%x", err, data)
	}
	if answer.RequestID != m.RequestID {
		b.Errorf("request %d got the answer to %d", m.RequestID, answer.RequestID)
	}
	return resp.StatusCode, &answer
}

// try sends a request that may find no room.
func (b *bench) try() (int, error) {
	head, err := b.request(goipp.OpGetJobs).EncodeBytes()
	b.ok(err)
	resp, err := b.client.Post(b.scheme+"://"+b.addr+"/", goipp.ContentType, bytes.NewReader(head))
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// do sends a request whose answer must have one of the statuses; without any it must succeed.
func (b *bench) do(m *goipp.Message, document io.Reader, want ...goipp.Status) *goipp.Message {
	b.Helper()
	status, answer := b.post(m, document)
	if status != http.StatusOK {
		b.Fatalf("%s: HTTP %d", goipp.Op(m.Code), status)
	}
	if len(want) == 0 {
		want = []goipp.Status{goipp.StatusOk}
	}
	for _, w := range want {
		if goipp.Status(answer.Code) == w {
			return answer
		}
	}
	text, _, _ := attr.ReadText(answer.Operation, "status-message")
	b.Fatalf("%s: %s (%s), want %v", goipp.Op(m.Code), goipp.Status(answer.Code), text, want)
	return nil
}

// print prints and gives the job's id.
func (b *bench) print(data string, more ...goipp.Attribute) uint64 {
	b.Helper()
	return b.jobID(b.do(b.request(goipp.OpPrintJob, more...), strings.NewReader(data)))
}

func (b *bench) jobID(m *goipp.Message) uint64 {
	b.Helper()
	id, ok, err := attr.ReadInt(m.Job, "job-id")
	if !ok || err != nil {
		b.Fatalf("no job-id: %v", m.Job)
	}
	return uint64(id)
}

func jobID(id uint64) goipp.Attribute { return attr.Int("job-id", int(id)) }

// jobAttributes gives all attributes of a job.
func (b *bench) jobAttributes(id uint64) goipp.Attributes {
	b.Helper()
	return b.do(b.request(goipp.OpGetJobAttributes, jobID(id)), nil).Job
}

func (b *bench) printerAttributes(names ...string) goipp.Attributes {
	b.Helper()
	if len(names) == 0 {
		names = []string{"all"}
	}
	return b.do(b.request(goipp.OpGetPrinterAttributes, attr.Keyword("requested-attributes", names...)), nil).Printer
}

// wants compares an attribute with its values in words.
func (b *bench) wants(list goipp.Attributes, name, want string) {
	b.Helper()
	a, ok := attr.Find(list, name)
	if !ok {
		b.Errorf("%s is missing", name)
	} else if a.Values.String() != want {
		b.Errorf("%s is %s, want %s", name, a.Values, want)
	}
}

// state waits until a job has come to a state.
func (b *bench) state(id uint64, want job.State) *job.Job {
	b.Helper()
	changed, stop := b.host.Node().Queue().Watch(id)
	defer stop()
	deadline := time.NewTimer(poll.Patience)
	defer deadline.Stop()
	for {
		j, err := b.host.Node().Queue().Get(b.Context(), id)
		b.ok(err)
		if j.State == want {
			return j
		}
		select {
		case <-changed:
		case <-deadline.C:
			b.Fatalf("job %d is %s (%s), want %s", id, j.State, j.Reason, want)
		}
	}
}

// pause keeps jobs from printing.
func (b *bench) pause() {
	b.Helper()
	b.ok(b.host.Node().PausePrinter(b.Context(), "hall"))
}

// received gives the first bytes of what the device got, in order.
func (b *bench) received() (list []string) {
	for _, r := range b.sink.Receipts() {
		if !r.Ended.IsZero() {
			list = append(list, string(r.First))
		}
	}
	return list
}
