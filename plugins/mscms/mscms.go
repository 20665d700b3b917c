// Package mscms is the Point and Print module for colour profiles, under the name that
// Windows' own has: the Module of CopyFiles\ICM. It leaves the paths alone. When a
// printer's files have come to a client it checks that they are ICC profiles, records them
// for the printer, and offers them to colord where that runs.
package mscms

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spoolhost/spoolhost/sdk/icc"
	"github.com/spoolhost/spoolhost/sdk/pointprint"
	"github.com/spoolhost/spoolhost/sdk/printerdata"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// What the module calls itself.
const (
	Name    = "mscms"
	Version = "1.0"
)

// Profile is a checked profile, for a colour manager.
type Profile struct {
	Printer, File string
	icc.Profile
	Digest [sha256.Size]byte
	Data   io.Reader
}

// Manager is the system's colour manager.
type Manager interface {
	// Offer makes a profile known. spoolerr.Unavailable: there is no manager.
	Offer(ctx context.Context, p Profile) error
}

// Initialize is the loading of the module, with colord as the manager.
func Initialize(ctx context.Context, init pointprint.Init) (pointprint.Module, error) {
	return New(Colord{})(ctx, init)
}

// New is Initialize with another manager.
func New(m Manager) pointprint.Initialize {
	return func(_ context.Context, init pointprint.Init) (pointprint.Module, error) {
		return &module{reg: init.Registry, log: init.Logger, manager: m}, nil
	}
}

type module struct {
	reg     registry.Key
	log     *slog.Logger
	manager Manager
}

// GenerateCopyFilePaths changes nothing.
func (*module) GenerateCopyFilePaths(_ context.Context, c pointprint.CopyFilePaths) (pointprint.Dirs, error) {
	return c.Dirs, nil
}

func (m *module) SpoolerCopyFileEvent(ctx context.Context, e pointprint.CopyFileEvent) error {
	switch e.Event {
	case pointprint.FilesChanged:
		return m.filesChanged(ctx, e)
	case pointprint.DeletePrinterConnection:
		return m.forget(ctx, e.PrinterName)
	}
	return nil
}

// recordKey is where a printer's profiles are recorded.
func recordKey(printer string) string { return `Printers\` + strings.Trim(printer, `\`) }

// filesChanged checks all profiles before it records the first.
func (m *module) filesChanged(ctx context.Context, e pointprint.CopyFileEvent) error {
	v, err := e.Printer.GetPrinterDataEx(ctx, e.Key, printerdata.Files)
	if err != nil {
		return spoolerr.Wrap(err, "printer %s: %s", e.PrinterName, e.Key)
	}
	files, err := v.List()
	if err != nil {
		return err
	}
	var bad []error
	var records []registry.Value
	for _, name := range files {
		p, err := m.check(ctx, e, name)
		if err != nil {
			bad = append(bad, spoolerr.Wrap(err, "printer %s: profile %s", e.PrinterName, spool.Quote(name)))
			continue
		}
		records = append(records, registry.String(name, describe(p)))
		m.offer(ctx, p)
	}
	if err := m.forget(ctx, e.PrinterName); err != nil {
		return err
	}
	key, _, err := m.reg.CreateKey(ctx, recordKey(e.PrinterName))
	if err != nil {
		return err
	}
	defer func() { _ = key.CloseKey(ctx) }()
	return errors.Join(append(bad, key.SetValue(ctx, records...))...)
}

// check reads and parses one profile.
func (m *module) check(ctx context.Context, e pointprint.CopyFileEvent, name string) (Profile, error) {
	f, err := e.Printer.OpenFile(ctx, e.Key, name)
	if err != nil {
		return Profile{}, err
	}
	parsed, err := icc.Parse(f, f.Size())
	if err != nil {
		return Profile{}, err
	}
	p := Profile{Printer: e.PrinterName, File: name, Profile: *parsed}
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return Profile{}, spoolerr.As(err, spoolerr.Unavailable, "it cannot be read")
	}
	sum.Sum(p.Digest[:0])
	p.Data = io.NewSectionReader(f, 0, f.Size())
	return p, nil
}

// describe is what is recorded of a profile.
func describe(p Profile) string {
	return fmt.Sprintf("%s; ICC %d.%d, class %s, %s to %s, %d bytes, SHA-256 %x", p.Description, p.Major, p.Minor, p.Class,
		strings.TrimSpace(p.Space), strings.TrimSpace(p.PCS), p.Size, p.Digest)
}

// offer makes a profile known to the desktop. That there is none is no failure: the profile
// is where applications look for it.
func (m *module) offer(ctx context.Context, p Profile) {
	switch err := m.manager.Offer(ctx, p); {
	case err == nil:
		m.log.Info("the profile was given to colord", "printer", p.Printer, "file", p.File)
	case errors.Is(err, spoolerr.Unavailable):
		m.log.Info("there is no colord on this system; the profile is recorded only", "printer", p.Printer, "file", p.File)
	default:
		m.log.Warn("colord did not take the profile", "printer", p.Printer, "file", p.File, "error", err)
	}
}

// forget takes a printer's record away.
func (m *module) forget(ctx context.Context, printer string) error {
	err := m.reg.DeleteKey(ctx, recordKey(printer))
	if errors.Is(err, spoolerr.NotFound) {
		return nil
	}
	return err
}
