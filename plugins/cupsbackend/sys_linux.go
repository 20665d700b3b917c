package cupsbackend

import (
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Supported says whether this system can run backends.
const Supported = true

func owner(info fs.FileInfo) (uid uint32, known bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return st.Uid, true
}

// attributes put a backend into a group of its own, which dies with this process, and
// give it the user who runs it.
func (b backends) attributes(e executable) (*syscall.SysProcAttr, error) {
	a := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 || e.private || b.user == "" {
		return a, nil
	}
	u, err := user.Lookup(b.user)
	if err != nil {
		return nil, spoolerr.As(err, spoolerr.Unavailable, "backends are run by user %s, who does not exist; create that user", spool.Quote(b.user))
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	a.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return a, nil
}

// signal reaches the backend and what it started.
func signal(pid int, sig syscall.Signal) { _ = syscall.Kill(-pid, sig) }

// sideChannel gives descriptor 4 of a backend, and its other end. Nobody asks anything on
// it; a backend that finds it missing may wait for it in a loop.
func sideChannel() (near, far *os.File, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(fds[0]), "side channel"), os.NewFile(uintptr(fds[1]), "side channel"), nil
}
