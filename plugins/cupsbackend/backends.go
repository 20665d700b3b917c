package cupsbackend

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// DefaultDirectory is where Debian's CUPS keeps its backends.
const DefaultDirectory = "/usr/lib/cups/backend"

// backends are the directories whose executables may be run; the first that has a scheme
// serves it.
type backends struct {
	dirs []string
	// user runs the backends that everybody may run, if this process is root.
	user string
}

// executable is a backend that passed every check.
type executable struct {
	scheme, path string
	// private: not everybody may run it. CUPS runs such a backend as root, for it needs
	// what only root may; Debian's are readable by all nevertheless.
	private bool
}

func newBackends(dirs []string, user string) (backends, error) {
	for _, dir := range dirs {
		if !filepath.IsAbs(dir) || filepath.Clean(dir) != dir {
			return backends{}, spoolerr.New(spoolerr.Invalid, 0,
				"cups_backends: %s is no directory of backends; give an absolute path without dots and slashes at its end", spool.Quote(dir))
		}
	}
	return backends{dirs: dirs, user: user}, nil
}

// isScheme says that s is a URI's scheme, and so a file name that can lead nowhere.
func isScheme(s string) bool {
	const most = 32
	return s != "" && len(s) <= most && s[0] >= 'a' && s[0] <= 'z' &&
		strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789+-.") == ""
}

// find gives the backend of a scheme.
func (b backends) find(scheme string) (executable, error) {
	if !isScheme(scheme) {
		return executable{}, spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidData,
			"%s is no scheme of a device URI; give a URI such as ipp://10.0.0.5/ipp/print", spool.Quote(scheme))
	}
	for _, dir := range b.dirs {
		e, err := check(dir, scheme)
		if !os.IsNotExist(err) {
			return e, err
		}
	}
	if len(b.dirs) == 0 {
		return executable{}, spoolerr.New(spoolerr.Denied, 0,
			`no directory of backends is allowed; set cups_backends = [%q] in the host's configuration`, DefaultDirectory)
	}
	return executable{}, spoolerr.New(spoolerr.NotFound, spoolerr.CodeModNotFound,
		"there is no backend %s in %s; install the package that brings it (Debian: cups, cups-ipp-utils, printer-driver-...)",
		spool.Quote(scheme), strings.Join(b.dirs, " or "))
}

// all lists the backends, by scheme. One that fails its check is left out.
func (b backends) all() []executable {
	found := map[string]executable{}
	for _, dir := range b.dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, entry := range entries {
			if _, have := found[entry.Name()]; have || !isScheme(entry.Name()) {
				continue
			}
			if e, err := check(dir, entry.Name()); err == nil {
				found[entry.Name()] = e
			}
		}
	}
	list := make([]executable, 0, len(found))
	for _, e := range found {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b executable) int { return strings.Compare(a.scheme, b.scheme) })
	return list
}

// check looks at a backend as CUPS does before it runs one: nobody but root, or the user
// that runs this, could have put it there. os.Root lets no link lead out of the directory;
// a link inside it, such as ipps to ipp, is usual.
func check(dir, scheme string) (executable, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return executable{}, err
	}
	defer func() { _ = root.Close() }()
	info, err := root.Stat(scheme)
	if err != nil {
		if os.IsNotExist(err) {
			return executable{}, err
		}
		return executable{}, refuse(filepath.Join(dir, scheme), "it cannot be looked at, or is a link that leads out of the directory")
	}
	above, err := root.Stat(".")
	if err != nil {
		return executable{}, err
	}
	path := filepath.Join(dir, scheme)
	switch {
	case !info.Mode().IsRegular() || info.Mode()&0o100 == 0:
		return executable{}, refuse(path, "it is not an executable file")
	case info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0:
		return executable{}, refuse(path, "it is set-user-ID or set-group-ID")
	case !trusted(info):
		return executable{}, refuse(path, "others than root may write to it; correct its owner and mode (0755)")
	case !trusted(above):
		return executable{}, refuse(dir, "others than root may write to it; correct its owner and mode (0755)")
	}
	return executable{scheme: scheme, path: path, private: info.Mode()&0o023 == 0}, nil
}

func refuse(path, why string) error {
	return spoolerr.New(spoolerr.Denied, 0, "backend %s is not run: %s", spool.Quote(path), why)
}

// trusted says that only root, or the user that runs this, can change it.
func trusted(info fs.FileInfo) bool {
	uid, known := owner(info)
	return known && (uid == 0 || uid == uint32(os.Geteuid())) && info.Mode()&0o022 == 0
}
