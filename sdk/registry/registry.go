// Package registry is MONITORREG as a vendor sees it: the only place where a monitor
// keeps its configuration. Each monitor instance has a root key of its own, so what is
// stored for one spooler is invisible to it in another.
//
// Vendors and the host import it. It does no I/O: the host implements Key.
package registry

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Key is an open registry key (HKEYMONITOR) with the ten functions of MONITORREG. Names
// of keys and values are case-insensitive; a subkey path is separated by backslashes.
// Errors carry the Win32 codes that MONITORREG documents: CodeFileNotFound for a missing
// key or value, CodeNoMoreItems at the end of an enumeration, CodeInvalidHandle after
// Close or after the instance's Shutdown.
//
// It has ten methods because MONITORREG has ten functions.
type Key interface {
	// CreateKey opens the subkey, creating it and its parents if needed; created says which.
	CreateKey(ctx context.Context, path string) (sub Key, created bool, err error)
	// OpenKey opens an existing subkey. The empty path opens the key itself again.
	OpenKey(ctx context.Context, path string) (Key, error)
	// CloseKey gives the handle back.
	CloseKey(ctx context.Context) error
	// DeleteKey removes a subkey with its values. A subkey that has subkeys is refused.
	DeleteKey(ctx context.Context, path string) error
	// EnumKey gives the direct subkey at index, in order of name.
	EnumKey(ctx context.Context, index uint32) (KeyInfo, error)
	// QueryInfoKey gives counts and maximum lengths.
	QueryInfoKey(ctx context.Context) (Info, error)
	// SetValue stores one or several values; several are stored in one transaction.
	SetValue(ctx context.Context, values ...Value) error
	// DeleteValue removes a value.
	DeleteValue(ctx context.Context, name string) error
	// EnumValue gives the value at index, in order of name.
	EnumValue(ctx context.Context, index uint32) (Value, error)
	// QueryValue gives a value by name; the empty name is the key's default value.
	QueryValue(ctx context.Context, name string) (Value, error)
}

// KeyInfo is what EnumKey says of one subkey.
type KeyInfo struct {
	Name      string
	LastWrite time.Time
}

// Info is what QueryInfoKey says. Lengths are in UTF-16 code units for names and in
// bytes for data.
type Info struct {
	SubKeys, Values                        uint32
	MaxSubKeyLen, MaxValueNameLen, MaxData uint32
	LastWrite                              time.Time
}

// Keys ranges over the direct subkeys of k by index. The error of a failed step is
// yielded last, with a zero KeyInfo.
func Keys(ctx context.Context, k Key) iter.Seq2[KeyInfo, error] {
	return enumerate(func(i uint32) (KeyInfo, error) { return k.EnumKey(ctx, i) })
}

// Values ranges over the values of k by index. The error of a failed step is yielded
// last, with a zero Value.
func Values(ctx context.Context, k Key) iter.Seq2[Value, error] {
	return enumerate(func(i uint32) (Value, error) { return k.EnumValue(ctx, i) })
}

// ValuesReader is a Key that gives all values of a subkey in one step.
type ValuesReader interface {
	QueryMultipleValues(ctx context.Context, path string) ([]Value, error)
}

// ReadValues gives all values of a subkey of k, in order of name. It asks once where the
// host can answer at once: a monitor with ten thousand ports reads them ten times sooner.
func ReadValues(ctx context.Context, k Key, path string) ([]Value, error) {
	if r, ok := k.(ValuesReader); ok {
		list, err := r.QueryMultipleValues(ctx, path)
		if !errors.Is(err, spoolerr.MoreData) && !errors.Is(err, spoolerr.Unsupported) {
			return list, err
		}
	}
	sub, err := k.OpenKey(ctx, path)
	if err != nil {
		return nil, err
	}
	defer closeKey(ctx, sub)
	var list []Value
	for v, err := range Values(ctx, sub) {
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// SubKey is a direct subkey with all its values, in order of name.
type SubKey struct {
	KeyInfo
	Values []Value
}

// SubKeysReader is a Key that gives direct subkeys of a subkey with their values, page by
// page: those after the name of the last one before. An empty page is the end.
type SubKeysReader interface {
	QuerySubKeys(ctx context.Context, path, after string) ([]SubKey, error)
}

// SubKeys ranges over the direct subkeys of a subkey of k with their values, in order of
// name. It asks for many at once where the host can answer so: a monitor with ten thousand
// ports lists them in a few calls. The error of a failed step is yielded last.
func SubKeys(ctx context.Context, k Key, path string) iter.Seq2[SubKey, error] {
	return func(yield func(SubKey, error) bool) {
		r, paged := k.(SubKeysReader)
		for after := ""; paged; {
			page, err := r.QuerySubKeys(ctx, path, after)
			switch {
			case errors.Is(err, spoolerr.Unsupported) || errors.Is(err, spoolerr.MoreData):
				singly(ctx, k, path, after, yield)
				return
			case err != nil:
				yield(SubKey{}, err)
				return
			case len(page) == 0:
				return
			}
			for _, sub := range page {
				if !yield(sub, nil) {
					return
				}
			}
			after = page[len(page)-1].Name
		}
		singly(ctx, k, path, "", yield)
	}
}

// singly is SubKeys key by key, of those beyond after.
func singly(ctx context.Context, k Key, path, after string, yield func(SubKey, error) bool) {
	parent, err := k.OpenKey(ctx, path)
	if err != nil {
		yield(SubKey{}, err)
		return
	}
	defer closeKey(ctx, parent)
	for info, err := range Keys(ctx, parent) {
		sub := SubKey{KeyInfo: info}
		if err == nil && after != "" && spool.Fold(info.Name) <= spool.Fold(after) {
			continue
		}
		if err == nil {
			sub.Values, err = ReadValues(ctx, parent, info.Name)
		}
		if errors.Is(err, spoolerr.NotFound) {
			continue // deleted meanwhile
		}
		if !yield(sub, err) || err != nil {
			return
		}
	}
}

// closeKey closes a key also when the caller has given up. A handle that cannot be closed
// is already gone.
func closeKey(ctx context.Context, k Key) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = k.CloseKey(ctx)
}

func enumerate[T any](at func(uint32) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for i := uint32(0); ; i++ {
			item, err := at(i)
			if errors.Is(err, spoolerr.NoMoreItems) {
				return
			}
			if !yield(item, err) || err != nil {
				return
			}
		}
	}
}
