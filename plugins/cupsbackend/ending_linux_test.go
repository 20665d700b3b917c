package cupsbackend

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/spoolhost/spoolhost/plugins/internal/montest"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// gone waits until a process is no more.
func gone(t *testing.T, pid string) {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(pid))
	if err != nil {
		t.Fatal(err)
	}
	montest.Until(t, fmt.Sprintf("process %d is gone", n), func() bool {
		return errors.Is(syscall.Kill(n, 0), syscall.ESRCH) || zombie(n)
	})
}

func zombie(pid int) bool {
	stat, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return strings.Contains(string(stat), ") Z ")
}

// Whatever ends a document early ends the backend and all that it started, also if it
// does not listen, and it never sees the end of its input.
func TestCancelEndsEverything(t *testing.T) {
	const deaf = `
trap '' TERM
(trap '' TERM; exec sleep 600) &
echo $! >$OUT/child; echo $$ >$OUT/pid; mv $OUT/pid $OUT/self
cat >/dev/null
: >$OUT/whole
sleep 600
`
	for _, how := range []string{"abort", "close", "shutdown"} {
		t.Run(how, func(t *testing.T) {
			b := newBench(t, map[string]string{"test": deaf})
			p := b.open("test:/x")
			d := doc()
			d.Size = 10
			if err := p.StartDoc(t.Context(), d); err != nil {
				t.Fatal(err)
			}
			if _, err := p.Write(t.Context(), []byte("half")); err != nil {
				t.Fatal(err)
			}
			self := b.result("self") // which comes last, and whole
			child := b.result("child")
			switch how {
			case "abort":
				if err := p.EndDoc(t.Context(), spool.JobStatusDeleting); err != nil {
					t.Error(err)
				}
			case "close":
				p.Close(t.Context())
			case "shutdown":
				b.Monitor.Shutdown(t.Context())
			}
			gone(t, self)
			gone(t, child)
			if _, err := os.Stat(filepath.Join(b.out, "whole")); err == nil {
				t.Error("the backend took half a document for whole")
			}
		})
	}
}

func TestWriteThatWaitsIsGivenUp(t *testing.T) {
	var p monitor.Port
	err := montest.InTime(t, func(ctx context.Context) error {
		b := newBench(t, map[string]string{"test": "exec sleep 600"})
		p = b.open("test:/x", "writeTimeout", "1h")
		d := doc()
		d.Size = 1 << 20
		if err := p.StartDoc(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		n, err := p.Write(ctx, make([]byte, 1<<20))
		if ctx.Err() == nil && (n == 0 || n == 1<<20) {
			t.Errorf("%d bytes", n)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	go stop()
	if _, err = p.Write(ctx, make([]byte, 1<<10)); !errors.Is(err, spoolerr.Cancelled) {
		t.Error(err)
	}
	failed := make(chan error, 1)
	go func() {
		_, err := p.Write(context.Background(), make([]byte, 1<<10))
		failed <- err
	}()
	p.Close(t.Context())
	montest.WantError(t, <-failed, spoolerr.BadHandle, spoolerr.CodeInvalidHandle, "closed")
}
