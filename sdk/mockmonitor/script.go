package mockmonitor

import (
	"context"
	"maps"
	"os"
	"strings"
	"time"

	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Script is what a port does wrong, and when, as its settings say:
//
//	to        TCP address of the device; without it, bytes are dropped
//	crash     the call in which the process dies: init, enum, open, start, write, end,
//	          sent (after the report), close, xcv or shutdown
//	hang      the call that does not return
//	obeys     yes: the hanging call returns when it is cancelled
//	fail      the call that fails
//	kind      the kind of that failure, as spoolerr names it; "unavailable" if not given
//	confirm   never: the document is not reported as sent
//	at        crash, hang and fail in write happen at this byte of the document
//	only      faults happen in this many first attempts of a job, and not later
//	while     faults happen as long as this file exists
//	delay     how long each call takes beyond its work
//	short     the most bytes that one write takes
//	notready  how many first writes of a document say that the device is not ready
//	file      yes: documents come by descriptor, if the host sends them so
//	unsized   yes: documents may come whose length is not known yet
//	status    what is reported of the port, as an error, while a document is in it
//	grow      how many bytes of memory each document costs for good
//	noise     how many lines each document writes to the log
//	record    a file to which each call is appended, as a line of JSON
type Script struct {
	To, Crash, Hang, Fail, Confirm, While, Status, Record string

	Obeys, File, Unsized             bool
	Kind                             spoolerr.Kind
	At, Only, Short, NotReady, Noise int
	Grow                             int
	Delay                            time.Duration
}

// crashExit is the status of a process that a fault ends.
const crashExit = 3

const most = 1 << 30

// parse reads settings strictly; those of the port come before the mock's.
func parse(c portconfig.Config, defaults map[string]string) (Script, error) {
	merged := maps.Clone(defaults)
	if merged == nil {
		merged = make(map[string]string)
	}
	maps.Copy(merged, c.Settings)
	r := portconfig.Read(portconfig.Config{Name: c.Name, Settings: merged})
	s := Script{
		To: r.Text("to", ""), Crash: r.Text("crash", ""), Hang: r.Text("hang", ""), Fail: r.Text("fail", ""),
		Confirm: r.Text("confirm", ""), While: r.Text("while", ""), Status: r.Text("status", ""), Record: r.Text("record", ""),
		Obeys: r.Text("obeys", "") == "yes", File: r.Text("file", "") == "yes", Unsized: r.Text("unsized", "") == "yes", Kind: readKind(r),
		At: r.Int("at", 0, 0, most), Only: r.Int("only", most, 0, most), Short: r.Int("short", most, 1, most),
		NotReady: r.Int("notready", 0, 0, most), Noise: r.Int("noise", 0, 0, most), Grow: r.Int("grow", 0, 0, most),
		Delay: r.Duration("delay", 0, 0, time.Hour),
	}
	if s.Confirm != "" && s.Confirm != "never" {
		r.Problem("confirm", "give never, or nothing")
	}
	for key, call := range map[string]string{"crash": s.Crash, "hang": s.Hang, "fail": s.Fail} {
		if call != "" && !strings.Contains(" init enum open start write end sent close xcv shutdown ", " "+call+" ") {
			r.Problem(key, "give init, enum, open, start, write, end, sent, close, xcv or shutdown")
		}
	}
	return s, r.Err()
}

func readKind(r *portconfig.Reader) spoolerr.Kind {
	name := r.Text("kind", spoolerr.Unavailable.String())
	for k := spoolerr.Kind(0); k.Valid(); k++ {
		if k.String() == name {
			return k
		}
	}
	r.Problem("kind", "give a kind as spoolerr names it, such as busy or unavailable")
	return spoolerr.Internal
}

// active says that faults happen in this attempt; 0 is no attempt of a job.
func (s Script) active(attempt int) bool {
	if attempt > s.Only {
		return false
	}
	if s.While == "" {
		return true
	}
	_, err := os.Stat(s.While)
	return err == nil
}

// strike does what the script says of a call.
func (s Script) strike(ctx context.Context, call Call, attempt int) error {
	if err := wait(ctx, s.Delay); err != nil {
		return err
	}
	if !s.active(attempt) || call.Method == "write" && call.Offset < int64(s.At) {
		return nil
	}
	switch call.Method {
	case s.Crash:
		os.Exit(crashExit)
	case s.Hang:
		if !s.Obeys {
			select {} // for ever
		}
		<-ctx.Done()
		return ctx.Err()
	case s.Fail:
		code := s.Kind.DefaultCode()
		if s.Kind == spoolerr.Unavailable {
			code = spoolerr.CodeConnectionRefused
		}
		return spoolerr.New(s.Kind, code, "the device refuses")
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// room is how many of n bytes go to the device before a fault strikes.
func (s Script) room(n int, sent int64, attempt int) int {
	n = min(n, s.Short)
	if at := int64(s.At); at > sent && s.active(attempt) {
		n = int(min(int64(n), at-sent))
	}
	return n
}
