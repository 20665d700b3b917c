package host

import (
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spoolhost/spoolhost/host/cluster/engine"
	"github.com/spoolhost/spoolhost/host/cluster/modulefile"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// The engines of a cluster.
const (
	EngineEmbedded = "embedded"
	EngineExternal = "external"
)

// ClusterConfig makes a host a node of a cluster.
type ClusterConfig struct {
	// Name is the cluster's, Node this node's.
	Name, Node string
	// Engine is EngineEmbedded or EngineExternal.
	Engine string
	// Listen is where the embedded etcd members reach each other, HOST:PORT.
	Listen string
	// Advertise is where other nodes reach this node's API, HOST:PORT.
	Advertise string
	// Shared is the directory that all nodes share.
	Shared string
	// Lease is how long a silent node keeps its spoolers.
	Lease time.Duration
	// Modules are those that this node fetches from the cluster by itself: digests, as
	// "sha256:HEX", or modulefile.AllowAll; nothing by default.
	Modules []string
	// Endpoints and what follows are for an external etcd.
	Endpoints []string
	External  engine.External
}

// clusterFile is the block "cluster" of the configuration file.
type clusterFile struct {
	Name      string           `hcl:"name"`
	Node      string           `hcl:"node"`
	Engine    *string          `hcl:"engine"`
	Listen    *string          `hcl:"listen"`
	Advertise *string          `hcl:"advertise"`
	Shared    string           `hcl:"shared"`
	Lease     *string          `hcl:"lease"`
	Modules   []string         `hcl:"modules,optional"`
	Endpoints []string         `hcl:"endpoints,optional"`
	User      *string          `hcl:"user"`
	Password  *string          `hcl:"password"`
	TLS       *clusterTLSBlock `hcl:"tls,block"`
}

type clusterTLSBlock struct {
	CA          *string `hcl:"ca"`
	Certificate *string `hcl:"certificate"`
	Key         *string `hcl:"key"`
}

const shortestLease = 2 * time.Second

func (f *clusterFile) apply(cfg *Config, at places) error {
	if f == nil {
		return nil
	}
	c := &ClusterConfig{Name: f.Name, Node: f.Node, Engine: EngineEmbedded, Shared: f.Shared, Lease: 5 * time.Second, Modules: f.Modules, Endpoints: f.Endpoints}
	set(&c.Engine, f.Engine)
	set(&c.Listen, f.Listen)
	set(&c.Advertise, f.Advertise)
	c.External.Endpoints = f.Endpoints
	set(&c.External.User, f.User)
	set(&c.External.Password, f.Password)
	if f.TLS != nil {
		set(&c.External.CA, f.TLS.CA)
		set(&c.External.Certificate, f.TLS.Certificate)
		set(&c.External.Key, f.TLS.Key)
	}
	wrong := func(name, format string, args ...any) error {
		return spoolerr.New(spoolerr.Invalid, 0, "%s: cluster: "+format, append([]any{at.of("cluster." + name)}, args...)...)
	}
	if err := engine.CheckName(c.Node); err != nil {
		return spoolerr.Wrap(err, "%s: cluster", at.of("cluster.node"))
	}
	if err := engine.CheckName(c.Name); err != nil {
		return wrong("name", "name %q is not usable; use letters, digits and hyphens, such as print", c.Name)
	}
	if !filepath.IsAbs(c.Shared) {
		return wrong("shared", "shared = %q is not an absolute path; name the directory that all nodes share", c.Shared)
	}
	if err := setDuration(&c.Lease, f.Lease, at.of("cluster.lease"), "cluster: lease"); err != nil {
		return err
	}
	if c.Lease < shortestLease {
		return wrong("lease", "lease = %q is too short for a busy machine; use at least %v", *f.Lease, shortestLease)
	}
	if err := modulefile.CheckAllow(c.Modules); err != nil {
		return spoolerr.Wrap(err, "%s: cluster: modules", at.of("cluster.modules"))
	}
	if err := f.checkEngine(c, wrong); err != nil {
		return err
	}
	if c.Advertise == "" {
		c.Advertise = advertised(cfg.Listen)
	}
	if host, _, err := net.SplitHostPort(c.Advertise); err != nil || anyAddress(host) {
		return wrong("advertise", "nothing says where the other nodes reach this one: give advertise = \"HOST:PORT\", the address of a tls: listener of this host")
	}
	if !servesTLS(cfg.Listen) {
		return wrong("node", "the other nodes reach this one by TLS: give listen = [\"tls:HOST:PORT\"] beside the cluster block")
	}
	cfg.Cluster = c
	return nil
}

func (f *clusterFile) checkEngine(c *ClusterConfig, wrong func(name, format string, args ...any) error) error {
	switch c.Engine {
	case EngineEmbedded:
		host, _, err := net.SplitHostPort(c.Listen)
		if err != nil || anyAddress(host) {
			return wrong("listen", "listen = %q is not HOST:PORT where the other nodes reach this one's etcd, such as 10.0.0.1:6313", c.Listen)
		}
		if f.Endpoints != nil || f.User != nil || f.Password != nil || f.TLS != nil {
			return wrong("engine", "endpoints, user, password and tls are for engine = \"external\"; the embedded one needs none")
		}
	case EngineExternal:
		if len(c.Endpoints) == 0 || slices.Contains(c.Endpoints, "") {
			return wrong("endpoints", "engine = \"external\" needs endpoints, such as [\"https://10.0.0.1:2379\"]")
		}
		if f.Listen != nil {
			return wrong("listen", "listen is for engine = \"embedded\"; an external etcd has its own addresses")
		}
		if (f.User == nil) != (f.Password == nil) {
			return wrong("user", "user and password go together")
		}
		if (c.External.Certificate == "") != (c.External.Key == "") {
			return wrong("tls", "tls needs certificate and key, or neither")
		}
	default:
		return wrong("engine", "engine = %q is unknown; use embedded or external", c.Engine)
	}
	return nil
}

// advertised gives the first network address that others could reach as it is.
func advertised(listen []string) string {
	for _, l := range listen {
		if addr, ok := strings.CutPrefix(l, "tls:"); ok {
			if host, _, err := net.SplitHostPort(addr); err == nil && !anyAddress(host) {
				return addr
			}
		}
	}
	return ""
}

// anyAddress says that a host name stands for all addresses of the machine.
func anyAddress(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}
