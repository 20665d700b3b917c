package trust

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Pins is a file of the hosts that a client has met: lines "HOST:PORT FINGERPRINT". A host
// that is not in it yet is believed and written down; one that has changed is refused.
type Pins struct {
	// Path is the file. It is made when it is first needed.
	Path string
	// Met, if set, is told of a host that was met for the first time.
	Met func(addr, fingerprint string)

	mu sync.Mutex
}

// Check compares a host's fingerprint with the one it had before.
func (p *Pins) Check(addr, fingerprint string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	data, err := os.ReadFile(p.Path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return spoolerr.As(err, spoolerr.Denied, "file of known hosts %s", p.Path)
	}
	known, err := findPin(p.Path, data, addr)
	switch {
	case err != nil:
		return err
	case known == fingerprint:
		return nil
	case known != "":
		return spoolerr.New(spoolerr.Denied, 0,
			"the host at %s is not the one that was there before: its identity is %s, and was %s; if it was set up anew, remove its line from %s, else somebody stands between",
			addr, fingerprint, known, p.Path)
	}
	return p.add(addr, fingerprint)
}

func (p *Pins) add(addr, fingerprint string) error {
	if err := os.MkdirAll(filepath.Dir(p.Path), 0o700); err != nil {
		return spoolerr.As(err, spoolerr.Denied, "file of known hosts %s", p.Path)
	}
	f, err := os.OpenFile(p.Path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return spoolerr.As(err, spoolerr.Denied, "file of known hosts %s", p.Path)
	}
	_, err = fmt.Fprintf(f, "%s %s\n", addr, fingerprint)
	if err := errors.Join(err, f.Close()); err != nil {
		return spoolerr.As(err, spoolerr.Unavailable, "file of known hosts %s", p.Path)
	}
	if p.Met != nil {
		p.Met(addr, fingerprint)
	}
	return nil
}

func findPin(path string, data []byte, addr string) (fingerprint string, err error) {
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Fields(line)
		if len(f) != 2 || !strings.HasPrefix(f[1], "SHA256:") {
			return "", spoolerr.New(spoolerr.Invalid, 0, "%s:%d is not of the form HOST:PORT SHA256:...; correct or remove the line", path, n)
		}
		if f[0] == addr {
			return f[1], nil
		}
	}
	return "", spoolerr.As(lines.Err(), spoolerr.Invalid, "file of known hosts %s", path)
}
