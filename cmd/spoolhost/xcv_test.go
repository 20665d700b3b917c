package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestXcvCommand(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dir := shortDir(t)
	host := startServe(ctx, t, dir)
	t.Cleanup(host.kill)
	s := shell{t, host.addr}
	const onMonitor = ",XcvMonitor " + demoMonitor
	config := filepath.Join(dir, "port.json")
	if err := os.WriteFile(config, []byte(`{"name":"P1","settings":{"host":"127.0.0.1"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := s.ok("xcv", onMonitor, "AddPort", "--file", config); !strings.Contains(out, "no output") {
		t.Errorf("AddPort said %q", out)
	}
	if out := s.ok("xcv", onMonitor, "MonitorUI"); out != "tcpmonui\n" {
		t.Errorf("MonitorUI said %q", out)
	}
	if out := s.ok("xcv", onMonitor, "MonitorUI", "-o", "hex"); out != "7400630070006d006f006e00750069000000\n" {
		t.Errorf("MonitorUI in hex: %q", out)
	}
	var info struct{ Settings map[string]string }
	if err := json.Unmarshal([]byte(s.ok("xcv", ",XcvPort P1", "GetConfigInfo", "-o", "raw")), &info); err != nil || info.Settings["host"] != "127.0.0.1" {
		t.Errorf("GetConfigInfo: %v %v", info, err)
	}
	for _, c := range []struct {
		args string // separated by |
		code int
		say  string
	}{
		{"xcv|P1|MonitorUI", exitUsage, "XcvPort"},
		{"xcv|,XcvPort P2|MonitorUI", exitNotFound, `"P2"`},
		{"xcv|" + onMonitor + "|Nonsense", exitUsage, "status 87"},
		{"xcv|" + onMonitor + "|MonitorUI|--buffer|2", exitFailure, "status 122"},
		{"xcv|" + onMonitor + "|AddPort|--hex|0000", exitUsage, "error 13"},
		{"xcv|" + onMonitor + "|AddPort|--hex|zz", exitUsage, "not hex"},
		{"xcv|" + onMonitor + "|DeletePort|--utf16|P1|--access|enumerate", exitDenied, "error 5"},
		{"xcv|" + onMonitor + "|DeletePort|--access|everything", exitUsage, `"everything"`},
		{"xcv|" + onMonitor + "|MonitorUI|-o|yaml", exitUsage, "hex or raw"},
	} {
		code, _, errOut := s.run(strings.Split(c.args, "|")...)
		if code != c.code || !strings.Contains(errOut, c.say) || strings.Count(errOut, "\n") != 1 {
			t.Errorf("%s: exit %d (want %d), said %q (want it to name %s)", c.args, code, c.code, errOut, c.say)
		}
	}
	s.ok("xcv", onMonitor, "DeletePort", "--utf16", "P1", "--access", "0x1")
	if out := s.ok("port", "list"); !strings.Contains(out, "no ports") {
		t.Errorf("after DeletePort: %s", out)
	}
}
