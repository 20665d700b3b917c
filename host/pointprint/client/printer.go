package client

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/spoolhost/spoolhost/sdk/printerdata"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// printer is what a module sees of a connection: the data that the server gave, over which
// lies what modules here have set, and the files that came.
type printer struct {
	c   *Client
	con *Connection
}

var _ printerdata.Printer = (*printer)(nil)

// GetPrinterDataEx implements printerdata.Printer.
func (p *printer) GetPrinterDataEx(ctx context.Context, key, value string) (registry.Value, error) {
	for _, base := range []string{localKeys, serverKeys} {
		v, err := p.c.cfg.Hive.QueryValue(ctx, p.con.Name.key()+base+`\`+key, value)
		if err == nil || !errors.Is(err, spoolerr.NotFound) {
			return v, err
		}
	}
	return registry.Value{}, spoolerr.New(spoolerr.NotFound, spoolerr.CodeFileNotFound, "printer %s has no value %s of key %s",
		p.con.Name, spool.Quote(value), spool.Quote(key))
}

// EnumPrinterDataEx implements printerdata.Printer.
func (p *printer) EnumPrinterDataEx(ctx context.Context, key string) (list []registry.Value, err error) {
	found := false
	for _, base := range []string{localKeys, serverKeys} {
		values, err := p.c.cfg.Hive.Values(ctx, p.con.Name.key()+base+`\`+key)
		if errors.Is(err, spoolerr.NotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found = true
		for _, v := range values {
			if !slices.ContainsFunc(list, func(o registry.Value) bool { return spool.Fold(o.Name) == spool.Fold(v.Name) }) {
				list = append(list, v)
			}
		}
	}
	if !found {
		return nil, spoolerr.New(spoolerr.NotFound, spoolerr.CodeFileNotFound, "printer %s has no key %s", p.con.Name, spool.Quote(key))
	}
	slices.SortFunc(list, func(a, b registry.Value) int { return strings.Compare(spool.Fold(a.Name), spool.Fold(b.Name)) })
	return list, nil
}

// SetPrinterDataEx implements printerdata.Printer: what is set stays here.
func (p *printer) SetPrinterDataEx(ctx context.Context, key string, v registry.Value) error {
	first, _, _ := strings.Cut(spool.Fold(key), `\`)
	if first == "" || first == spool.Fold(copyFiles) || strings.HasPrefix(first, "ds") {
		return spoolerr.New(spoolerr.Denied, 0, "key %s cannot be set by a module", spool.Quote(key))
	}
	path := p.con.Name.key() + localKeys + `\` + key
	if exists, err := p.c.cfg.Hive.KeyExists(ctx, p.con.Name.key()); err != nil || !exists {
		return spoolerr.New(spoolerr.BadHandle, 0, "connection %s is gone", p.con.Name)
	}
	if err := p.room(ctx, path, v); err != nil {
		return err
	}
	if _, err := p.c.cfg.Hive.CreateKey(ctx, path); err != nil {
		return err
	}
	return p.c.cfg.Hive.SetValues(ctx, path, v)
}

// room bounds what modules keep of a connection.
func (p *printer) room(ctx context.Context, path string, v registry.Value) error {
	const mostValues, mostBytes = 256, 64 << 10
	info, err := p.c.cfg.Hive.QueryInfoKey(ctx, path)
	if err != nil && !errors.Is(err, spoolerr.NotFound) {
		return err
	}
	keys, err := p.c.cfg.Hive.SubKeys(ctx, p.con.Name.key()+localKeys)
	if err != nil && !errors.Is(err, spoolerr.NotFound) {
		return err
	}
	if info.Values >= mostValues || len(v.Data) > mostBytes || len(keys) > mostValues || strings.Count(path, `\`) > 8 {
		return spoolerr.New(spoolerr.Exhausted, 0, "modules keep too much of connection %s; a key has at most %d values of %d bytes", p.con.Name, mostValues, mostBytes)
	}
	return nil
}

// OpenFile implements printerdata.Printer. The file is read in full before it is given, so
// that it is the one that was checked; it is found by its place, and no link is followed.
func (p *printer) OpenFile(_ context.Context, key, name string) (*io.SectionReader, error) {
	missing := spoolerr.New(spoolerr.NotFound, spoolerr.CodeFileNotFound, "printer %s has no file %s of key %s", p.con.Name, spool.Quote(name), spool.Quote(key))
	part := p.con.component(componentKey(key))
	if part == nil {
		return nil, missing
	}
	i := slices.IndexFunc(part.Files, func(f File) bool { return spool.Fold(f.Name) == spool.Fold(name) })
	if i < 0 {
		return nil, missing
	}
	if part.Files[i].Size > printerdata.MaxFile {
		return nil, spoolerr.New(spoolerr.Exhausted, 0, "file %s has %d bytes; a module may read %d", spool.Quote(name), part.Files[i].Size, printerdata.MaxFile)
	}
	data, err := p.c.content(part.Files[i])
	if err != nil {
		return nil, err
	}
	return io.NewSectionReader(data, 0, data.Size()), nil
}
