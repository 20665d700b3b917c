package engine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spoolhost/spoolhost/host/trust"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// sharedFile names the cluster that a shared directory belongs to.
const sharedFile = ".spoolhost-cluster"

// ClaimShared makes a directory the cluster's, and makes sure that what is written there
// stays.
func ClaimShared(dir string, authority *trust.Authority) error {
	path := filepath.Join(dir, sharedFile)
	if data, err := os.ReadFile(path); err == nil && string(data) != trust.Fingerprint(authority.Cert) {
		return spoolerr.New(spoolerr.Exists, 0, "shared directory %s belongs to another cluster; choose another, or remove %s", dir, path)
	}
	return writeSynced(path, trust.Fingerprint(authority.Cert))
}

// CheckShared makes sure that the directory is the cluster's: a file system that is not
// mounted looks like an empty one.
func CheckShared(dir string, authority *trust.Authority) error {
	data, err := os.ReadFile(filepath.Join(dir, sharedFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return spoolerr.As(err, spoolerr.Unavailable, "shared directory %s cannot be read; check its file system", dir)
	}
	if err != nil || string(data) != trust.Fingerprint(authority.Cert) {
		return spoolerr.New(spoolerr.Precondition, 0, "%s is not the shared directory of this cluster; is its file system mounted?", dir)
	}
	return nil
}

// MakeMarker makes a file in the shared directory that another node is to find.
func MakeMarker(dir, name, text string) (remove func(), err error) {
	path := filepath.Join(dir, name)
	if err := writeSynced(path, text); err != nil {
		return nil, err
	}
	return func() { _ = os.Remove(path); _ = os.Remove(path + ".seen") }, nil
}

// markerPrefix is what names of markers look like.
const markerPrefix = ".spoolhost-join-"

// MarkerName gives the name of a marker.
func MarkerName(random string) string { return markerPrefix + random }

// AnswerMarker looks for a marker of another node, and answers it.
func AnswerMarker(dir, name, text string) error {
	if !strings.HasPrefix(name, markerPrefix) || strings.ContainsAny(name, `/\`) || len(name) > 100 || len(text) > 100 {
		return spoolerr.New(spoolerr.Invalid, 0, "the marker of the shared directory is malformed")
	}
	path := filepath.Join(dir, name)
	if data, err := os.ReadFile(path); err != nil || string(data) != text {
		return spoolerr.New(spoolerr.Precondition, 0, "what the new node writes to its shared directory is not seen in %s here; mount the same file system on both", dir)
	}
	return writeSynced(path+".seen", text)
}

// CheckAnswer looks for the answer.
func CheckAnswer(dir, name, text string) error {
	if data, err := os.ReadFile(filepath.Join(dir, name+".seen")); err != nil || string(data) != text {
		return spoolerr.New(spoolerr.Precondition, 0, "what the cluster writes to its shared directory is not seen in %s; mount the same file system on both", dir)
	}
	return nil
}

func writeSynced(path, text string) error {
	dir := filepath.Dir(path)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return unwritable(dir, err)
	}
	if _, err = f.WriteString(text); err != nil {
		return unwritable(dir, errors.Join(err, f.Close()))
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return unkept(dir, err)
	}
	d, err := os.Open(dir)
	if err != nil {
		return unwritable(dir, err)
	}
	return unkept(dir, errors.Join(d.Sync(), d.Close()))
}

// unwritable says why nothing can be written to the shared directory, and what to do.
func unwritable(dir string, err error) error {
	switch {
	case errors.Is(err, syscall.EROFS):
		return spoolerr.New(spoolerr.Unavailable, 0, "shared directory %s cannot be written: it is mounted read-only; mount it read-write", dir)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return spoolerr.New(spoolerr.NoSpace, 0, "shared directory %s cannot be written: it is full; free space there", dir)
	}
	return spoolerr.As(err, spoolerr.Unavailable, "shared directory %s cannot be written; check its file system and the rights of the host's user", dir)
}

// unkept is for what was written and did not come to stay.
func unkept(dir string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return unwritable(dir, err)
	}
	return spoolerr.As(err, spoolerr.Unavailable, "shared directory %s does not keep what is written (fsync); check its disk, or use a file system that does", dir)
}
