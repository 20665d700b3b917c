package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

// fakeHost is a host behind a real socket that keeps what it is told, and fails as it is
// told. Its methods are in fakeservices_test.go.
type fakeHost struct {
	apiv1.UnimplementedHostServer
	apiv1.UnimplementedMonitorsServer
	apiv1.UnimplementedPortsServer
	apiv1.UnimplementedPrintersServer
	apiv1.UnimplementedJobsServer
	apiv1.UnimplementedRegistryServer

	addr string
	// watch scripts WatchJob: the states that a job goes through. A watch that has shown
	// them all ends, or with hang set waits for its client to go.
	watch []*apiv1.Job
	hang  bool
	// arrived gets a value for each chunk; broken one for each upload without its end.
	arrived, broken chan struct{}

	mu       sync.Mutex
	printers []*apiv1.Printer
	ports    []*apiv1.Port
	monitors []*apiv1.Monitor
	jobs     []*apiv1.Job
	values   map[string]*apiv1.RegistryValue
	// requests are the last request of each method, by its name.
	requests map[string]any
	// fail holds the error of a method, by its name.
	fail map[string]error
	// uploads are the whole documents that arrived.
	uploads [][]byte
}

// startFake serves a fake host until the test ends, and checks then that nothing runs on.
func startFake(t *testing.T) *fakeHost {
	t.Helper()
	checkLeaks(t)
	// t.TempDir may be longer than a socket's path can be.
	dir, err := os.MkdirTemp("", "sph")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeHost{
		addr: "unix:" + path, requests: map[string]any{}, fail: map[string]error{}, values: map[string]*apiv1.RegistryValue{},
		arrived: make(chan struct{}, 1024), broken: make(chan struct{}, 16),
		printers: []*apiv1.Printer{{Name: "Office", State: "idle", Ports: []string{"P1"}, Priority: 1, DefaultPriority: 1, MaxAttempts: 5}},
		ports:    []*apiv1.Port{{Name: "P1", Monitor: "Acme Port", State: "idle", Printers: []string{"Office"}}},
		monitors: []*apiv1.Monitor{{Name: "Acme Port", State: "running", ModuleVersion: "1.2", Processes: []*apiv1.Process{{Pid: 42, Spoolers: []string{"node"}, Incarnation: 7, Log: []string{"ready\x1b[31m"}}}}},
	}
	server := grpc.NewServer(grpc.UnaryInterceptor(f.unary), grpc.StreamInterceptor(f.stream))
	apiv1.RegisterHostServer(server, f)
	apiv1.RegisterMonitorsServer(server, f)
	apiv1.RegisterPortsServer(server, f)
	apiv1.RegisterPrintersServer(server, f)
	apiv1.RegisterJobsServer(server, f)
	apiv1.RegisterRegistryServer(server, f)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(l); err != nil {
			t.Errorf("the fake host ended: %v", err)
		}
	}()
	t.Cleanup(func() {
		server.Stop()
		<-done
	})
	return f
}

// checkLeaks fails the test if a goroutine of it is left at its end.
func checkLeaks(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, ignore) })
}

func (f *fakeHost) note(method string, req any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	name := method[strings.LastIndex(method, "/")+1:]
	f.requests[name] = req
	return spoolgrpc.ToStatus(f.fail[name])
}

func (f *fakeHost) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if err := f.note(info.FullMethod, req); err != nil {
		return nil, err
	}
	resp, err := handle(ctx, req)
	if _, ok := status.FromError(err); ok { // A method that this fake does not have.
		return resp, err
	}
	return resp, spoolgrpc.ToStatus(err)
}

func (f *fakeHost) stream(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	if err := f.note(info.FullMethod, nil); err != nil {
		return err
	}
	return spoolgrpc.ToStatus(handle(srv, s))
}

// request gives the last request of a method.
func request[T any](t *testing.T, f *fakeHost, method string) T {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	req, ok := f.requests[method].(T)
	if !ok {
		t.Fatalf("%s was not asked", method)
	}
	return req
}

func (f *fakeHost) submit(header *apiv1.SubmitHeader, doc []byte) *apiv1.Job {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.uploads = append(f.uploads, doc)
	job := &apiv1.Job{
		Id: uint64(len(f.jobs) + 1), Printer: header.GetPrinter(), Title: header.GetTitle(), Size: uint64(len(doc)), State: "queued",
	}
	if header.GetHold() {
		job.State = "held"
	}
	f.jobs = append(f.jobs, job)
	f.requests["SubmitHeader"] = header
	return job
}

func (f *fakeHost) job(id uint64) (*apiv1.Job, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if id == 0 || id > uint64(len(f.jobs)) {
		return nil, spoolerr.New(spoolerr.NotFound, spoolerr.CodeInvalidParameter, "job %d does not exist", id)
	}
	return f.jobs[id-1], nil
}

func (f *fakeHost) uploaded() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.uploads)
}

// result is what a command line gave.
type result struct {
	code           int
	stdout, stderr string
}

// cli runs a command line against the fake host.
func (f *fakeHost) cli(t *testing.T, args ...string) result {
	t.Helper()
	return f.cliWith(t.Context(), strings.NewReader(""), args...)
}

func (f *fakeHost) cliWith(ctx context.Context, stdin io.Reader, args ...string) result {
	return runCLI(ctx, stdin, append([]string{"--addr", f.addr}, args...)...)
}

func runCLI(ctx context.Context, stdin io.Reader, args ...string) result {
	var stdout, stderr bytes.Buffer
	code := run(ctx, args, stdin, &stdout, &stderr)
	return result{code: code, stdout: stdout.String(), stderr: stderr.String()}
}

// want fails the test unless the command ended with code and wrote these pieces.
func (r result) want(t *testing.T, code int, stdout, stderr string) {
	t.Helper()
	if r.code != code || !strings.Contains(r.stdout, stdout) || !strings.Contains(r.stderr, stderr) {
		t.Errorf("got code %d, stdout %q, stderr %q;\nwant code %d, stdout with %q, stderr with %q",
			r.code, r.stdout, r.stderr, code, stdout, stderr)
	}
}
