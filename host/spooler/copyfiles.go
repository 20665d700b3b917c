package spooler

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/pointprint/confine"
	hostprinterdata "github.com/spoolhost/spoolhost/host/printerdata"
	hostregistry "github.com/spoolhost/spoolhost/host/registry"
	"github.com/spoolhost/spoolhost/sdk/pointprint"
	"github.com/spoolhost/spoolhost/sdk/printerdata"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Client is who asks for a printer's data.
type Client struct {
	// Server is the name by which it knows this server; empty is the spooler's own.
	Server string
	Info   pointprint.ClientInfo
}

// EnumPrinterDataEx gives the values of a key, and the ChangeID from before they were read.
// For a CopyFiles key the Module is asked for SourceDir and TargetDir, which are not stored.
// If it cannot be asked, refuses, or names another place than the share, that is the error:
// a client then has nothing to copy for this key, and goes on with the others.
func (s *Spooler) EnumPrinterDataEx(ctx context.Context, printer, key string, c Client) (list []registry.Value, id uint32, err error) {
	d, err := s.data(printer)
	if err == nil {
		id, err = s.ChangeID(printer)
	}
	if err == nil {
		list, err = d.Enum(ctx, key)
	}
	component, isCopyFiles := hostprinterdata.Component(key)
	if err != nil || !isCopyFiles || text(list, printerdata.Directory) == "" {
		return list, id, err
	}
	dirs, err := s.copyFilePaths(ctx, d.Printer, list, c)
	s.noteCopyFiles(d.Printer, component, err)
	if err != nil {
		return nil, id, spoolerr.Wrap(err, `printer %s: CopyFiles\%s`, spool.Quote(d.Printer), component)
	}
	return append(list, registry.String(printerdata.SourceDir, dirs.SourceDir), registry.String(printerdata.TargetDir, dirs.TargetDir)), id, nil
}

