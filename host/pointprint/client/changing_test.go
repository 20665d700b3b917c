package client

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/host/pointprint/confine"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/icc/icctest"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

// cutOnce sends half of one file, is cut off, and goes on with what it is asked for of another.
func cutOnce(first, then []byte) func(*apiv1.ReadFileRequest, grpc.ServerStreamingServer[apiv1.ReadFileResponse]) error {
	return func(r *apiv1.ReadFileRequest, s grpc.ServerStreamingServer[apiv1.ReadFileResponse]) error {
		if r.GetOffset() > 0 {
			return s.Send(&apiv1.ReadFileResponse{Data: then[r.GetOffset():]})
		}
		if err := s.Send(&apiv1.ReadFileResponse{Data: first[:len(first)/2]}); err != nil {
			return err
		}
		return spoolgrpc.ToStatus(spoolerr.New(spoolerr.Unavailable, 0, "cut off"))
	}
}

// profile is where the client has the server's file.
func (a *attack) profile() string { return filepath.Join(a.base, "drivers", "Color", "a.icm") }

func (a *attack) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

// outside is a directory with a file that nobody may touch.
func (a *attack) outside() (dir string, check func()) {
	dir = a.t.TempDir()
	victim := filepath.Join(dir, "a.icm")
	a.must(os.WriteFile(victim, []byte("untouched"), 0o600))
	return dir, func() {
		a.t.Helper()
		list, _ := os.ReadDir(dir)
		if got, err := os.ReadFile(victim); err != nil || string(got) != "untouched" || len(list) != 1 {
			a.t.Errorf("outside: %q, %v, %d files", got, err, len(list))
		}
	}
}

// TestLinksPlantedDuringADownload: nothing outside is written, and no link is left in the
// place of what was checked.
func TestLinksPlantedDuringADownload(t *testing.T) {
	for name, plant := range map[string]func(color, outside string) error{
		"the directory": func(color, outside string) error {
			return firstError(os.Rename(color, color+"2"), os.Symlink(outside, color))
		},
		"the file": func(color, outside string) error { return os.Symlink(outside+"/a.icm", color+"/a.icm") },
		"the unfinished file": func(color, outside string) error {
			list, err := filepath.Glob(color + "/.part-*")
			if err != nil || len(list) != 1 {
				return os.ErrNotExist
			}
			return firstError(os.Remove(list[0]), os.Symlink(outside+"/a.icm", list[0]))
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAttack(t, confine.Color)
			outside, check := a.outside()
			a.server.reading = func(_ *apiv1.ReadFileRequest, s grpc.ServerStreamingServer[apiv1.ReadFileResponse]) error {
				a.must(plant(filepath.Dir(a.profile()), outside))
				return s.Send(&apiv1.ReadFileResponse{Data: a.server.file})
			}
			t.Log(a.add())
			check()
			if info, err := os.Lstat(a.profile()); err == nil && !info.Mode().IsRegular() {
				t.Error("a link is in the place of the file")
			}
		})
	}
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// TestLinksPlantedAfterwards are not read by modules, not written through, and removed alone.
func TestLinksPlantedAfterwards(t *testing.T) {
	a := newAttack(t, confine.Color)
	if why := a.add(); why != "" {
		t.Fatal(why)
	}
	outside, check := a.outside()
	a.must(os.Remove(a.profile()))
	a.must(os.Symlink(filepath.Join(outside, "a.icm"), a.profile()))
	con, err := a.client.Get(Name{Server: "S", Printer: "q"})
	a.must(err)
	p := &printer{a.client, &con}
	if _, err := p.OpenFile(t.Context(), copyFiles+`\ICM`, "a.icm"); err == nil {
		t.Error("a module reads what a link points to")
	}
	_, _, err = a.client.Refresh(t.Context(), con.Name, nil, nil)
	a.must(err)
	if got, err := os.ReadFile(a.profile()); err != nil || !bytes.Equal(got, a.server.file) {
		t.Errorf("the file is not back: %v", err)
	}
	a.must(os.Remove(a.profile()))
	a.must(os.Symlink(filepath.Join(outside, "a.icm"), a.profile()))
	_, err = a.client.Delete(t.Context(), con.Name, nil)
	a.must(err)
	check()
}

