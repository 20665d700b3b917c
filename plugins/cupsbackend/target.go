package cupsbackend

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unicode"

	"github.com/spoolhost/spoolhost/plugins/internal/deadline"
	"github.com/spoolhost/spoolhost/plugins/internal/ports"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// printing is a backend with a document.
type printing struct {
	*process
	scheme   string
	said     *transcript
	patience time.Duration
	size     int64
	sent     int64
	finished func()
	once     sync.Once
	dropped  atomic.Bool
}

var _ ports.Target = (*printing)(nil)

// arguments are a backend's: the URI without its password, which all can see, job, user,
// title, copies and options.
func arguments(s settings, doc spool.Doc) []string {
	id := strconv.FormatUint(doc.JobID%(1<<31), 10)
	return []string{s.shown(), id, argument(doc.User, "anonymous"), argument(doc.Title, "document"), "1", s.options}
}

// argument makes a person's text fit for an argument.
func argument(text, empty string) string {
	const most = 255
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	for len(text) > most {
		runes := []rune(text)
		text = string(runes[:len(runes)-1])
	}
	if text = strings.TrimSpace(text); text == "" {
		return empty
	}
	return text
}

// environment is all that a backend gets to know of this machine.
func environment(e executable, s settings, printer string) []string {
	env := []string{
		"DEVICE_URI=" + s.uri, "CONTENT_TYPE=" + s.contentType, "FINAL_CONTENT_TYPE=" + s.contentType,
		"PRINTER=" + argument(printer, "printer"), "CHARSET=utf-8", "LANG=C.UTF-8", "PATH=/usr/bin:/bin",
		"CUPS_SERVERBIN=" + filepath.Dir(filepath.Dir(e.path)), "CUPS_SERVERROOT=/etc/cups", "CUPS_DATADIR=/usr/share/cups",
		"CUPS_CACHEDIR=/var/cache/cups", "CUPS_STATEDIR=/run/cups", "TMPDIR=" + os.TempDir(), "SOFTWARE=spoolhost", "HOME=/",
	}
	if s.username != "" {
		env = append(env, "AUTH_USERNAME="+s.username, "AUTH_PASSWORD="+s.password)
	}
	return env
}

// Write hands bytes to the backend: as many as it takes within the write time-out.
//
// With the last byte its standard input ends, and only then does it finish: an IPP
// backend waits for the last sheet. The last byte counts as taken when the backend has
// ended well, so that the wait is in Write, which may say "not ready" for hours.
func (p *printing) Write(ctx context.Context, b []byte) (int, error) {
	if len(b) == 0 {
		return 0, ctx.Err()
	}
	if p.size == 0 || p.sent < p.size && p.sent+int64(len(b)) > p.size {
		return 0, spoolerr.New(spoolerr.Invalid, 0, "the document is longer than the %d bytes that were announced", p.size)
	}
	n := 0
	if p.sent < p.size {
		var err error
		n, err = deadline.Write(ctx, p.stdin, b, p.patience)
		p.sent += int64(n)
		if err != nil || p.sent < p.size {
			return n, p.writeError(ctx, err)
		}
		_ = p.stdin.Close()
		n-- // the last byte is still to be taken
	}
	if err := p.ended(ctx, p.patience); err != nil {
		return deadline.Verdict(ctx, n, n+1, err)
	}
	return n + 1, nil
}

// writeError words a backend that has gone: its exit code says why.
func (p *printing) writeError(ctx context.Context, err error) error {
	if !errors.Is(err, syscall.EPIPE) {
		if errors.Is(err, os.ErrClosed) {
			return p.closed()
		}
		return err
	}
	if err := p.ended(ctx, p.patience); err != nil {
		return err
	}
	return spoolerr.New(spoolerr.Unavailable, spoolerr.CodeWriteFault,
		"the backend %s ended after %d of %d bytes and says that all is well; ask its vendor", spool.Quote(p.scheme), p.sent, p.size)
}

func (p *printing) closed() error {
	return spoolerr.New(spoolerr.BadHandle, 0, "the port was closed while the backend %s printed; open it again", spool.Quote(p.scheme))
}

// ended waits for the backend to end, and says how it did.
func (p *printing) ended(ctx context.Context, patience time.Duration) error {
	timer := time.NewTimer(time.Until(deadline.Limit(ctx, patience)))
	defer timer.Stop()
	select {
	case <-p.exited:
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return os.ErrDeadlineExceeded
	}
	if p.dropped.Load() {
		return p.closed()
	}
	failed, _ := p.said.words()
	return exitError(p.scheme, p.err, failed)
}

// Finish sees the backend end, which it has done after all but an empty document.
func (p *printing) Finish(ctx context.Context, stalled func()) error {
	_ = p.stdin.Close()
	if p.sent < p.size {
		return spoolerr.New(spoolerr.Invalid, 0, "the document ended after %d of %d bytes", p.sent, p.size)
	}
	const soon = 2 * time.Second
	err := p.ended(ctx, soon)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		stalled()
		err = p.ended(ctx, 24*time.Hour)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return spoolerr.New(spoolerr.Unavailable, spoolerr.CodeTimeout, "the backend %s does not end; check the printer", spool.Quote(p.scheme))
	}
	return err
}

// Condition is what the backend says that it is doing.
func (p *printing) Condition() spool.PortStatus {
	_, doing := p.said.words()
	if doing == "" {
		doing = "it has not said what it waits for"
	}
	return spool.PortStatus{Severity: spool.SeverityInfo, Text: "backend " + p.scheme + " is still printing: " + doing}
}

// Release ends a document that was printed.
func (p *printing) Release() { p.Drop() }

// Drop ends the backend at once.
func (p *printing) Drop() {
	p.once.Do(func() {
		p.dropped.Store(true)
		p.kill()
		p.finished()
	})
}
