package monitortest_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"

	"github.com/spoolhost/spoolhost/sdk/spool"
)

func leaksDescriptors(p *wrappedPort) {
	p.start = func(ctx context.Context, doc spool.Doc) error {
		fd, err := syscall.Open(os.DevNull, syscall.O_RDONLY, 0)
		leaked.add(func() { _ = syscall.Close(fd) })
		return errors.Join(err, p.Port.StartDoc(ctx, doc))
	}
}

func leaksGoroutines(p *wrappedPort) {
	p.start = func(ctx context.Context, doc spool.Doc) error {
		end := make(chan struct{})
		go func() { <-end }()
		leaked.add(func() { close(end) })
		return p.Port.StartDoc(ctx, doc)
	}
}

// leaked is what the leaking variants are given back of after the test.
var leaked leaks

type leaks struct {
	mu   sync.Mutex
	list []func()
}

func (l *leaks) add(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, f)
}

func (l *leaks) free() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.list {
		f()
	}
	l.list = nil
}