// TestAReplayedFile: an old content for a new digest costs the component, and nothing of it is
// left for applications to read.
func TestAReplayedFile(t *testing.T) {
	a := newAttack(t, confine.Color)
	if why := a.add(); why != "" {
		t.Fatal(why)
	}
	old, second := a.server.file, icctest.Profile("2 profile")
	a.server.second.Store(&second)
	a.server.reading = func(r *apiv1.ReadFileRequest, s grpc.ServerStreamingServer[apiv1.ReadFileResponse]) error {
		return s.Send(&apiv1.ReadFileResponse{Data: old[min(r.GetOffset(), int64(len(old))):]})
	}
	con, _, err := a.client.Refresh(t.Context(), Name{Server: "S", Printer: "q"}, nil, nil)
	a.must(err)
	if len(con.Components) != 1 || con.Components[0].Refused == "" || len(a.files()) != 0 {
		t.Errorf("%+v, %v", con.Components, a.files())
	}
}

// TestAnOldEnumeration: a server that says as a whole what it said before is followed, as one
// that was restored from a backup must be: it is who it was, and only that a ChangeID is another
// one means something. What it says is checked like anything else, and nothing newer is left
// among the old.
func TestAnOldEnumeration(t *testing.T) {
	a := newAttack(t, confine.Color)
	if why := a.add(); why != "" {
		t.Fatal(why)
	}
	refresh := func(wanted []byte, id uint32) {
		t.Helper()
		con, _, err := a.client.Refresh(t.Context(), Name{Server: "S", Printer: "q"}, nil, nil)
		a.must(err)
		got, err := os.ReadFile(a.profile())
		if err != nil || !bytes.Equal(got, wanted) || con.ChangeID != id || con.Components[0].Refused != "" || len(a.files()) != 1 {
			t.Errorf("%d bytes, %v, %+v, %v", len(got), err, con, a.files())
		}
	}
	second := icctest.Profile("2 profile")
	a.server.second.Store(&second)
	refresh(second, 2)
	a.server.second.Store(nil)
	refresh(a.server.file, 1)
	a.server.stale = true // a part of it is of another time
	if _, _, err := a.client.Refresh(t.Context(), Name{Server: "S", Printer: "q"}, nil, nil); spoolerr.KindOf(err) != spoolerr.Busy {
		t.Errorf("mixed: %v", err)
	}
	a.server.stale = false
	refresh(a.server.file, 1)
}

// TestPollingForChanges: a server without WatchPrinter is asked for its ChangeID.
func TestPollingForChanges(t *testing.T) {
	a := newAttack(t, confine.Color)
	if why := a.add(); why != "" {
		t.Fatal(why)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	ended := make(chan error, 1)
	go func() { ended <- a.client.Run(ctx) }()
	second := icctest.Profile("the second")
	a.server.second.Store(&second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		got, err := os.ReadFile(a.profile())
		if err == nil && bytes.Equal(got, second) || ctx.Err() != nil {
			break
		}
		<-tick.C
	}
	if ctx.Err() != nil {
		t.Error("the change did not come")
	}
	cancel()
	a.must(<-ended)
}

// TestBytesOfASecondConnection: a file that is cut off comes once in all, and a second
// connection asks for no byte of it.
func TestBytesOfASecondConnection(t *testing.T) {
	a := newAttack(t, confine.Color)
	a.server.file = icctest.Profile(strings.Repeat("x", 100_000))
	var sent atomic.Int64
	cut := cutOnce(a.server.file, a.server.file)
	a.server.reading = func(r *apiv1.ReadFileRequest, s grpc.ServerStreamingServer[apiv1.ReadFileResponse]) error {
		return cut(r, counted{s, &sent})
	}
	if why := a.add(); why != "" {
		t.Fatal(why)
	}
	if sent.Load() != int64(len(a.server.file)) || a.server.reads.Load() != 2 {
		t.Errorf("%d bytes in %d calls for a file of %d", sent.Load(), a.server.reads.Load(), len(a.server.file))
	}
	con, _, err := a.client.Add(t.Context(), Name{Server: "S", Printer: "r"}, []string{a.address}, nil)
	if err != nil || len(con.Components) != 1 || con.Components[0].Refused != "" || a.server.reads.Load() != 2 {
		t.Errorf("%+v, %v, %d calls", con.Components, err, a.server.reads.Load())
	}
}

// counted counts the bytes of files that a server sends.
type counted struct {
	grpc.ServerStreamingServer[apiv1.ReadFileResponse]
	sent *atomic.Int64
}

func (c counted) Send(r *apiv1.ReadFileResponse) error {
	c.sent.Add(int64(len(r.GetData())))
	return c.ServerStreamingServer.Send(r)
}
