package ports

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Codec is what a monitor knows of its ports' settings.
type Codec interface {
	// Values checks settings strictly and gives all of them as they are stored.
	Values(c portconfig.Config) ([]registry.Value, error)
	// Settings gives stored values as a person would write them.
	Settings(s Stored) (map[string]string, error)
	// Merge lays changed settings over the current ones.
	Merge(current, changed map[string]string) map[string]string
	// Info describes a port.
	Info(c portconfig.Config) spool.PortInfo
}

// Sparse is a Codec that knows which values most ports have. Of a new port they are not
// stored: where there are ten thousand, reading them is most of what a start takes.
type Sparse interface {
	// Usual gives them. Settings reads a port without them as one with them.
	Usual() []registry.Value
}

// Overlay is the usual Merge: a setting that is not given keeps its value.
func Overlay(current, changed map[string]string) map[string]string {
	merged := map[string]string{}
	maps.Copy(merged, current)
	maps.Copy(merged, changed)
	return merged
}

// Book is the ports of one monitor instance.
type Book struct {
	store store
	codec Codec

	// writing is held across the registry calls of one change, so that two AddPorts of
	// one name cannot both succeed. Only this instance writes below its root key.
	writing sync.Mutex
	opened

	// recent keeps what was read lately: a port that prints a thousand documents a second
	// does not read its settings a thousand times.
	recent recent
}

// NewBook makes the book of the instance whose root key it gets.
func NewBook(root registry.Key, codec Codec) *Book {
	return &Book{store: store{root}, codec: codec, opened: opened{ports: map[string]Aborter{}}}
}

// Enum is EnumPorts. A port whose values are damaged is listed with what is wrong: one
// bad key must not hide the others.
func (b *Book) Enum(ctx context.Context) ([]spool.PortInfo, error) {
	b.writing.Lock()
	defer b.writing.Unlock()
	var infos []spool.PortInfo
	listed := make(map[string][]registry.Value)
	since := b.recent.now()
	for sub, err := range b.store.all(ctx) {
		if err != nil {
			return nil, spoolerr.Wrap(err, "the list of ports cannot be read from the registry")
		}
		if stored := newStored(sub.Values); !stored.empty() {
			infos = append(infos, b.info(sub.Name, stored))
			listed[spool.Fold(sub.Name)] = sub.Values
		}
	}
	b.recent.list(listed, since)
	return infos, nil
}

func (b *Book) info(name string, stored Stored) spool.PortInfo {
	settings, err := b.codec.Settings(stored)
	info := b.codec.Info(portconfig.Config{Name: name, Settings: settings})
	if err != nil {
		info.Description = "damaged: " + err.Error()
	}
	return info
}

// Config gives a port's settings. What somebody else writes to the registry it may learn
// a second late, or some seconds after the ports were listed. The settings are the caller's
// to read.
func (b *Book) Config(ctx context.Context, name string) (portconfig.Config, error) {
	if c, ok := b.recent.get(name); ok {
		return c, nil
	}
	since := b.recent.now()
	c, err := b.read(ctx, name)
	if err == nil {
		b.recent.put(c, since)
	}
	return c, err
}

func (b *Book) read(ctx context.Context, name string) (portconfig.Config, error) {
	stored, listed := b.recent.take(name)
	if !listed {
		var err error
		if stored, err = b.find(ctx, name); err != nil {
			return portconfig.Config{}, err
		}
	}
	settings, err := b.codec.Settings(stored)
	if err != nil {
		return portconfig.Config{}, spoolerr.Wrap(err, "port %s is damaged in the registry; configure it again", spool.Quote(name))
	}
	return portconfig.Config{Name: name, Settings: settings}, nil
}

