package supervisor

import (
	"bufio"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// maxHandshake bounds the handshake line, which carries a certificate, in bytes.
const maxHandshake = 8 << 10

// readHandshake reads the first line and checks it before go-plugin sees it, because
// go-plugin would dial whatever address it names. The seven fields are: core version,
// protocol version, network, address, protocol, certificate, multiplexing. A module that
// names no certificate uses the one that it was offered, if it was.
func readHandshake(r *bufio.Reader, socketDir, offered string) (string, error) {
	line, err := readLimitedLine(r, maxHandshake)
	if err != nil {
		return "", err
	}
	line = fillIn(line, offered)
	if err := checkHandshake(line, socketDir); err != nil {
		return "", err
	}
	if runtime.GOOS == "windows" {
		return line, nil
	}
	return line, checkSocket(strings.Split(line, "|")[3])
}

// fillIn writes a certificate into a handshake line that names none.
func fillIn(line, certificate string) string {
	f := strings.Split(line, "|")
	if len(f) > 5 && f[5] == "" {
		f[5] = certificate
	}
	return strings.Join(f, "|")
}

// checkSocket refuses a link: it would lead out of the directory.
func checkSocket(path string) error {
	if info, err := os.Lstat(path); err != nil || info.Mode().Type() != os.ModeSocket {
		return handshakeError("its address %s is not a socket", spool.Quote(path))
	}
	return nil
}

func readLimitedLine(r *bufio.Reader, most int) (string, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > most:
			return "", handshakeError("its first line on standard output is longer than %d bytes", most)
		case err == nil:
			return strings.TrimSpace(string(line)), nil
		case errors.Is(err, bufio.ErrBufferFull):
		case len(line) == 0:
			return "", handshakeError("it ended, or closed standard output, without a handshake line")
		default:
			return "", handshakeError("its handshake line %s is cut off", spool.Quote(string(line)))
		}
	}
}

func checkHandshake(line, socketDir string) error {
	f := strings.Split(line, "|")
	if len(f) < 6 || len(f) > 7 {
		return handshakeError("it printed %s instead of a handshake; is it a spoolhost module?", spool.Quote(line))
	}
	switch {
	case f[0] != "1":
		return handshakeError("go-plugin core protocol %s is not 1; rebuild it with the current sdk", spool.Quote(f[0]))
	case f[1] != strconv.Itoa(wire.ProtocolVersion):
		return handshakeError("protocol version %s is not %d; rebuild it with the current sdk", spool.Quote(f[1]), wire.ProtocolVersion)
	case runtime.GOOS == "windows" && f[2] == "tcp": // go-plugin listens on nothing else there
		if !strings.HasPrefix(f[3], "127.0.0.1:") {
			return handshakeError("its address %s is not on this machine's loopback", spool.Quote(f[3]))
		}
	case f[2] != "unix":
		return handshakeError("it listens on network %s; only a Unix socket is accepted", spool.Quote(f[2]))
	case filepath.Dir(f[3]) != filepath.Clean(socketDir) || f[3] != filepath.Clean(f[3]):
		return handshakeError("its address %s is not in the directory it was given", spool.Quote(f[3]))
	}
	switch {
	case f[4] != "grpc":
		return handshakeError("protocol %s is not grpc", spool.Quote(f[4]))
	case len(f[5]) <= 50:
		return handshakeError("it gave no certificate; without mutual TLS no module is accepted")
	}
	return nil
}

func handshakeError(format string, args ...any) error {
	return spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidPrintMonitor, "handshake failed: "+format, args...)
}
