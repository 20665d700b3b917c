//go:build !linux

package access

import (
	"net"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// PeerUID knows nobody here: every caller is an ordinary user.
func PeerUID(net.Conn) (int64, error) {
	return -1, spoolerr.New(spoolerr.Unsupported, 0, "this system does not tell who calls")
}
