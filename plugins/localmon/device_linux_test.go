package localmon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/spoolhost/spoolhost/plugins/internal/montest"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func TestNullDevice(t *testing.T) {
	b := newBench(t, "/dev")
	p := b.open("NUL:", "/dev/null")
	if err := b.print(p, spool.Doc{JobID: 1}, strings.Repeat("x", 1<<20)); err != nil {
		t.Fatal(err)
	}
	if len(b.host.Jobs()) != 1 {
		t.Error("not reported as sent")
	}
	infos, err := b.mon.EnumPorts(t.Context())
	if want := (spool.PortInfo{Name: "NUL:", Description: "device /dev/null", Type: spool.PortTypeWrite}); err != nil || infos[0] != want {
		t.Errorf("%v %v", infos, err)
	}
}

func TestFullDevice(t *testing.T) {
	b := newBench(t, "/dev")
	p := b.open("full", "/dev/full")
	montest.WantError(t, b.print(p, spool.Doc{JobID: 1}, "x"), spoolerr.NoSpace, spoolerr.CodeDiskFull, `"full"`, "/dev/full", "free some space")
	b.noJobs()
}

// terminal makes a pseudo terminal: a character device that stops taking data when
// nobody reads its master.
func terminal(t *testing.T) (master *os.File, slave string) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	var n int
	raw, err := master.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) {
			unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0)
			n, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		})
	}
	slave = fmt.Sprintf("/dev/pts/%d", n)
	if _, serr := os.Stat(slave); err != nil || serr != nil {
		t.Fatal(err, serr)
	}
	return master, slave
}

