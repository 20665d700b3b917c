//go:build !linux

package api

import (
	"net"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// peerUID knows nobody here: every caller is an ordinary user.
func peerUID(net.Conn) (int64, error) {
	return -1, spoolerr.New(spoolerr.Unsupported, 0, "this system does not tell who calls")
}
