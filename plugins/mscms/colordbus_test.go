//go:build colord

// With the tag colord these tests need dbus-daemon; .ci/pointprint installs it and runs them.

package mscms

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/spoolhost/spoolhost/sdk/icc"
	"github.com/spoolhost/spoolhost/sdk/icc/icctest"
	"github.com/spoolhost/spoolhost/sdk/pointprinttest"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=%s</listen>
  <auth>EXTERNAL</auth>
  <policy context="default"><allow send_destination="*" eavesdrop="true"/><allow receive_type="method_call"/><allow receive_type="method_return"/><allow receive_type="error"/><allow receive_type="signal"/><allow own="*"/><allow user="*"/></policy>
</busconfig>
`

// startBus runs a message bus of the test's own.
func startBus(t *testing.T) (address string) {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "bus") // t.TempDir is too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "bus.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, busConfig, filepath.Join(dir, "s")), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("dbus-daemon", "--config-file="+config, "--nofork", "--print-address")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	})
	address, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(address)
}

// colord is the service, as its introspection files have it, with one device.
type colord struct {
	mu       sync.Mutex
	profiles map[string][]byte // content by id
	titles   map[string]string
	given    []string // profiles of the device
	refuses  bool
}

func refusal(name string) *dbus.Error { return dbus.NewError(colordName+"."+name, []any{"no"}) }

func profilePath(id string) dbus.ObjectPath {
	return dbus.ObjectPath(colordPath + "/profiles/" + strings.ReplaceAll(id, "-", "_"))
}

func (c *colord) CreateProfileWithFd(id, scope string, fd dbus.UnixFD, properties map[string]string) (dbus.ObjectPath, *dbus.Error) {
	f := os.NewFile(uintptr(fd), "profile")
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(f)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err != nil || scope != "normal" || c.refuses:
		return "/", refusal("FailedToCreate")
	case c.profiles[id] != nil:
		return "/", refusal("AlreadyExists")
	}
	c.profiles[id], c.titles[id] = data, properties["Title"]
	return profilePath(id), nil
}

func (c *colord) FindProfileById(id string) (dbus.ObjectPath, *dbus.Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.profiles[id] == nil {
		return "/", refusal("NotFound")
	}
	return profilePath(id), nil
}

const devicePath = colordPath + "/devices/cups_HpColor"

func (c *colord) FindDeviceById(id string) (dbus.ObjectPath, *dbus.Error) {
	if id != "cups-HpColor" {
		return "/", refusal("NotFound")
	}
	return devicePath, nil
}

// device is the printer as CUPS registers it.
type device struct{ *colord }

func (d device) AddProfile(relation string, profile dbus.ObjectPath) *dbus.Error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.given {
		if p == relation+" "+string(profile) {
			return dbus.NewError(colordDevice+".ProfileAlreadyAdded", []any{"no"})
		}
	}
	d.given = append(d.given, relation+" "+string(profile))
	return nil
}

// serve puts colord on a bus.
func (c *colord) serve(t *testing.T, address string) {
	t.Helper()
	conn, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.Export(c, colordPath, colordName); err != nil {
		t.Fatal(err)
	}
	if err := conn.Export(device{c}, devicePath, colordDevice); err != nil {
		t.Fatal(err)
	}
	if r, err := conn.RequestName(colordName, dbus.NameFlagDoNotQueue); err != nil || r != dbus.RequestNameReplyPrimaryOwner {
		t.Fatal(r, err)
	}
}

func newColord() *colord {
	return &colord{profiles: make(map[string][]byte), titles: make(map[string]string)}
}

func profileOf(printer string, data []byte) Profile {
	return Profile{Printer: printer, File: "a.icm", Profile: icc.Profile{Description: "HP Color"}, Digest: [32]byte{0xab}, Data: bytes.NewReader(data)}
}

// TestColord offers a profile over a real bus: the content goes by descriptor, the device that
// CUPS has registered gets it, and a second time changes nothing.
func TestColord(t *testing.T) {
	address := startBus(t)
	c, data := newColord(), icctest.Profile("HP Color")
	if err := (Colord{Address: address}).Offer(t.Context(), profileOf("HpColor", data)); spoolerr.KindOf(err) != spoolerr.Unavailable {
		t.Errorf("a bus without colord: %v", err)
	}
	c.serve(t, address)
	const id = "icc-spoolhost-ab000000000000000000000000000000"
	for _, printer := range []string{"HpColor", `\\NTPRINT\HpColor`, "another"} {
		if err := (Colord{Address: address}).Offer(t.Context(), profileOf(printer, data)); err != nil {
			t.Errorf("%s: %v", printer, err)
		}
	}
	if len(c.profiles) != 1 || !bytes.Equal(c.profiles[id], data) || c.titles[id] != "HP Color" ||
		len(c.given) != 1 || c.given[0] != "soft "+string(profilePath(id)) {
		t.Errorf("%d profiles, %q, %v", len(c.profiles), c.titles, c.given)
	}
	c.refuses = true
	if err := (Colord{Address: address}).Offer(t.Context(), profileOf("HpColor", data)); spoolerr.KindOf(err) != spoolerr.Internal {
		t.Errorf("a colord that refuses: %v", err)
	}
}

// TestModuleWithColord: the whole module gives colord what the kit's printer has.
func TestModuleWithColord(t *testing.T) {
	address, c := startBus(t), newColord()
	c.serve(t, address)
	pointprinttest.Run(t, pointprinttest.PointPrint(New(Colord{Address: address})), pointprinttest.Options{})
	if c.mu.Lock(); len(c.profiles) == 0 || len(c.given) == 0 {
		t.Errorf("%d profiles, %v", len(c.profiles), c.given)
	}
	c.mu.Unlock()
}
