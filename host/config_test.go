package host

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/host/hosttest"
	"github.com/spoolhost/spoolhost/host/hosttest/unraced"
	"github.com/spoolhost/spoolhost/host/supervisor"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func TestMain(m *testing.M) {
	hosttest.ServeMonitor()
	serveRecorder()
	serveMember()
	unraced.Main(m)
}

const wholeConfig = `
data      = "/var/lib/spoolhost"
listen    = ["unix:/run/spoolhost.sock", "127.0.0.1:631"]
http      = "127.0.0.1:9090"
operators = "lpadmin"
call_timeout     = "10s"
resource_timeout = "2m"
kill_grace       = "1500ms"
local_directories = ["/srv/print"]
cups_backends = ["/opt/backends"]
registry_limit = 1048576
history {
  age   = "48h"
  count = 5
}
modules {
  user      = "lp"
  memory    = "512MiB"
  processes = 64
  files     = 256
  cgroup    = "/sys/fs/cgroup/spoolhost"
}
`

func TestConfig(t *testing.T) {
	path := filepath.Join(t.TempDir(), "host.hcl")
	if err := os.WriteFile(path, []byte(wholeConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := LoadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	if c.Data != "/var/lib/spoolhost" || len(c.Listen) != 2 || c.HTTP != "127.0.0.1:9090" || c.Operators != "lpadmin" ||
		c.Limits.Call != 10*time.Second || c.Limits.Resource != 2*time.Minute || c.Limits.Grace != 1500*time.Millisecond ||
		c.LocalDirectories[0] != "/srv/print" || c.CUPSBackends[0] != "/opt/backends" || c.RegistryLimit != 1<<20 || c.Retention.Age != 48*time.Hour || c.Retention.Count != 5 {
		t.Errorf("%+v", c)
	}
	if want := (supervisor.Limits{User: "lp", MemoryBytes: 512 << 20, Processes: 64, Files: 256}); c.Modules != want || c.Cgroup != "/sys/fs/cgroup/spoolhost" {
		t.Errorf("modules %+v, cgroup %q", c.Modules, c.Cgroup)
	}
}

func TestEmptyConfigIsTheDefault(t *testing.T) {
	c, err := parseConfig(DefaultConfig(), "f", []byte("# nothing\n"))
	d := DefaultConfig()
	if err != nil || c.Limits != d.Limits || c.Retention != d.Retention || c.RegistryLimit != d.RegistryLimit || c.Listen != nil {
		t.Errorf("%+v %v", c, err)
	}
}

func TestConfigErrors(t *testing.T) {
	cases := map[string]string{ // each fault is in line 2
		"\ndta = \"x\"":                                   "dta",
		"\ndata = 1 2":                                    "",
		"\ndata = [\"x\"]":                                "string",
		"\nlisten = \"unix:x\"":                           "list of string",
		"\ncall_timeout = \"30\"":                         "call_timeout",
		"\nresource_timeout = \"-3m\"":                    "resource_timeout",
		"\nipp { rate = -1 }":                             "rate",
		"\nkill_grace = \"0s\"":                           "kill_grace",
		"\nlocal_directories = [\"relative\"]":            "relative",
		"\nregistry_limit = 0":                            "registry_limit",
		"\nregistry_limit = 1.5":                          "",
		"\nhistory { age = \"soon\" }":                    "age",
		"\nmodules { memory = \"much\" }":                 "memory",
		"\nmodules { memory = \"5MB\" }":                  "memory",
		"\nmodules { memory = \"1KiB\" }":                 "memory",
		"\nmodules { processes = 1 }":                     "processes",
		"\nmodules { processes = \"x\" }":                 "number",
		"\nmodules { files = -1 }":                        "files",
		"\nmodules { cgroup = \"relative\" }":             "cgroup",
		"\nmodules { usr = \"lp\" }":                      "usr",
		"\nhistory { count = -1 }":                        "",
		"\nhistory {}\nhistory {}":                        "history",
		"\nhistory \"label\" {}":                          "",
		"\ndata = unknown_variable":                       "",
		"\ndata = file(\"/etc/passwd\")":                  "",
		"\n\x00":                                          "",
		"\ncall_timeout = \"9999999999999999999999999h\"": "call_timeout",
	}
	place := regexp.MustCompile(`\bf\.hcl:[23],\d+`)
	for src, name := range cases {
		_, err := parseConfig(DefaultConfig(), "f.hcl", []byte(src))
		if !errors.Is(err, spoolerr.Invalid) || !strings.Contains(err.Error(), name) || !place.MatchString(err.Error()) {
			t.Errorf("%q: %v", src, err)
		}
	}
	if _, err := LoadConfig(filepath.Join(t.TempDir(), "none")); !errors.Is(err, spoolerr.NotFound) || !strings.Contains(err.Error(), "none") {
		t.Errorf("%v", err)
	}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(wholeConfig))
	f.Add([]byte("history { age = \"1h\" }"))
	f.Add([]byte("data = \"${1 + 2}\""))
	f.Fuzz(func(t *testing.T, src []byte) {
		c, err := parseConfig(DefaultConfig(), "f.hcl", src)
		if err != nil {
			if !errors.Is(err, spoolerr.Invalid) || !strings.Contains(err.Error(), "f.hcl:") {
				t.Errorf("%v", err)
			}
			return
		}
		if c.Limits.Call <= 0 || c.Limits.Resource <= 0 || c.Limits.Grace <= 0 || c.Retention.Age <= 0 || c.RegistryLimit <= 0 {
			t.Errorf("%+v", c)
		}
	})
}
