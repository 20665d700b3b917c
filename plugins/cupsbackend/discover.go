package cupsbackend

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Device is a printer, or a kind of them, that a backend found. It is what Discover
// answers, a JSON array of them.
type Device struct {
	// Class is direct, network, serial or file.
	Class     string `json:"class"`
	URI       string `json:"uri"`
	MakeModel string `json:"makeModel"`
	Info      string `json:"info"`
	DeviceID  string `json:"deviceId,omitempty"`
	Location  string `json:"location,omitempty"`
}

// The bounds of a discovery.
const (
	mostDevices    = 500 // of one backend
	discoverOutput = 256 << 10
	discoverTime   = 12 * time.Second
	discoverers    = 4
)

// discover runs every backend without arguments, several at once, and gives what they
// found in time.
func (b backends) discover(ctx context.Context) []Device {
	ctx, cancel := context.WithTimeout(ctx, discoverTime)
	defer cancel()
	all := b.all()
	found := make([][]Device, len(all))
	slots := make(chan struct{}, discoverers)
	var work sync.WaitGroup
	for i, e := range all {
		work.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			found[i] = b.ask(ctx, e)
		})
	}
	work.Wait()
	return slices.Concat(found...)
}

// ask runs one backend for as long as ctx lasts: some look around until they are ended.
func (b backends) ask(ctx context.Context, e executable) []Device {
	attributes, err := b.attributes(e)
	if err != nil || ctx.Err() != nil {
		return nil
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, e.path)
	cmd.Args = []string{e.scheme}
	cmd.Env = environment(e, settings{}, "")
	cmd.Dir, cmd.SysProcAttr, cmd.WaitDelay = "/", attributes, time.Second
	cmd.Stdout = &limited{w: &out, left: discoverOutput}
	cmd.Cancel = func() error {
		signal(cmd.Process.Pid, syscall.SIGKILL)
		return nil
	}
	_ = cmd.Run() // what it found counts, however it ended
	return parseDevices(&out)
}

// limited takes everything and keeps the beginning.
type limited struct {
	w    io.Writer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	n, err := l.w.Write(p[:min(len(p), l.left)])
	l.left -= n
	if err != nil {
		return n, err
	}
	return len(p), nil
}

// parseDevices reads the lines of a discovery; one that is none is left out.
func parseDevices(r io.Reader) (devices []Device) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<10)
	for lines.Scan() && len(devices) < mostDevices {
		if d, ok := parseDevice(lines.Text()); ok {
			devices = append(devices, d)
		}
	}
	return devices
}

// parseDevice reads: class uri "make model" "info" ["device id" ["location"]].
func parseDevice(s string) (Device, bool) {
	s = parseLine("x " + s).text[1:] // makes it printable
	class, rest, _ := strings.Cut(strings.TrimSpace(s), " ")
	uri, rest, _ := strings.Cut(strings.TrimSpace(rest), " ")
	words := quoted(rest)
	if !slices.Contains([]string{"direct", "network", "serial", "file"}, class) || !isScheme(strings.SplitN(uri, ":", 2)[0]) || len(words) < 2 {
		return Device{}, false
	}
	words = append(words, "", "")
	return Device{Class: class, URI: uri, MakeModel: words[0], Info: words[1], DeviceID: words[2], Location: words[3]}, true
}

// quoted gives the words in double quotes; a backslash keeps the next character.
func quoted(s string) (words []string) {
	for s = strings.TrimSpace(s); strings.HasPrefix(s, `"`); s = strings.TrimSpace(s) {
		var b strings.Builder
		end := -1
		for i := 1; i < len(s); i++ {
			if s[i] == '"' {
				end = i
				break
			}
			if s[i] == '\\' && i+1 < len(s) {
				i++
			}
			b.WriteByte(s[i])
		}
		if end < 0 {
			return words
		}
		words, s = append(words, b.String()), s[end+1:]
	}
	return words
}
