package localmon

import (
	"strings"
	"time"

	"github.com/spoolhost/spoolhost/plugins/internal/ports"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// settings is what a port prints to.
type settings struct {
	path string
	// kind is fixed when the port is added: a document for a printer that is unplugged
	// must not become a file in /dev.
	kind string
	// writeTimeout is how long one Write to a device waits before it says that nothing
	// moves; 0 is the monitor's TransmissionRetryTimeout.
	writeTimeout time.Duration
}

// The kinds of what a port prints to.
const (
	kindDevice    = "device"
	kindFile      = "file"
	kindDirectory = "directory"
)

// parse checks what can be told from the settings alone.
func parse(c portconfig.Config) (settings, error) {
	r := portconfig.Read(c)
	s := settings{
		path:         r.Required("path"),
		kind:         r.Text("type", ""),
		writeTimeout: r.Duration("writeTimeout", 0, time.Millisecond, time.Hour),
	}
	if remedy := checkPath(s.path); remedy != "" && s.path != "" {
		r.Problem("path", "%s", remedy)
	}
	switch s.kind {
	case "", kindDevice, kindFile, kindDirectory:
	default:
		r.Problem("type", "give device, file or directory, or leave it out")
	}
	return s, r.Err()
}

// check looks at the place itself, and settles the kind.
func (s settings) check(f fence) (settings, error) {
	at, err := f.enter(s.path)
	if err != nil {
		return s, err
	}
	defer at.close()
	found, _, err := at.look()
	if err != nil {
		return s, err
	}
	if s.kind == "" {
		s.kind = found
	}
	if s.kind == "" {
		s.kind, err = s.guess()
	}
	switch {
	case err != nil:
		return s, err
	case found == "" && s.kind == kindDirectory:
		return s, s.refuse("the directory does not exist; create it first")
	case found != "" && found != s.kind:
		return s, s.refuse("it is a " + found + ", not a " + s.kind + "; leave out type, or correct it")
	case s.kind == kindFile && strings.HasSuffix(s.path, "/"):
		return s, s.refuse("a file's path does not end with a slash; leave that out, or create the directory")
	}
	return s, nil
}

// guess is for a path at which there is nothing yet.
func (s settings) guess() (string, error) {
	if strings.HasPrefix(s.path, "/dev/") {
		return "", s.refuse("it is not there; connect the printer, or give type=device to do so later")
	}
	return kindFile, nil
}

func (s settings) refuse(why string) error {
	return spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidData, "path %s: %s", spool.Quote(s.path), why)
}

// codec keeps settings in the registry.
type codec struct{ fence fence }

func (k codec) Values(c portconfig.Config) ([]registry.Value, error) {
	s, err := parse(c)
	if err != nil {
		return nil, err
	}
	if s, err = s.check(k.fence); err != nil {
		return nil, spoolerr.Wrap(err, "port %s", spool.Quote(c.Name))
	}
	return []registry.Value{
		registry.String("Path", s.path),
		registry.String("Type", s.kind),
		registry.Uint32("WriteTimeout", ports.Milliseconds(s.writeTimeout)),
	}, nil
}

func (codec) Settings(s ports.Stored) (map[string]string, error) {
	f := ports.NewForm(s)
	f.Text("path", "Path")
	f.Text("type", "Type")
	f.Time("writeTimeout", "WriteTimeout", time.Millisecond)
	if f.Settings["writeTimeout"] == "0s" {
		delete(f.Settings, "writeTimeout")
	}
	return f.Settings, f.Err
}

// Merge: another path is looked at afresh, unless its type is given too.
func (codec) Merge(current, changed map[string]string) map[string]string {
	merged := ports.Overlay(current, changed)
	_, typed := changed["type"]
	if changed["path"] != "" && !typed {
		delete(merged, "type")
	}
	return merged
}

func (k codec) Info(c portconfig.Config) spool.PortInfo {
	info := spool.PortInfo{Name: c.Name, Type: spool.PortTypeWrite}
	s, err := parse(c)
	if err == nil {
		_, _, err = k.fence.split(s.path)
		info.Description = strings.TrimSpace(s.kind + " " + s.path)
	}
	if err != nil {
		info.Description = "damaged: " + err.Error()
	}
	if err != nil && spoolerr.KindOf(err) == spoolerr.Denied {
		info.Description = "not allowed: " + s.path
	}
	return info
}
