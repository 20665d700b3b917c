// Package mockmonitor is a port monitor that does what a test tells it to: slow, wrong,
// hanging or dying at a chosen byte, and otherwise right. It keeps the whole contract as
// long as nothing is asked of it.
//
// Hosts' tests swap it in for a real monitor, as a process (Serve) or without one
// (Initialize); the conformance kit is tested with it. It is scripted by the settings of
// its ports, so that a test can drive it with "port add --set", and in Go by Options. It
// prints to TCP as a simple monitor does; no product should.
package mockmonitor

import (
	"context"
	"slices"
	"sync"

	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// Options script a Mock.
type Options struct {
	// Settings apply to every port and, where a call has no port, to the monitor. The
	// settings of a port come before them. Script says what can be set.
	Settings map[string]string
	// Before is called before each call is carried out; its error is the call's answer. It
	// may wait, or never return.
	Before func(ctx context.Context, call Call) error
	// UI is what the data name MonitorUI answers; empty for none.
	UI string
}

// Call is one call that the mock got.
type Call struct {
	// Server is the spooler's name.
	Server string
	// Method is one of init, enum, open, start, write, end, close, xcv and shutdown, or
	// sent, which comes after the report that a document is printed.
	Method string
	// Port is the port's name, and Name the data name of an xcv.
	Port, Name string
	// Job is the job of a document, Offset how many of its bytes the device has.
	Job    uint64
	Offset int64
	// Bytes is the length of a write or of an Xcv input.
	Bytes int
	// Status is what end was called with.
	Status spool.JobStatus
}

// Document is one document that the mock got.
type Document struct {
	Server, Port string
	Doc          spool.Doc
	// Bytes were taken, and have this SHA-256 in hex.
	Bytes  int64
	SHA256 string
	// Ended says that EndDoc was called, with Status.
	Ended  bool
	Status spool.JobStatus
	// Sent says that the document was reported as printed.
	Sent bool
}

// Mock remembers what all its instances were called with.
type Mock struct {
	opts Options

	mu        sync.Mutex
	calls     []Call
	documents []*Document
	kept      [][]byte // what grows
}

// New makes a mock; give its Initialize to monitor.Serve or to the kit.
func New(opts Options) *Mock { return &Mock{opts: opts} }

var _ monitor.Initialize = (*Mock)(nil).Initialize

// Initialize is InitializePrintMonitor2.
func (m *Mock) Initialize(ctx context.Context, init monitor.Init) (monitor.Monitor, error) {
	i := &instance{mock: m, init: init, open: make(map[*port]struct{})}
	if err := i.begin(ctx, Call{Method: "init"}); err != nil {
		return nil, err
	}
	return i, nil
}

// Calls gives the calls so far, in order of their beginning.
func (m *Mock) Calls() []Call {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.calls)
}

// Documents gives the documents so far, in order of their StartDoc.
func (m *Mock) Documents() []Document {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([]Document, 0, len(m.documents))
	for _, d := range m.documents {
		list = append(list, *d)
	}
	return list
}

func (m *Mock) update(fn func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	fn()
}
