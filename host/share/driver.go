package share

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spoolhost/spoolhost/host/pointprint/confine"
	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Driver is DRIVER_INFO_8 without what only setup programs read.
type Driver struct {
	Version     uint32 `json:"version"` // cVersion
	Name        string `json:"name"`
	Environment string `json:"environment"`
	// Plain names of files in the driver's directory.
	DriverPath     string   `json:"driver_path,omitempty"`
	DataFile       string   `json:"data_file,omitempty"`
	ConfigFile     string   `json:"config_file,omitempty"`
	HelpFile       string   `json:"help_file,omitempty"`
	DependentFiles []string `json:"dependent_files,omitempty"`

	MonitorName     string    `json:"monitor_name,omitempty"`
	DefaultDataType string    `json:"default_data_type,omitempty"`
	PreviousNames   []string  `json:"previous_names,omitempty"`
	Date            time.Time `json:"date,omitzero"`
	DriverVersion   uint64    `json:"driver_version,omitempty"`
	Manufacturer    string    `json:"manufacturer,omitempty"`
	OEMURL          string    `json:"oem_url,omitempty"`
	HardwareID      string    `json:"hardware_id,omitempty"`
	Provider        string    `json:"provider,omitempty"`
	Attributes      uint32    `json:"attributes,omitempty"`
	// ColorProfiles are plain names of files in Color.
	ColorProfiles []string `json:"color_profiles,omitempty"`
	// Module is the installed module of kind driver for the printers' events.
	Module string    `json:"module,omitempty"`
	Added  time.Time `json:"added"`
}

// ColorDirectory is where colour profiles are.
const ColorDirectory = "Color"

// environment gives the directory of an environment and the versions that it has.
func environment(name string) (dir string, versions []uint32, ok bool) {
	switch name {
	case "Windows 4.0":
		return "WIN40", []uint32{0}, true
	case "Windows NT x86":
		return "W32X86", []uint32{0, 1, 2, 3}, true
	case "Windows IA64":
		return "IA64", []uint32{3}, true
	case "Windows x64":
		return "x64", []uint32{3, 4}, true
	case "Windows ARM64":
		return "arm64", []uint32{3, 4}, true
	case "Linux x64":
		return "linux-x64", []uint32{3}, true
	case "Linux ARM64":
		return "linux-arm64", []uint32{3}, true
	}
	return "", nil, false
}

// Environments gives the environments that there may be drivers for.
func Environments() []string {
	return []string{"Windows x64", "Windows ARM64", "Windows NT x86", "Windows IA64", "Windows 4.0", "Linux x64", "Linux ARM64"}
}

