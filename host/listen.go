package host

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// listen opens one address of the API.
func listen(ctx context.Context, addr string) (net.Listener, error) {
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		return listenUnix(ctx, path)
	}
	if rest, ok := strings.CutPrefix(addr, "tls:"); ok {
		return listenTLS(ctx, rest)
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, spoolerr.New(spoolerr.Invalid, 0, "listen address %q is neither unix:PATH, tls:HOST:PORT nor HOST:PORT", addr)
	}
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return nil, spoolerr.New(spoolerr.Denied, 0,
			"listen address %q is not loopback and has no encryption; use tls:%s for the network, or 127.0.0.1, [::1] or unix:PATH", addr, addr)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, listenError(addr, err)
	}
	return l, nil
}

// listenUnix opens a socket that every local user may connect to: who they are, and what
// they may do, is read from the connection. A socket left by a killed host is replaced.
func listenUnix(ctx context.Context, path string) (net.Listener, error) {
	const most = 107
	if len(path) > most {
		return nil, spoolerr.New(spoolerr.Invalid, 0, "socket path %s has %d bytes; the system allows %d: choose a shorter one", path, len(path), most)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, spoolerr.As(err, spoolerr.Unavailable, "directory of socket %s", path)
	}
	if err := removeStale(ctx, path); err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return nil, listenError("unix:"+path, err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		_ = l.Close()
		return nil, listenError("unix:"+path, err)
	}
	return l, nil
}

func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return listenError("unix:"+path, err)
	}
	if info.Mode().Type() != os.ModeSocket {
		return spoolerr.New(spoolerr.Exists, 0, "%s exists and is not a socket; choose another path", path)
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	if err == nil {
		_ = conn.Close()
		return spoolerr.New(spoolerr.Busy, 0, "another host listens on unix:%s; stop it, or choose another --listen", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return listenError("unix:"+path, err)
	}
	return os.Remove(path)
}

func listenError(addr string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return spoolerr.New(spoolerr.Busy, 0, "address %s is in use; choose another --listen", addr)
	}
	return spoolerr.As(err, spoolerr.Unavailable, "cannot listen on %s", addr)
}

// addrText is how a client names a listener.
func addrText(l net.Listener) string {
	if _, ok := l.(tlsListener); ok {
		return "tls:" + l.Addr().String()
	}
	if l.Addr().Network() == "unix" {
		return "unix:" + l.Addr().String()
	}
	return l.Addr().String()
}
