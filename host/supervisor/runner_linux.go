package supervisor

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/spoolhost/spoolhost/sdk/wire"
)

// prepare makes cmd run the very file that was hashed, in a process group of its own,
// and die with the launcher's thread.
func prepare(cmd *exec.Cmd, _ string, files []*os.File) {
	cmd.ExtraFiles = files
	cmd.Path = "/proc/self/fd/" + strconv.Itoa(wire.ExecutableFD)
	cmd.Err = nil // of the empty command that go-plugin made
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// awaitExit returns when the process has ended, without reaping it: its number, and that
// of its group, stay taken.
func awaitExit(cmd *exec.Cmd) {
	for {
		err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

func killGroup(pid int) { _ = unix.Kill(-pid, unix.SIGKILL) }

func terminate(pid int) { _ = unix.Kill(-pid, unix.SIGTERM) }
