// Package printerdata is the printer data of a queue: typed values in keys below the
// printer's own key in its spooler's registry, with the rules and errors of
// SetPrinterDataEx and its relatives. The printer's own settings are values of the key
// itself and cannot be reached: every function here wants the name of a key below it.
//
// The spooler imports it. It calls no module and knows no file; what SourceDir and TargetDir
// are is host/pointprint's business.
package printerdata

import (
	"context"
	"errors"

	"github.com/spoolhost/spoolhost/host/registry"
	"github.com/spoolhost/spoolhost/sdk/printerdata"
	sdkregistry "github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// The bounds of one printer's data.
const (
	// MaxBytes counts names and values.
	MaxBytes = 2 << 20
	// MaxKeys counts keys.
	MaxKeys = 1000
	// MaxValue is the longest value, in bytes.
	MaxValue = 512 << 10
)

// Data is the printer data of one printer.
type Data struct {
	Hive *registry.Hive
	// Printer is its name, Root its key in the hive.
	Printer, Root string
}

// at gives the path of a key in the hive.
func (d Data) at(key string) string { return d.Root + `\` + key }

// Get gives one value. ChangeID is the printer's, not here.
func (d Data) Get(ctx context.Context, key, value string) (sdkregistry.Value, error) {
	if err := checkKey(key); err != nil {
		return sdkregistry.Value{}, err
	}
	v, err := d.Hive.QueryValue(ctx, d.at(key), value)
	return v, d.missing(err, key, value)
}

// Enum gives the values of a key in order of name.
func (d Data) Enum(ctx context.Context, key string) ([]sdkregistry.Value, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	list, err := d.Hive.Values(ctx, d.at(key))
	return list, d.missing(err, key, "")
}

// Keys gives the names of a key's direct subkeys; the empty key is the top level.
func (d Data) Keys(ctx context.Context, key string) ([]string, error) {
	at := d.Root
	if key != "" {
		if err := checkKey(key); err != nil {
			return nil, err
		}
		at = d.at(key)
	}
	list, err := d.Hive.SubKeys(ctx, at)
	if err != nil {
		return nil, d.missing(err, key, "")
	}
	names := make([]string, 0, len(list))
	for _, k := range list {
		names = append(names, k.Name)
	}
	return names, nil
}

// missing says what is not there in the words of printer data.
func (d Data) missing(err error, key, value string) error {
	if !errors.Is(err, spoolerr.NotFound) {
		return err
	}
	if value != "" {
		return spoolerr.New(spoolerr.NotFound, spoolerr.CodeFileNotFound, "printer %s has no value %s in key %s; see spoolhost printer data list", spool.Quote(d.Printer), spool.Quote(value), spool.Quote(key))
	}
	return spoolerr.New(spoolerr.NotFound, spoolerr.CodeFileNotFound, "printer %s has no key %s; see spoolhost printer data list", spool.Quote(d.Printer), spool.Quote(key))
}

// change is a change of the data together with the printer's ChangeID.
func (d Data) change(ctx context.Context, id uint32, fn func(*registry.Edit) error) error {
	limit := registry.Limit{Owner: d.Printer, What: "printer", Bytes: MaxBytes, Keys: MaxKeys}
	return d.Hive.Edit(ctx, d.Root, limit, func(e *registry.Edit) error {
		if err := fn(e); err != nil {
			return err
		}
		return e.Set(d.Root, sdkregistry.Uint32(printerdata.ChangeID, id))
	})
}

// Set stores a value, creates its key, and gives the printer its next ChangeID.
func (d Data) Set(ctx context.Context, key string, v sdkregistry.Value, id uint32) error {
	if err := checkSet(key, v); err != nil {
		return spoolerr.Wrap(err, "printer %s", spool.Quote(d.Printer))
	}
	return d.change(ctx, id, func(e *registry.Edit) error { return e.Set(d.at(key), v) })
}

// Delete removes a value.
func (d Data) Delete(ctx context.Context, key, value string, id uint32) error {
	if err := checkWritable(key, value); err != nil {
		return spoolerr.Wrap(err, "printer %s", spool.Quote(d.Printer))
	}
	err := d.change(ctx, id, func(e *registry.Edit) error { return e.DeleteValue(d.at(key), value) })
	return d.missing(err, key, value)
}

// DeleteKey removes a key with everything below it; the empty key is all printer data.
func (d Data) DeleteKey(ctx context.Context, key string, id uint32) error {
	if key != "" {
		if err := checkWritable(key, ""); err != nil {
			return spoolerr.Wrap(err, "printer %s", spool.Quote(d.Printer))
		}
	}
	err := d.change(ctx, id, func(e *registry.Edit) error {
		if key != "" {
			return e.DeleteTree(d.at(key))
		}
		list, err := e.SubKeys(d.Root)
		if err != nil {
			return err
		}
		for _, k := range list {
			if err := e.DeleteTree(d.at(k.Name)); err != nil {
				return err
			}
		}
		return nil
	})
	return d.missing(err, key, "")
}