// copyFilePaths gives the two directories as they are, or as the Module wants them.
func (s *Spooler) copyFilePaths(ctx context.Context, printer string, values []registry.Value, c Client) (pointprint.Dirs, error) {
	server := c.Server
	if server == "" {
		server = s.cfg.Name
	}
	if err := spool.CheckName("server", server); err != nil {
		return pointprint.Dirs{}, err
	}
	directory, module := text(values, printerdata.Directory), text(values, printerdata.Module)
	dirs := pointprint.Dirs{SourceDir: `\\` + server + `\` + confine.Share + `\` + directory, TargetDir: directory}
	if module != "" {
		if s.loader == nil {
			return dirs, spoolerr.New(spoolerr.NotFound, spoolerr.CodeModNotFound, "there are no modules on this host")
		}
		var err error
		if dirs, err = s.loader.GenerateCopyFilePaths(ctx, module, pointprint.CopyFilePaths{
			PrinterName: printer, Directory: directory, Client: c.Info, Level: 1, Dirs: dirs, Flags: pointprint.ServerSpooler,
			Printer: &lent{spooler: s, printer: printer},
		}); err != nil {
			return dirs, err
		}
	}
	if _, err := confine.ParseSource(printerdata.SourceDir, server, dirs.SourceDir); err != nil {
		return dirs, err
	}
	_, err := confine.ParseRel(printerdata.TargetDir, dirs.TargetDir)
	return dirs, err
}

// noteCopyFiles tells the operator that files cannot be copied, once for each reason.
func (s *Spooler) noteCopyFiles(printer, component string, err error) {
	said := ""
	if err != nil {
		said = err.Error()
	}
	key := spool.Fold(printer) + `\` + spool.Fold(component)
	s.mu.Lock()
	before := s.copyTrouble[key]
	if said == "" {
		delete(s.copyTrouble, key)
	} else {
		s.copyTrouble[key] = said
	}
	s.mu.Unlock()
	if said != "" && said != before {
		s.event(eventlog.CopyFilesFailed, eventlog.Error, eventlog.Printer, printer, "clients cannot copy the files of printer "+spool.Quote(printer)+`, key CopyFiles\`+component+": "+said)
	}
}

// text gives a value's text; empty if there is none.
func text(values []registry.Value, name string) string {
	for _, v := range values {
		if spool.Fold(v.Name) == spool.Fold(name) {
			t, _ := v.Text()
			return t
		}
	}
	return ""
}

// copyFilesModules gives the Module of each CopyFiles key that has one, by key.
func copyFilesModules(ctx context.Context, d hostprinterdata.Data) map[string]string {
	modules := make(map[string]string)
	names, err := d.Keys(ctx, printerdata.CopyFiles)
	if err != nil {
		return modules // there is none, or it cannot be read: then clients are told
	}
	for _, name := range names {
		key := printerdata.CopyFiles + `\` + name
		if v, err := d.Get(ctx, key, printerdata.Module); err == nil {
			if module, err := v.Text(); err == nil && module != "" {
				modules[key] = module
			}
		}
	}
	return modules
}

// tellSet calls SpoolerCopyFileEvent(SET_PRINTER_DATAEX) of every Module of a printer, soon:
// storing data runs no vendor's code. Changes that come before it has begun are told once.
func (s *Spooler) tellSet(printer string) {
	key := spool.Fold(printer)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loader == nil || s.toldSoon[key] {
		return
	}
	s.toldSoon[key] = s.goBackground(func(ctx context.Context) {
		s.mu.Lock()
		delete(s.toldSoon, key)
		s.mu.Unlock()
		d, err := s.data(printer)
		if err != nil {
			return
		}
		for key, module := range copyFilesModules(ctx, d) {
			s.tellCopyFiles(ctx, module, pointprint.CopyFileEvent{
				PrinterName: d.Printer, Key: key, Event: pointprint.SetPrinterDataEx, Printer: &lent{spooler: s, printer: d.Printer},
			})
		}
	})
}

func (s *Spooler) tellCopyFiles(ctx context.Context, module string, e pointprint.CopyFileEvent) {
	if err := s.loader.SpoolerCopyFileEvent(ctx, module, e); err != nil && ctx.Err() == nil {
		s.event(eventlog.CopyFileEvent, eventlog.Warning, eventlog.Printer, e.PrinterName, "printer "+spool.Quote(e.PrinterName)+": "+e.Event.String()+" of "+e.Key+": "+err.Error())
	}
}

// lent is a printer as a module sees it.
type lent struct {
	spooler *Spooler
	printer string
}

func (l *lent) GetPrinterDataEx(ctx context.Context, key, value string) (registry.Value, error) {
	return l.spooler.GetPrinterDataEx(ctx, l.printer, key, value)
}

func (l *lent) EnumPrinterDataEx(ctx context.Context, key string) ([]registry.Value, error) {
	d, err := l.spooler.data(l.printer)
	if err != nil {
		return nil, err
	}
	return d.Enum(ctx, key)
}

// SetPrinterDataEx stores what a module says of the printer. Other modules are not told.
func (l *lent) SetPrinterDataEx(ctx context.Context, key string, v registry.Value) error {
	top, _, _ := strings.Cut(spool.Fold(key), `\`)
	if top == spool.Fold(printerdata.CopyFiles) || strings.HasPrefix(top, "ds") {
		return spoolerr.New(spoolerr.Denied, 0, "key %s is not for modules to change", spool.Quote(key))
	}
	_, err := l.spooler.changeData(l.printer, func(d hostprinterdata.Data, id uint32) error { return d.Set(ctx, key, v, id) })
	return err
}

// OpenFile gives a file of a CopyFiles key on the server.
func (l *lent) OpenFile(ctx context.Context, key, name string) (*io.SectionReader, error) {
	values, err := l.EnumPrinterDataEx(ctx, key)
	if err != nil {
		return nil, err
	}
	return openListed(ctx, l.spooler, key, values, name)
}

// openListed gives a file if the key names it.
func openListed(ctx context.Context, s *Spooler, key string, values []registry.Value, name string) (*io.SectionReader, error) {
	if _, ok := hostprinterdata.Component(key); !ok || s.cfg.Share == nil || !slices.ContainsFunc(fileNames(values), func(f string) bool { return spool.Fold(f) == spool.Fold(name) }) {
		return nil, spoolerr.New(spoolerr.NotFound, spoolerr.CodeFileNotFound, "key %s names no file %s", spool.Quote(key), spool.Quote(name))
	}
	return s.cfg.Share.Section(ctx, text(values, printerdata.Directory)+`\`+name)
}

func fileNames(values []registry.Value) []string {
	for _, v := range values {
		if spool.Fold(v.Name) == spool.Fold(printerdata.Files) {
			list, _ := v.List()
			return list
		}
	}
	return nil
}

// FilesChanged gives the printers that name a file of the share, or that have a driver of
// this name, their next ChangeID, so that clients come and look. Empty names are none.
func (s *Spooler) FilesChanged(ctx context.Context, path, driver string) error {
	var errs []error
	for _, v := range s.Printers() {
		uses := driver != "" && spool.Fold(v.Driver) == spool.Fold(driver)
		if !uses && path != "" {
			uses, _ = s.names(ctx, v.Name, path)
		}
		if uses {
			errs = append(errs, s.touch(ctx, v.Name))
		}
	}
	return errors.Join(errs...)
}

// FileInUse refuses to do without a file that a printer's CopyFiles key names.
func (s *Spooler) FileInUse(ctx context.Context, path string) error {
	for _, v := range s.Printers() {
		if uses, key := s.names(ctx, v.Name, path); uses {
			return spoolerr.New(spoolerr.Busy, 0, "file %s is named by printer %s, key %s; take it out of the value Files first", spool.Quote(path), spool.Quote(v.Name), key)
		}
	}
	return nil
}

// names says whether a CopyFiles key of a printer names a file, and which.
func (s *Spooler) names(ctx context.Context, printer, path string) (yes bool, key string) {
	_ = s.hive.Walk(ctx, printerKey(printer)+`\`+printerdata.CopyFiles, func(e hostregistry.Entry) error {
		for _, f := range fileNames(e.Values) {
			if spool.Fold(text(e.Values, printerdata.Directory)+`\`+f) == spool.Fold(path) {
				yes, key = true, strings.TrimPrefix(e.Path, printerKey(printer)+`\`)
			}
		}
		return nil
	})
	return yes, key
}
