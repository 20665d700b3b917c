package engine

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

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
		return spoolerr.New(spoolerr.Precondition, 0, "the node's shared directory is not this node's %s: a file written there is not seen here; mount the same file system on both", dir)
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
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return spoolerr.As(err, spoolerr.Unavailable, "shared directory %s cannot be written", filepath.Dir(path))
	}
	if _, err = f.WriteString(text); err != nil {
		return spoolerr.As(errors.Join(err, f.Close()), spoolerr.Unavailable, "shared directory %s cannot be written", filepath.Dir(path))
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return spoolerr.As(err, spoolerr.Unavailable, "shared directory %s does not keep what is written (fsync); use a file system that does", filepath.Dir(path))
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return spoolerr.As(err, spoolerr.Unavailable, "shared directory %s", filepath.Dir(path))
	}
	return spoolerr.As(errors.Join(dir.Sync(), dir.Close()), spoolerr.Unavailable, "shared directory %s does not keep what is written (fsync); use a file system that does", filepath.Dir(path))
}