// Dir is where the driver's files are: x64\3.
func (d Driver) Dir() string {
	dir, _, _ := environment(d.Environment)
	return dir + `\` + strconv.FormatUint(uint64(d.Version), 10)
}

// Files gives the plain names of all files, by path in the share.
func (d Driver) Files() map[string]string {
	files := make(map[string]string)
	for _, name := range slices.Concat([]string{d.DriverPath, d.DataFile, d.ConfigFile, d.HelpFile}, d.DependentFiles) {
		if name != "" {
			files[d.Dir()+`\`+name] = name
		}
	}
	for _, name := range d.ColorProfiles {
		files[ColorDirectory+`\`+name] = name
	}
	return files
}

func (d Driver) key() string { return driverKey(d.Name, d.Environment, d.Version) }

func driverKey(name, environment string, version uint32) string {
	return spool.Fold(name) + "\x00" + spool.Fold(environment) + "\x00" + strconv.FormatUint(uint64(version), 10)
}

// describeKey shows a driver's key in words.
func describeKey(key string) string { return strings.ReplaceAll(key, "\x00", ", ") }

// Check refuses what cannot be a driver.
func (d Driver) Check() error {
	if err := spool.CheckName("driver", d.Name); err != nil {
		return err
	}
	_, versions, ok := environment(d.Environment)
	if !ok {
		return spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidEnvironment, "driver %s: environment %s is unknown; use one of %s",
			spool.Quote(d.Name), spool.Quote(d.Environment), strings.Join(Environments(), ", "))
	}
	if !slices.Contains(versions, d.Version) {
		return spoolerr.New(spoolerr.Invalid, 0, "driver %s: version %d is not one that %s has; use one of %v", spool.Quote(d.Name), d.Version, d.Environment, versions)
	}
	const mostFiles = 1000
	files := d.Files()
	if len(files) > mostFiles {
		return spoolerr.New(spoolerr.Exhausted, 0, "driver %s has %d files; the most is %d", spool.Quote(d.Name), len(files), mostFiles)
	}
	seen := make(map[string]string)
	for path, name := range files {
		if err := confine.CheckFileName("driver "+spool.Quote(d.Name)+": file", name); err != nil {
			return err
		}
		if other, twice := seen[spool.Fold(path)]; twice {
			return spoolerr.New(spoolerr.Invalid, 0, "driver %s names file %s twice, the other time as %s", spool.Quote(d.Name), spool.Quote(path), spool.Quote(other))
		}
		seen[spool.Fold(path)] = path
	}
	return d.checkTexts()
}

func (d Driver) checkTexts() error {
	const most = 1024
	texts := slices.Concat([]string{d.MonitorName, d.DefaultDataType, d.Manufacturer, d.OEMURL, d.HardwareID, d.Provider, d.Module}, d.PreviousNames)
	if len(d.PreviousNames) > 100 {
		return spoolerr.New(spoolerr.Exhausted, 0, "driver %s has more than 100 previous names", spool.Quote(d.Name))
	}
	for _, text := range texts {
		if len(text) > most || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\ufffd' }) {
			return spoolerr.New(spoolerr.Invalid, 0, "driver %s: %s is too long or has control characters", spool.Quote(d.Name), spool.Quote(text))
		}
	}
	return nil
}

// AddDriver installs a driver with the content of its files, by their plain names. All or
// nothing.
func (s *Share) AddDriver(ctx context.Context, d Driver, blobs map[string]Blob, replace bool) (Driver, error) {
	if err := d.Check(); err != nil {
		return d, err
	}
	for _, name := range d.Files() {
		if _, ok := blobs[name]; !ok {
			return d, spoolerr.New(spoolerr.Invalid, 0, "driver %s: file %s was not sent", spool.Quote(d.Name), spool.Quote(name))
		}
	}
	d.Added = s.now().UTC()
	var dropped []string
	err := s.change(ctx, func(tx store.Tx) error {
		dropped = nil
		if old, err := s.keys.getDriver(tx, d.key()); err == nil {
			if !replace {
				return spoolerr.New(spoolerr.Exists, spoolerr.CodeDriverAlreadyInstalled,
					"driver %s for %s, version %d, is installed already; replace it with --replace", spool.Quote(old.Name), old.Environment, old.Version)
			}
			gone, err := s.keys.unlink(tx, old)
			if err != nil {
				return err
			}
			dropped = gone
		} else if !errors.Is(err, spoolerr.NotFound) {
			return err
		}
		if err := s.keys.link(tx, d, blobs); err != nil {
			return err
		}
		data, err := json.Marshal(d)
		if err != nil {
			return spoolerr.As(err, spoolerr.Internal, "driver %s", spool.Quote(d.Name))
		}
		return tx.Put(s.keys.driver+d.key(), data)
	})
	if err == nil {
		s.collect(ctx, dropped...)
	}
	return d, err
}

// link makes files a driver's. One that another driver or a person put there must be the same.
func (k keys) link(tx store.Tx, d Driver, blobs map[string]Blob) error {
	for path, name := range d.Files() {
		b := blobs[name]
		known := b.Digest
		f, err := k.getFile(tx, spool.Fold(path))
		switch {
		case errors.Is(err, spoolerr.NotFound):
			f = File{Path: path, Size: b.Size, Digest: b.Digest, Modified: d.Added}
			known = ""
		case err != nil:
			return err
		case f.Digest != b.Digest:
			return spoolerr.New(spoolerr.Busy, 0, `driver %s: another file PRINT$\%s is there already, of %s; give yours another name`,
				spool.Quote(d.Name), f.Path, f.owner())
		}
		f.Drivers = append(f.Drivers, d.key())
		if err := k.putFile(tx, f, known); err != nil {
			return err
		}
	}
	return nil
}

func (f File) owner() string {
	if len(f.Drivers) > 0 {
		return "driver " + describeKey(f.Drivers[0])
	}
	return "spoolhost share add"
}

// unlink takes a driver out, and says which content may be needed by nobody now.
func (k keys) unlink(tx store.Tx, d Driver) (dropped []string, err error) {
	for path := range d.Files() {
		f, err := k.getFile(tx, spool.Fold(path))
		if errors.Is(err, spoolerr.NotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		f.Drivers = slices.DeleteFunc(f.Drivers, func(k string) bool { return k == d.key() })
		if len(f.Drivers) > 0 || f.Put {
			err = k.putFile(tx, f, f.Digest)
		} else {
			dropped = append(dropped, f.Digest)
			err = k.deleteFile(tx, f)
		}
		if err != nil {
			return nil, err
		}
	}
	return dropped, tx.Delete(k.driver + d.key())
}

func (k keys) getDriver(tx store.Tx, key string) (d Driver, err error) {
	b, err := tx.Get(k.driver + key)
	if err != nil {
		return d, err
	}
	return d, spoolerr.As(json.Unmarshal(b, &d), spoolerr.Corrupt, "the record of driver %s cannot be read", describeKey(key))
}

// Drivers gives the drivers of a name and an environment, newest version first; empty is
// every one.
func (s *Share) Drivers(ctx context.Context, name, env string) (list []Driver, err error) {
	err = s.store.View(ctx, func(tx store.Tx) error {
		list = nil
		for item, err := range tx.Scan(s.keys.driver, "") {
			if item.Key == "" {
				return err
			}
			d, err := s.keys.getDriver(tx, strings.TrimPrefix(item.Key, s.keys.driver))
			if err != nil {
				return err
			}
			if (name == "" || spool.Fold(name) == spool.Fold(d.Name)) && (env == "" || spool.Fold(env) == spool.Fold(d.Environment)) {
				list = append(list, d)
			}
		}
		return nil
	})
	slices.SortStableFunc(list, func(a, b Driver) int {
		return cmp.Or(cmp.Compare(spool.Fold(a.Name), spool.Fold(b.Name)), cmp.Compare(a.Environment, b.Environment), cmp.Compare(b.Version, a.Version))
	})
	return list, err
}

// UnknownDriver is the error for a driver that is not installed.
func UnknownDriver(name string) error {
	return spoolerr.New(spoolerr.NotFound, spoolerr.CodeUnknownPrinterDriver, "driver %s is not installed; see spoolhost driver list, or install it with spoolhost driver add", spool.Quote(name))
}

// RemoveDriver removes the given versions of a driver with the files that nobody else needs.
func (s *Share) RemoveDriver(ctx context.Context, drivers []Driver) error {
	var dropped []string
	err := s.change(ctx, func(tx store.Tx) error {
		dropped = nil
		for _, d := range drivers {
			current, err := s.keys.getDriver(tx, d.key())
			if err != nil {
				return err
			}
			gone, err := s.keys.unlink(tx, current)
			if err != nil {
				return err
			}
			dropped = append(dropped, gone...)
		}
		return nil
	})
	if err == nil {
		s.collect(ctx, dropped...)
	}
	return err
}
