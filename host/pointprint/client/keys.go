package client

import (
	"context"
	"slices"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/printerdata"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

const copyFiles = printerdata.CopyFiles

// The bounds of a printer's data.
const (
	maxKeys  = 1024
	maxDepth = 16
	maxBytes = 8 << 20
)

// printerKey is a key of a printer's data as the server gave it.
type printerKey struct {
	path   string
	values []registry.Value
	// refused is why the server gave no values: its Module is missing, or refused.
	refused error
}

// value gives a value by name.
func (k printerKey) value(name string) (registry.Value, bool) {
	i := slices.IndexFunc(k.values, func(v registry.Value) bool { return spool.Fold(v.Name) == spool.Fold(name) })
	if i < 0 {
		return registry.Value{}, false
	}
	return k.values[i], true
}

// text gives a string; empty if it is missing or something else.
func (k printerKey) text(name string) string {
	v, _ := k.value(name)
	s, _ := v.Text()
	return s
}

// enumeration is the data of a printer at one time.
type enumeration struct {
	s        *session
	keys     []printerKey
	bytes    int
	changeID uint32
	moved    bool // it changed while it was read
}

// readAll reads all printer data (step 4). Data that changes meanwhile is read again.
func (s *session) readAll(ctx context.Context) (*enumeration, error) {
	const most = 5
	for range most {
		e := &enumeration{s: s}
		if err := e.walk(ctx, "", 0); err != nil {
			return nil, err
		}
		if !e.moved {
			return e, nil
		}
	}
	return nil, spoolerr.New(spoolerr.Busy, 0, "printer %s changes faster than its data can be read", s.con.Name)
}

// walk reads a key and everything below it. What no bound holds is refused.
func (e *enumeration) walk(ctx context.Context, path string, depth int) error {
	names, err := e.subkeys(ctx, path)
	if err != nil {
		return err
	}
	switch {
	case depth >= maxDepth && len(names) > 0:
		return spoolerr.New(spoolerr.Exhausted, 0, "the data of printer %s has keys in more than %d levels", e.s.con.Name, maxDepth)
	case len(e.keys)+len(names) > maxKeys:
		return spoolerr.New(spoolerr.Exhausted, 0, "the data of printer %s has more than %d keys", e.s.con.Name, maxKeys)
	}
	for _, name := range names {
		if err := spool.CheckName("key", name); err != nil {
			return err
		}
		below := name
		if path != "" {
			below = path + `\` + name
		}
		if err := e.read(ctx, below); err != nil {
			return err
		}
		if err := e.walk(ctx, below, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (e *enumeration) subkeys(ctx context.Context, path string) (names []string, err error) {
	err = e.s.remote.do(ctx, func(ctx context.Context, l *link) error {
		r, err := l.data.EnumPrinterKey(ctx, &apiv1.EnumPrinterKeyRequest{Spooler: e.s.remote.to(), Printer: e.s.con.Name.Printer, Key: path})
		if err == nil {
			names = r.GetKeys()
			e.at(r.GetChangeId())
		}
		return err
	})
	e.s.trace.add(4, outcome(err), "EnumPrinterKey(%s, %s)", quoted(e.s.con.Name.Printer), quoted(path))
	return names, err
}

// at notes the ChangeID of a part.
func (e *enumeration) at(id uint32) {
	e.moved = e.moved || e.changeID != 0 && e.changeID != id
	e.changeID = id
}

func (e *enumeration) read(ctx context.Context, path string) error {
	k := printerKey{path: path}
	err := e.s.remote.do(ctx, func(ctx context.Context, l *link) error {
		r, err := l.data.EnumPrinterDataEx(ctx, &apiv1.EnumPrinterDataExRequest{
			Spooler: e.s.remote.to(), Printer: e.s.con.Name.Printer, Key: path, ServerName: e.s.con.Name.Server, ClientInfo: e.s.clientInfo(),
		})
		if err != nil {
			return err
		}
		e.at(r.GetChangeId())
		k.values, err = e.values(r.GetValues())
		return err
	})
	e.s.trace.add(4, outcome(err), "EnumPrinterDataEx(%s, %s)", quoted(e.s.con.Name.Printer), quoted(path))
	if err != nil && (!isComponent(path) || !e.ofComponent(ctx, err)) {
		return err
	}
	k.refused = err
	e.keys = append(e.keys, k)
	return nil
}

// ofComponent says that the failure of a component's key is its own: its Module on the server
// fails, while the server itself answers.
func (e *enumeration) ofComponent(ctx context.Context, err error) bool {
	if spoolerr.KindOf(err) == spoolerr.Exhausted {
		return false
	}
	return !passing(err) || e.s.ping(ctx) == nil
}

func (e *enumeration) values(list []*apiv1.RegistryValue) (values []registry.Value, err error) {
	for _, v := range list {
		t, err := registry.ParseType(v.GetType())
		if err != nil {
			return nil, err
		}
		if e.bytes += len(v.GetName()) + len(v.GetData()); e.bytes > maxBytes {
			return nil, spoolerr.New(spoolerr.Exhausted, 0, "the data of printer %s has more than %d bytes", e.s.con.Name, maxBytes)
		}
		values = append(values, registry.Value{Name: v.GetName(), Type: t, Data: v.GetData()})
	}
	return values, nil
}

// isComponent says that a key is a subkey of CopyFiles.
func isComponent(path string) bool { return componentKey(path) != "" }

// componentKey gives ICM of CopyFiles\ICM.
func componentKey(path string) string {
	const prefix = copyFiles + `\`
	if len(path) <= len(prefix) || spool.Fold(path[:len(prefix)]) != spool.Fold(prefix) {
		return ""
	}
	name := path[len(prefix):]
	if slices.Contains([]byte(name), '\\') {
		return ""
	}
	return name
}

// The two sets of keys of a connection: what the server gave, and what modules here have
// set.
const (
	serverKeys = `\Server`
	localKeys  = `\Local`
)

// store keeps the keys that were received (step 6).
func (s *session) store(ctx context.Context, e *enumeration) error {
	hive, base := s.c.cfg.Hive, s.con.Name.key()+serverKeys
	if exists, err := hive.KeyExists(ctx, base); err != nil {
		return err
	} else if exists {
		if err := hive.DeleteTree(ctx, base); err != nil {
			return err
		}
	}
	for _, k := range e.keys {
		if _, err := hive.CreateKey(ctx, base+`\`+k.path); err != nil {
			return err
		}
		if err := hive.SetValues(ctx, base+`\`+k.path, k.values...); err != nil {
			return err
		}
		s.trace.add(6, outcome(nil), "cache %s with %d values", quoted(k.path), len(k.values))
	}
	return nil
}
