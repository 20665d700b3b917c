package mscms

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Colord is the colour manager of Linux desktops, spoken to over D-Bus.
type Colord struct {
	// Address is that of the message bus; empty is the system's.
	Address string
}

// The names of colord's D-Bus interface, from its introspection files.
const (
	colordName   = "org.freedesktop.ColorManager"
	colordPath   = "/org/freedesktop/ColorManager"
	colordDevice = colordName + ".Device"
)

// Offer hands colord the profile, and gives it to the printer's device if colord knows one:
// cups-NAME, as CUPS registers them.
func (c Colord) Offer(ctx context.Context, p Profile) error {
	conn, err := c.connect(ctx)
	if err != nil {
		return spoolerr.As(err, spoolerr.Unavailable, "the message bus")
	}
	defer func() { _ = conn.Close() }()
	f, err := spill(p.Data)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	manager := conn.Object(colordName, colordPath)
	var profile dbus.ObjectPath
	id := "icc-spoolhost-" + hexDigest(p)
	err = manager.CallWithContext(ctx, colordName+".CreateProfileWithFd", 0, id, "normal", dbus.UnixFD(f.Fd()), //nolint:gosec // a descriptor fits
		map[string]string{"Title": p.Description, "Kind": "output-device"}).Store(&profile)
	if exists := isError(err, "AlreadyExists"); exists {
		err = manager.CallWithContext(ctx, colordName+".FindProfileById", 0, id).Store(&profile)
	}
	if err != nil {
		return failed(err)
	}
	var device dbus.ObjectPath
	queue := p.Printer[strings.LastIndex(p.Printer, `\`)+1:]
	err = manager.CallWithContext(ctx, colordName+".FindDeviceById", 0, "cups-"+queue).Store(&device)
	if isError(err, "NotFound") {
		return nil // nothing on this desktop prints there yet; the profile is known
	}
	if err == nil {
		err = conn.Object(colordName, device).CallWithContext(ctx, colordDevice+".AddProfile", 0, "soft", profile).Err
	}
	if isError(err, "ProfileAlreadyAdded") {
		return nil
	}
	return failed(err)
}

func (c Colord) connect(ctx context.Context) (*dbus.Conn, error) {
	if c.Address == "" {
		return dbus.ConnectSystemBus(dbus.WithContext(ctx))
	}
	return dbus.Connect(c.Address, dbus.WithContext(ctx))
}

// spill puts a profile into a file without a name: colord takes a descriptor.
func spill(r io.Reader) (*os.File, error) {
	f, err := os.CreateTemp("", "profile-*.icc")
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.NoSpace, "a temporary file")
	}
	_ = os.Remove(f.Name())
	if _, err = io.Copy(f, r); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		_ = f.Close()
		return nil, spoolerr.As(err, spoolerr.Unavailable, "the profile cannot be read")
	}
	return f, nil
}

// failed tells a bus without colord from a colord that refuses.
func failed(err error) error {
	if isError(err, "ServiceUnknown") || isError(err, "NameHasNoOwner") || isError(err, "Spawn") {
		return spoolerr.As(err, spoolerr.Unavailable, "colord")
	}
	return spoolerr.As(err, spoolerr.Internal, "colord")
}

// isError looks for a name in a D-Bus error.
func isError(err error, name string) bool {
	var e dbus.Error
	return errors.As(err, &e) && strings.Contains(e.Name, name)
}

func hexDigest(p Profile) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	for _, x := range p.Digest[:16] {
		b.WriteByte(digits[x>>4])
		b.WriteByte(digits[x&15])
	}
	return b.String()
}
