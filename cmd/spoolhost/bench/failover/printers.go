package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

// paper is where all printers lead to: it remembers when the first byte of each document
// came. A document is a line with its name.
type paper struct {
	listener net.Listener
	running  sync.WaitGroup

	mu    sync.Mutex
	first map[string]time.Time
	came  chan struct{} // closed and replaced when a document comes
}

func listen(ctx context.Context) (*paper, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &paper{listener: l, first: make(map[string]time.Time), came: make(chan struct{})}
	p.running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.running.Go(func() { p.read(c) })
		}
	})
	return p, nil
}

func (p *paper) read(c net.Conn) {
	defer func() { _ = c.Close() }()
	r := bufio.NewReader(c)
	if _, err := r.Peek(1); err != nil {
		return
	}
	at := time.Now()
	name, _ := r.ReadString('\n')
	p.mu.Lock()
	if _, known := p.first[name]; !known {
		p.first[name] = at
	}
	close(p.came)
	p.came = make(chan struct{})
	p.mu.Unlock()
	_, _ = r.WriteTo(nothing{})
}

type nothing struct{}

func (nothing) Write(b []byte) (int, error) { return len(b), nil }

func (p *paper) close() { _ = p.listener.Close() }

// wait gives when the first byte of a document came.
func (p *paper) wait(ctx context.Context, document string) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		p.mu.Lock()
		at, came := p.first[document]
		next := p.came
		p.mu.Unlock()
		if came {
			return at, nil
		}
		select {
		case <-next:
		case <-ctx.Done():
			return at, fmt.Errorf("document %q has not come: %w", document, ctx.Err())
		}
	}
}

func printerName(i int) string { return fmt.Sprintf("p%05d", i) }

// tcpMonitor is the one that most printers of the world have.
const tcpMonitor = "Standard TCP/IP Port"

// spooler makes one with so many printers, or finds it.
func (b *bench) spooler(ctx context.Context, name string, printers int) error {
	if b.made[name] {
		return nil
	}
	n := b.nodes[0]
	if _, err := n.CreateSpooler(ctx, &apiv1.CreateSpoolerRequest{Name: name}); err != nil {
		return err
	}
	if _, err := b.online(ctx, name); err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(b.paper.listener.Addr().String())
	if err != nil {
		return err
	}
	settings := map[string]string{"host": host, "port": port}
	err = together(printers, func(i int) error { return n.printer(ctx, name, printerName(i), tcpMonitor, settings) })
	b.made[name] = err == nil
	return err
}

func (n *node) printer(ctx context.Context, spooler, name, monitor string, settings map[string]string) error {
	if _, err := n.AddPort(ctx, &apiv1.AddPortRequest{Spooler: spooler, Name: name, Monitor: monitor, Settings: settings}); err != nil {
		return err
	}
	_, err := n.AddPrinter(ctx, &apiv1.AddPrinterRequest{Spooler: spooler, Name: name, Settings: &apiv1.PrinterSettings{Ports: []string{name}}})
	return err
}

// together does something n times, some at a time.
func together(n int, do func(i int) error) error {
	const most = 32
	var all sync.WaitGroup
	errs := make([]error, most)
	for w := range most {
		all.Go(func() {
			for i := w; i < n && errs[w] == nil; i += most {
				errs[w] = do(i)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// online waits until a spooler is whole, and gives its owner.
func (b *bench) online(ctx context.Context, name string) (owner *node, err error) {
	err = until(ctx, name+" is online", func() error {
		for _, n := range b.nodes {
			if n.cmd == nil {
				continue
			}
			r, err := n.GetSpooler(ctx, &apiv1.GetSpoolerRequest{Name: name})
			if err != nil {
				return err
			}
			s := r.GetClusterSpooler()
			if s.GetState() != "online" {
				return fmt.Errorf("%s is %s: %s", name, s.GetState(), strings.Join(s.GetProblems(), "; "))
			}
			if i := slices.IndexFunc(b.nodes, func(n *node) bool { return n.name == s.GetOwner() }); i >= 0 {
				owner = b.nodes[i]
			}
		}
		return nil
	})
	return owner, err
}

// submit gives a document to a node, and says how long it took until it was accepted.
func (n *node) submit(ctx context.Context, spooler, printer, document string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began := time.Now()
	stream, err := n.SubmitJob(ctx)
	if err != nil {
		return 0, err
	}
	_ = stream.Send(&apiv1.SubmitJobRequest{Part: &apiv1.SubmitJobRequest_Header{Header: &apiv1.SubmitHeader{
		Spooler: spooler, Printer: printer, Title: strings.TrimSpace(document),
	}}})
	_ = stream.Send(&apiv1.SubmitJobRequest{Part: &apiv1.SubmitJobRequest_Chunk{Chunk: []byte(document)}})
	_ = stream.Send(&apiv1.SubmitJobRequest{Part: &apiv1.SubmitJobRequest_End{End: &apiv1.SubmitEnd{Size: uint64(len(document))}}})
	_, err = stream.CloseAndRecv()
	return time.Since(began), err
}