// Add is AddPort.
func (b *Book) Add(ctx context.Context, c portconfig.Config) error {
	if err := checkNewName(c.Name); err != nil {
		return err
	}
	values, err := b.codec.Values(c)
	if err != nil {
		return err
	}
	b.writing.Lock()
	defer b.writing.Unlock()
	switch _, exists, err := b.store.read(ctx, c.Name); {
	case err != nil:
		return spoolerr.Wrap(err, "port %s cannot be looked up in the registry", spool.Quote(c.Name))
	case exists:
		return spoolerr.New(spoolerr.Exists, 0, "port %s exists already; choose another name, or configure it", spool.Quote(c.Name))
	}
	return spoolerr.Wrap(b.store.write(ctx, c.Name, b.unusual(values, Stored{})), "port %s cannot be stored in the registry", spool.Quote(c.Name))
}

// unusual gives the values of a port that have to be stored, over those that are.
func (b *Book) unusual(values []registry.Value, stored Stored) []registry.Value {
	sparse, ok := b.codec.(Sparse)
	if !ok {
		return values
	}
	usual := sparse.Usual()
	return slices.DeleteFunc(values, func(v registry.Value) bool {
		_, there := stored.values[spool.Fold(v.Name)]
		return !there && slices.ContainsFunc(usual, func(u registry.Value) bool {
			return u.Name == v.Name && u.Type == v.Type && bytes.Equal(u.Data, v.Data)
		})
	})
}

// Configure is ConfigPort. Settings that are not given keep their values; if the stored
// ones are damaged, the given ones stand alone.
func (b *Book) Configure(ctx context.Context, c portconfig.Config) error {
	b.writing.Lock()
	defer b.writing.Unlock()
	defer b.recent.drop()
	stored, err := b.find(ctx, c.Name)
	if err != nil {
		return err
	}
	if current, err := b.codec.Settings(stored); err == nil {
		c.Settings = b.codec.Merge(current, c.Settings)
	}
	values, err := b.codec.Values(c)
	if err != nil {
		return err
	}
	return spoolerr.Wrap(b.store.write(ctx, c.Name, b.unusual(values, stored)), "port %s cannot be stored in the registry", spool.Quote(c.Name))
}

// Delete is DeletePort. An open port has printers, and stays.
func (b *Book) Delete(ctx context.Context, name string) error {
	b.writing.Lock()
	defer b.writing.Unlock()
	defer b.recent.drop()
	if _, err := b.find(ctx, name); err != nil {
		return err
	}
	// Held under the name while it goes, so that it cannot be opened meanwhile.
	if err := b.Use(name, nothing{}); err != nil {
		return err
	}
	defer b.Release(name)
	return spoolerr.Wrap(b.store.remove(ctx, name), "port %s cannot be deleted from the registry", spool.Quote(name))
}

// Exists says whether there is such a port.
func (b *Book) Exists(ctx context.Context, name string) (bool, error) {
	if spool.CheckPortName(name) != nil || strings.Contains(name, `\`) {
		return false, nil
	}
	_, ok, err := b.store.read(ctx, name)
	return ok, spoolerr.Wrap(err, "port %s cannot be looked up in the registry", spool.Quote(name))
}

func (b *Book) find(ctx context.Context, name string) (Stored, error) {
	// A name that AddPort refuses would be a path to some other key.
	if checkNewName(name) != nil {
		return Stored{}, unknown(name)
	}
	stored, ok, err := b.store.read(ctx, name)
	if err != nil {
		return Stored{}, spoolerr.Wrap(err, "port %s cannot be read from the registry", spool.Quote(name))
	}
	if !ok {
		return Stored{}, unknown(name)
	}
	return stored, nil
}

func checkNewName(name string) error {
	if strings.Contains(name, `\`) {
		return spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidName,
			"port name %s contains a backslash, which separates registry keys; choose a name without", spool.Quote(name))
	}
	return spool.CheckPortName(name)
}

func unknown(name string) error {
	return spoolerr.New(spoolerr.NotFound, spoolerr.CodeUnknownPort,
		"port %s does not exist; list the ports, or add it", spool.Quote(name))
}
