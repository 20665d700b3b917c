package localmon

import (
	"bytes"
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// driver blocks in every write until it may go on.
type driver struct {
	entered chan struct{}
	goOn    chan error
	got     bytes.Buffer
}

func newDriver() *driver { return &driver{entered: make(chan struct{}), goOn: make(chan error)} }

func (d *driver) Write(p []byte) (int, error) {
	d.entered <- struct{}{}
	if err := <-d.goOn; err != nil {
		return 0, err
	}
	return d.got.Write(p)
}

// Bytes of a call that ended before the driver did are not lost and not written twice.
func TestWorkerTellsLateBytesOnce(t *testing.T) {
	d := newDriver()
	k := startWorker(d)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-d.entered
		cancel()
	}()
	if n, err := k.write(ctx, []byte("abc"), time.Hour); n != 0 || !errors.Is(err, context.Canceled) {
		t.Fatalf("%d %v", n, err)
	}
	if n, err := k.write(t.Context(), []byte("abc"), time.Millisecond); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%d %v", n, err)
	}
	d.goOn <- nil
	if n, err := k.write(t.Context(), []byte("ab"), time.Hour); n != 2 || err != nil {
		t.Fatalf("%d %v", n, err)
	}
	if n, err := k.write(t.Context(), []byte("c"), time.Hour); n != 1 || err != nil {
		t.Fatalf("%d %v", n, err)
	}
	if d.got.String() != "abc" {
		t.Errorf("the device got %q", d.got.String())
	}
	if n, err := k.write(ctx, []byte("d"), time.Hour); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: %d %v", n, err)
	}
	k.stop()
}

func TestWorkerErrorsAndStop(t *testing.T) {
	d := newDriver()
	k := startWorker(d)
	go func() {
		<-d.entered
		d.goOn <- os.ErrInvalid
	}()
	if _, err := k.write(t.Context(), []byte("abc"), time.Hour); !errors.Is(err, os.ErrInvalid) {
		t.Error(err)
	}
	late := make(chan error)
	go func() {
		_, err := k.write(t.Context(), []byte("abc"), time.Hour)
		late <- err
	}()
	<-d.entered
	close(k.quit)
	if err := fileError("/dev/lp0", <-late); !errors.Is(err, spoolerr.BadHandle) {
		t.Error(err)
	}
	close(d.goOn)
	<-k.ended
}
