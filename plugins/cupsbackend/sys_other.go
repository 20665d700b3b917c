//go:build !linux

package cupsbackend

import (
	"io/fs"
	"os"
	"syscall"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Supported says whether this system can run backends: not where a backend would outlive
// a monitor that is killed.
const Supported = false

func owner(fs.FileInfo) (uid uint32, known bool) { return 0, false }

func (b backends) attributes(executable) (*syscall.SysProcAttr, error) {
	return nil, spoolerr.New(spoolerr.Unsupported, 0, "backends of CUPS run on Linux only")
}

func signal(int, syscall.Signal) {}

func sideChannel() (near, far *os.File, err error) { return nil, nil, os.ErrInvalid }
