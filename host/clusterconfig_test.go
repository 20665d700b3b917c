package host

import (
	"strings"
	"testing"
	"time"
)

func TestClusterConfig(t *testing.T) {
	const good = `listen = ["unix:/s", "tls:10.0.0.1:6312"]
cluster {
  name = "print"
  node = "print1"
  shared = "/srv/print"
  listen = "10.0.0.1:6313"
}`
	cfg, err := parseConfig(DefaultConfig(), "c.hcl", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	c := cfg.Cluster
	if c.Engine != EngineEmbedded || c.Advertise != "10.0.0.1:6312" || c.Lease != 5*time.Second || c.Shared != "/srv/print" {
		t.Errorf("%+v", c)
	}
	if cfg, err := parseConfig(DefaultConfig(), "c.hcl", nil); err != nil || cfg.Cluster != nil {
		t.Errorf("without a block: %+v, %v", cfg.Cluster, err)
	}
	const external = `engine = "external"`
	for name, c := range map[string]struct{ from, to, want string }{
		"node":           {`"print1"`, `"print 1"`, "c.hcl:4,"},
		"cluster":        {`"print"`, `"-"`, "c.hcl:3,"},
		"shared":         {`"/srv/print"`, `"srv"`, "not an absolute path"},
		"listen":         {`"10.0.0.1:6313"`, `"0.0.0.0:6313"`, "c.hcl:6,"},
		"no tls":         {`"tls:10.0.0.1:6312"`, `"127.0.0.1:6310"`, "advertise"},
		"any address":    {`"tls:10.0.0.1:6312"`, `"tls:0.0.0.0:6312"`, "advertise"},
		"lease":          {`listen = "10.0.0.1:6313"`, `listen = "10.0.0.1:6313"` + "\n" + `lease = "1s"`, "c.hcl:7,"},
		"engine":         {`listen = "10.0.0.1:6313"`, `engine = "bolt"`, "embedded or external"},
		"no endpoints":   {`listen = "10.0.0.1:6313"`, external, "needs endpoints"},
		"listen outside": {`shared`, external + "\nendpoints = [\"a:1\"]\nshared", "listen is for"},
		"half a login":   {`listen = "10.0.0.1:6313"`, external + "\nendpoints = [\"a:1\"]\nuser = \"a\"", "go together"},
		"user inside":    {`listen = "10.0.0.1:6313"`, `listen = "10.0.0.1:6313"` + "\nuser = \"a\"", `for engine = "external"`},
		"module":         {`listen = "10.0.0.1:6313"`, `listen = "10.0.0.1:6313"` + "\nmodules = [\"all\", \"acme\"]", `"acme" is not a SHA-256`},
		"unknown":        {`node`, "nod = 1\nnode", "c.hcl:4,"},
	} {
		src := strings.Replace(good, c.from, c.to, 1)
		if _, err := parseConfig(DefaultConfig(), "c.hcl", []byte(src)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