func TestDeviceOutOfPaper(t *testing.T) {
	master, slave := terminal(t)
	b := newBench(t, "/dev/pts")
	p := b.open("tty", slave, "writeTimeout", "20ms")
	if err := p.StartDoc(t.Context(), spool.Doc{JobID: 1}); err != nil {
		t.Fatal(err)
	}
	chunk := []byte(strings.Repeat("x", 64<<10))
	sent, err := 0, error(nil)
	for err == nil {
		var n int
		n, err = p.Write(t.Context(), chunk)
		sent += n
	}
	montest.WantError(t, err, spoolerr.NotReady, spoolerr.CodeNotReady, `"tty"`, slave, "paper")
	if reports := b.host.Ports(); len(reports) != 2 || reports[1].Status.Severity != spool.SeverityWarning {
		t.Errorf("reports %v", reports)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go cancel()
	job, _ := p.Slot.Current()
	job.Target.(*device).patience = time.Hour
	n, err := p.Write(ctx, chunk)
	if n == len(chunk) || !errors.Is(err, context.Canceled) || !errors.Is(err, spoolerr.Cancelled) {
		t.Errorf("cancelled: %d %v", n, err)
	}
	sent += n // a terminal on a busy machine may find room for a little more
	buf := make([]byte, 1<<20)
	for got := 0; got < sent; {
		n, err := master.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		got += n
	}
	if n, err := p.Write(t.Context(), []byte("y")); n != 1 || err != nil {
		t.Errorf("paper again: %d %v", n, err)
	}
	if reports := b.host.Ports(); len(reports) != 3 || !reports[2].Status.Clear() {
		t.Errorf("reports %v", reports)
	}
	if err := p.EndDoc(t.Context(), 0); err != nil {
		t.Error(err)
	}
}

func TestUnpluggedDevice(t *testing.T) {
	b := newBench(t, "/dev")
	montest.WantError(t, b.add("lp", "/dev/usb-lp0-gone"), spoolerr.Invalid, spoolerr.CodeInvalidData, "type=device")
	p := b.open("lp", "/dev/usb-lp0-gone", "type", "device")
	montest.WantError(t, p.StartDoc(t.Context(), spool.Doc{}), spoolerr.Unavailable, spoolerr.CodeNotConnected, `"lp"`, "connected and switched on")
	if _, err := os.Stat("/dev/usb-lp0-gone"); err == nil {
		t.Error("a file took the device's place")
	}
}

func TestBlockDeviceIsRefused(t *testing.T) {
	entries, _ := os.ReadDir("/dev")
	for _, e := range entries {
		if e.Type() == os.ModeDevice {
			montest.WantError(t, newBench(t, "/dev").add("disk", "/dev/"+e.Name()), spoolerr.Denied, 0, "block device")
			return
		}
	}
	t.Skip("no block device here")
}

func TestPortExistsAndIsValid(t *testing.T) {
	b := newBench(t)
	p := b.open("p", b.path("x"))
	defer p.Close(t.Context())
	for name, want := range map[string]byte{"P": 1, "q": 0, `a\b`: 0} {
		out, err := b.xcv(0, "", "PortExists", portconfig.EncodeText(name))
		if err != nil || len(out) != 4 || out[0] != want {
			t.Errorf("%s: %v %v", name, out, err)
		}
	}
	valid := func(in []byte) error {
		_, err := b.xcv(spool.ServerAccessAdminister, "", "PortIsValid", in)
		return err
	}
	for _, in := range [][]byte{
		portconfig.EncodeText("p"), portconfig.EncodeText(b.path("new")),
		portconfig.Encode("n", map[string]string{"path": b.path("new")}),
	} {
		if err := valid(in); err != nil {
			t.Error(err)
		}
	}
	montest.WantError(t, valid(portconfig.EncodeText("/etc/passwd")), spoolerr.Denied, 0, "local_directories")
	montest.WantError(t, valid(portconfig.EncodeText("q")), spoolerr.NotFound, spoolerr.CodeUnknownPort)
	_, err := b.xcv(0, "", "PortIsValid", portconfig.EncodeText("p"))
	montest.WantError(t, err, spoolerr.Denied, spoolerr.CodeAccessDenied)
	if b.files() != "" {
		t.Error("a question created a file")
	}
}

func TestConfigPortLooksAfresh(t *testing.T) {
	b := newBench(t)
	if err := os.Mkdir(b.path("box"), 0o755); err != nil {
		t.Fatal(err)
	}
	p := b.open("p", b.path("x"))
	_, err := b.xcv(1, "p", portconfig.ConfigPort, portconfig.Encode("", map[string]string{"path": b.path("box")}))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.print(p, spool.Doc{JobID: 3, Attempt: 1, Title: "t"}, "doc"); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(b.path("box/3-1-t.prn")); string(data) != "doc" {
		t.Errorf("%q %v", data, err)
	}
	ui, err := b.xcv(0, "", portconfig.MonitorUI, nil)
	if name, _ := portconfig.DecodeText(ui); name != "localmonui" || err != nil {
		t.Errorf("%q %v", name, err)
	}
}

func FuzzXcv(f *testing.F) {
	for _, name := range []string{"AddPort", "ConfigPort", "DeletePort", "GetConfigInfo", "PortExists", "PortIsValid", "ConfigureLPTPortCommandOK", "GetTransmissionRetryTimeout", "GetDefaultCommConfig", "SetDefaultCommConfig"} {
		f.Add(name, "", portconfig.Encode("p", map[string]string{"path": "/dev/null", "type": "device"}))
		f.Add(name, "p", portconfig.EncodeText("/../etc"))
	}
	f.Fuzz(func(t *testing.T, name, object string, in []byte) {
		b := newBench(t)
		k, _, err := b.host.Registry.Root().CreateKey(t.Context(), `Ports\p`)
		if err == nil {
			err = errors.Join(k.SetValue(t.Context(), registry.String("Path", b.path("x"))), k.CloseKey(t.Context()))
		}
		if err != nil {
			t.Fatal(err)
		}
		b.xcv(spool.ServerAccessAdminister, object, name, in)
		infos, err := b.mon.EnumPorts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, info := range infos {
			if strings.HasPrefix(info.Description, "damaged") || strings.HasPrefix(info.Description, "not allowed") {
				t.Errorf("%+v", info)
			}
		}
		if b.files() != "" {
			t.Errorf("configuring created %s", b.files())
		}
	})
}

func FuzzPaths(f *testing.F) {
	for _, p := range []string{"/srv/print/x", "/srv/print", "/srv/print/../x", "/srv/printer/x", "/", ""} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p string) {
		dir, rel, err := fence{"/srv/print"}.split(p)
		if checkPath(p) != "" || err != nil {
			return
		}
		if dir != "/srv/print" || strings.HasPrefix(rel, "/") || strings.Contains(rel, "..") && strings.Contains("/"+rel+"/", "/../") {
			t.Errorf("%q: %q", p, rel)
		}
	})
}
