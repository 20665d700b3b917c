package deadline

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLimitLeavesTimeToAnswer(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	end, _ := ctx.Deadline()
	if early := end.Sub(Limit(ctx, time.Hour)); early < time.Second || early > 2*time.Second {
		t.Errorf("answers %s before the deadline", early)
	}
	if wait := time.Until(Limit(ctx, time.Second)); wait > time.Second {
		t.Errorf("waits %s, asked for 1s", wait)
	}
	if wait := time.Until(Limit(t.Context(), time.Hour)); wait < time.Minute {
		t.Errorf("waits %s, asked for 1h", wait)
	}
}

func TestWrite(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	if n, err := Write(t.Context(), near, []byte("x"), time.Millisecond); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("nobody reads: %d %v", n, err)
	}
	go far.Read(make([]byte, 2))
	if n, err := Write(t.Context(), near, []byte("abc"), 50*time.Millisecond); n != 2 || err != nil {
		t.Errorf("two of three are read: %d %v", n, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		far.Read(make([]byte, 1))
		cancel()
	}()
	if n, err := Write(ctx, near, []byte("abc"), time.Hour); n != 1 || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled after one: %d %v", n, err)
	}
	if n, err := Write(ctx, near, []byte("abc"), time.Hour); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: %d %v", n, err)
	}
	far.Close()
	if _, err := Write(t.Context(), near, []byte("abc"), time.Hour); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("closed: %v", err)
	}
}
