package localmon

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/spoolhost/spoolhost/plugins/internal/deadline"
	"github.com/spoolhost/spoolhost/plugins/internal/ports"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// device is an open character device.
type device struct {
	f        *os.File
	path     string
	patience time.Duration
	// worker writes for a device that the runtime cannot wait for; else it is nil.
	worker *worker
	once   sync.Once
}

// openDevice opens without waiting for carrier or paper, and without making a terminal
// ours. It looks again at what it opened: names change, descriptors do not.
func openDevice(at *spot, patience time.Duration) (ports.Target, error) {
	f, err := at.parent.OpenFile(at.base, os.O_WRONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, fileError(at.path, err)
	}
	info, err := f.Stat()
	if err == nil && kindOf(info.Mode()) != kindDevice {
		err = spoolerr.New(spoolerr.Denied, 0, "%s is not a character device; configure the port", spool.Quote(at.path))
	}
	d := &device{f: f, path: at.path, patience: patience}
	if err == nil {
		err = d.chooseWay()
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return d, nil
}

// chooseWay finds out whether the runtime can wait for the device. If not, writing
// blocks, and a goroutine does it.
func (d *device) chooseWay() error {
	err := d.f.SetWriteDeadline(time.Time{})
	if !errors.Is(err, os.ErrNoDeadline) {
		return err
	}
	if err := setBlocking(d.f); err != nil {
		return fileError(d.path, err)
	}
	d.worker = startWorker(d.f)
	return nil
}

// Write hands bytes to the driver: as many as it takes within the write time-out.
func (d *device) Write(ctx context.Context, p []byte) (n int, err error) {
	if d.worker != nil {
		n, err = d.worker.write(ctx, p, d.patience)
	} else {
		n, err = deadline.Write(ctx, d.f, p, d.patience)
	}
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, ctx.Err()) {
		return n, err
	}
	return n, fileError(d.path, err)
}

// Finish sees that the driver has every byte.
func (d *device) Finish(ctx context.Context, _ func()) (err error) {
	if d.worker != nil {
		err = d.worker.settle(ctx, time.Minute)
	}
	if err == nil {
		// Most character devices have nothing to sync and say so.
		if err = d.f.Sync(); errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.ENOTTY) {
			err = nil
		}
	}
	if err != nil && ctx.Err() == nil {
		err = fileError(d.path, err)
	}
	return err
}

// Condition words a printer without paper.
func (d *device) Condition() spool.PortStatus {
	return ports.TakesNothing("device " + spool.Quote(d.path) + " does not take data; check it for paper and errors")
}

// Release closes the device.
func (d *device) Release() { d.Drop() }

// Drop closes the device: it cannot be told that the document is incomplete.
func (d *device) Drop() {
	d.once.Do(func() {
		_ = d.f.Close()
		if d.worker != nil {
			d.worker.stop()
		}
	})
}
