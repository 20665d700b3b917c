package main

import (
	"cmp"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// addressVariable names a host for all commands that have no --addr.
const addressVariable = "SPOOLHOST_ADDR"

// address is where a host listens.
type address struct {
	network string // "unix" or "tcp"
	target  string
}

// String is the form that --addr and --listen take.
func (a address) String() string {
	if a.network == "unix" {
		return "unix:" + a.target
	}
	return a.target
}

// defaultAddr is where a host listens, and where a client looks for it, when neither is
// told: the system's socket for root, else one of the user's own.
func defaultAddr() string {
	uid := os.Getuid()
	if uid == 0 {
		return "unix:/run/spoolhost/api.sock"
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return "unix:" + filepath.Join(dir, "spoolhost.sock")
	}
	if uid < 0 { // Windows has no user numbers, and its temporary directory is the user's own.
		return "unix:" + filepath.Join(os.TempDir(), "spoolhost.sock")
	}
	return "unix:/tmp/spoolhost-" + strconv.Itoa(uid) + ".sock"
}

// clientAddr is the address that a command uses: the flag, the environment, the default.
func clientAddr(flag string) (address, error) {
	return parseAddr(cmp.Or(flag, os.Getenv(addressVariable), defaultAddr()))
}

// parseAddr reads unix:PATH or HOST:PORT.
func parseAddr(s string) (address, error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		path = strings.TrimPrefix(path, "//") // unix:///PATH, as URLs have it.
		if path == "" {
			return address{}, badAddr(s)
		}
		return address{network: "unix", target: path}, nil
	}
	_, port, err := net.SplitHostPort(s)
	if err != nil || port == "" {
		return address{}, badAddr(s)
	}
	return address{network: "tcp", target: s}, nil
}

func badAddr(s string) error {
	return usagef("address %q is neither unix:PATH nor HOST:PORT, such as unix:/run/spoolhost/api.sock or 127.0.0.1:6310", s)
}
