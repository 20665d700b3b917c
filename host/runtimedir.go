package host

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// maxSocketDir is how long the directory of sockets may be: a socket's path has at most
// 107 bytes, and go-plugin adds about 45.
const maxSocketDir = 55

// runtimeDir makes the private directory of the modules' sockets, empty: what is in it is
// left over from a host that was killed. It lies in the data directory if its path is
// short enough, else in the system's temporary directory under a name that follows from
// the data directory, so that the next host finds and empties it.
func runtimeDir(data string) (string, error) {
	dir := filepath.Join(data, "run")
	if len(dir) > maxSocketDir {
		dir = filepath.Join(os.TempDir(), ownDirectory(data))
	}
	if len(dir) > maxSocketDir {
		return "", spoolerr.New(spoolerr.Invalid, 0,
			"neither data directory %s nor the temporary directory %s leaves room for socket paths; use a shorter --data or TMPDIR", data, os.TempDir())
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", spoolerr.As(err, spoolerr.Unavailable, "runtime directory %s cannot be emptied", dir)
	}
	// Mkdir, not MkdirAll: if somebody else made it meanwhile, it is not ours to trust.
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", spoolerr.As(err, spoolerr.Unavailable, "runtime directory %s", dir)
	}
	return dir, nil
}

// userDir says where the sockets of modules that run as another user are: outside the data
// directory, which nobody else may enter, and where only root can put anything: in the
// RuntimeDirectory of a systemd unit, which may be all of /run that the host may write to,
// or in /run. It is made when it is needed; what is left of a host that was killed is
// removed.
func userDir(data string) (string, error) {
	run, _, _ := strings.Cut(cmp.Or(os.Getenv("RUNTIME_DIRECTORY"), "/run"), ":")
	if info, err := os.Stat(run); os.Geteuid() != 0 || err != nil || !info.IsDir() {
		return "", nil
	}
	dir := filepath.Join(run, ownDirectory(data))
	if err := os.RemoveAll(dir); err != nil {
		return "", spoolerr.As(err, spoolerr.Unavailable, "directory for sockets %s cannot be emptied", dir)
	}
	return dir, nil
}

// ownDirectory is a name that follows from the data directory, so that the next host finds
// what this one may leave.
func ownDirectory(data string) string {
	sum := sha256.Sum256([]byte(data))
	return "spoolhost-" + strconv.Itoa(os.Getuid()) + "-" + hex.EncodeToString(sum[:6])
}
