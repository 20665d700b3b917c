package host

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/portmon"
	"github.com/spoolhost/spoolhost/host/supervisor"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Config is what a host is told. DefaultConfig gives the defaults.
type Config struct {
	// Data is the directory of everything the host keeps.
	Data string
	// Listen are the addresses of the API: "unix:PATH", "tls:HOST:PORT" or a loopback
	// "HOST:PORT".
	Listen []string
	// PointPrint is what connections to printers of other hosts take.
	PointPrint PointPrint
	// TLS is for addresses with "tls:".
	TLS APITLS
	// HTTP is the address of health and metrics, "HOST:PORT"; empty for none.
	HTTP string
	// Cluster makes the host a node of a cluster; nil for none.
	Cluster *ClusterConfig
	// IPP is the Internet Printing Protocol.
	IPP IPP
	// Operators is the name of the group whose members operate; empty for none.
	Operators string
	// Limits are the deadlines of calls to modules.
	Limits portmon.Limits
	// Modules says what module processes may be and take, unless it is said of a monitor.
	Modules supervisor.Limits
	// Cgroup is the cgroup below which modules get theirs, as a directory; empty is the
	// host's own.
	Cgroup string
	// Retention says how long finished jobs are kept.
	Retention job.Retention
	// RegistryLimit bounds what one monitor may store for one spooler, in bytes.
	RegistryLimit int64
	// LocalDirectories are those below which the local port monitor may write.
	LocalDirectories []string
	// CUPSBackends are the directories whose CUPS backends may be run as ports.
	CUPSBackends []string

	// Membership makes the host a node of a cluster; nil is none. LoadConfig leaves it alone.
	Membership *Membership

	// ClusterGuard is the command that runs cluster.ServeGuard, such as the program itself with
	// cluster.GuardArg; empty is none. LoadConfig leaves it alone.
	ClusterGuard []string

	// Builtins are the monitors that come with the program. LoadConfig leaves them alone.
	Builtins []catalog.Monitor
	// BuiltinModules are the modules that come with it and that others name.
	BuiltinModules []catalog.Module
	Version        string
	Logger         hclog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// DefaultConfig is a host without addresses and monitors.
func DefaultConfig() Config {
	return Config{
		Limits:        portmon.DefaultLimits(),
		Retention:     job.Retention{Age: 7 * 24 * time.Hour, Count: 10_000},
		RegistryLimit: 16 << 20,
		CUPSBackends:  []string{"/usr/lib/cups/backend"},
		Logger:        hclog.NewNullLogger(),
	}
}

// file is the configuration file. Everything in it is optional.
type file struct {
	Data             *string  `hcl:"data"`
	Listen           []string `hcl:"listen,optional"`
	HTTP             *string  `hcl:"http"`
	Operators        *string  `hcl:"operators"`
	CallTimeout      *string  `hcl:"call_timeout"`
	ResourceTimeout  *string  `hcl:"resource_timeout"`
	KillGrace        *string  `hcl:"kill_grace"`
	LocalDirectories []string `hcl:"local_directories,optional"`
	CUPSBackends     []string `hcl:"cups_backends,optional"`
	RegistryLimit    *int64   `hcl:"registry_limit"`
	History          *history `hcl:"history,block"`
	Modules          *modules `hcl:"modules,block"`
	IPP              *ippFile `hcl:"ipp,block"`

	PointPrint *pointPrintFile `hcl:"point_and_print,block"`
	TLS        *apiTLSFile     `hcl:"tls,block"`
	Cluster    *clusterFile    `hcl:"cluster,block"`
}

type modules struct {
	User      *string `hcl:"user"`
	Memory    *string `hcl:"memory"`
	Processes *int64  `hcl:"processes"`
	Files     *int64  `hcl:"files"`
	Cgroup    *string `hcl:"cgroup"`
}

type history struct {
	Age   *string `hcl:"age"`
	Count *uint64 `hcl:"count"`
}

// LoadConfig reads a configuration file in HCL over the defaults. It is strict: unknown
// names are errors, and each error gives file, line and column.
func LoadConfig(path string) (Config, error) {
	cfg := DefaultConfig()
	src, err := os.ReadFile(path)
	if err != nil {
		return cfg, spoolerr.As(err, spoolerr.NotFound, "configuration file %s", path)
	}
	return parseConfig(cfg, path, src)
}

func parseConfig(cfg Config, path string, src []byte) (Config, error) {
	parsed, diags := hclparse.NewParser().ParseHCL(src, path)
	var f file
	if !diags.HasErrors() {
		diags = append(diags, gohcl.DecodeBody(parsed.Body, nil, &f)...)
	}
	if diags.HasErrors() {
		return cfg, configError(diags)
	}
	if err := f.apply(&cfg, places{parsed}); err != nil {
		return cfg, err
	}
	return cfg, nil
}

// places finds where in the file an attribute stands, for messages.
type places struct{ file *hcl.File }

// of gives "file:line,column" of an attribute; a name with a dot is in a block.
func (p places) of(name string) string {
	body, ok := p.file.Body.(*hclsyntax.Body)
	if !ok {
		return name
	}
	if block, attr, nested := strings.Cut(name, "."); nested {
		name = attr
		for _, b := range body.Blocks {
			if b.Type == block {
				body = b.Body
			}
		}
	}
	if body.Attributes[name] == nil {
		return name
	}
	return body.Attributes[name].SrcRange.String()
}

func configError(diags hcl.Diagnostics) error {
	return spoolerr.As(diags, spoolerr.Invalid, "configuration")
}

func (f *file) apply(cfg *Config, at places) error {
	set(&cfg.Data, f.Data)
	set(&cfg.HTTP, f.HTTP)
	set(&cfg.Operators, f.Operators)
	if f.Listen != nil {
		cfg.Listen = f.Listen
	}
	cfg.LocalDirectories = f.LocalDirectories
	if f.CUPSBackends != nil {
		cfg.CUPSBackends = f.CUPSBackends
	}
	for name, dirs := range map[string][]string{"local_directories": f.LocalDirectories, "cups_backends": f.CUPSBackends} {
		for _, d := range dirs {
			if !filepath.IsAbs(d) {
				return spoolerr.New(spoolerr.Invalid, 0, "%s: %s: %q is not an absolute path", at.of(name), name, d)
			}
		}
	}
	if f.RegistryLimit != nil {
		if *f.RegistryLimit <= 0 {
			return spoolerr.New(spoolerr.Invalid, 0, "%s: registry_limit must be a positive number of bytes", at.of("registry_limit"))
		}
		cfg.RegistryLimit = *f.RegistryLimit
	}
	if f.Modules != nil {
		if err := f.Modules.apply(cfg, at); err != nil {
			return err
		}
	}
	if err := f.applyNetwork(cfg, at); err != nil {
		return err
	}
	if f.History == nil {
		f.History = &history{}
	}
	set(&cfg.Retention.Count, f.History.Count)
	for _, d := range []struct {
		name string
		text *string
		to   *time.Duration
	}{
		{"call_timeout", f.CallTimeout, &cfg.Limits.Call},
		{"resource_timeout", f.ResourceTimeout, &cfg.Limits.Resource},
		{"kill_grace", f.KillGrace, &cfg.Limits.Grace},
		{"history.age", f.History.Age, &cfg.Retention.Age},
	} {
		if err := setDuration(d.to, d.text, at.of(d.name), d.name); err != nil {
			return err
		}
	}
	return nil
}

// applyNetwork applies what is between this host and others.
func (f *file) applyNetwork(cfg *Config, at places) error {
	if err := f.IPP.apply(&cfg.IPP, at); err != nil {
		return err
	}
	if err := f.PointPrint.apply(&cfg.PointPrint, at); err != nil {
		return err
	}
	return cmp.Or(f.TLS.apply(&cfg.TLS, at), f.Cluster.apply(cfg, at))
}

func (m *modules) apply(cfg *Config, at places) error {
	set(&cfg.Modules.User, m.User)
	set(&cfg.Cgroup, m.Cgroup)
	if cfg.Cgroup != "" && !filepath.IsAbs(cfg.Cgroup) {
		return spoolerr.New(spoolerr.Invalid, 0, "%s: cgroup: %q is not an absolute path, such as /sys/fs/cgroup/spoolhost", at.of("modules.cgroup"), cfg.Cgroup)
	}
	if m.Memory != nil {
		bytes, err := supervisor.ParseSize(*m.Memory)
		if err == nil {
			err = supervisor.Limits{MemoryBytes: bytes}.Check()
		}
		if err != nil {
			return spoolerr.Wrap(err, "%s: memory", at.of("modules.memory"))
		}
		cfg.Modules.MemoryBytes = bytes
	}
	set(&cfg.Modules.Processes, m.Processes)
	if err := (supervisor.Limits{Processes: cfg.Modules.Processes}).Check(); err != nil {
		return spoolerr.Wrap(err, "%s: processes", at.of("modules.processes"))
	}
	set(&cfg.Modules.Files, m.Files)
	return spoolerr.Wrap(supervisor.Limits{Files: cfg.Modules.Files}.Check(), "%s: files", at.of("modules.files"))
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func setDuration(to *time.Duration, text *string, place, name string) error {
	if text == nil {
		return nil
	}
	d, err := time.ParseDuration(*text)
	if err != nil || d <= 0 {
		return spoolerr.New(spoolerr.Invalid, 0, "%s: %s = %q is not a positive duration such as \"30s\" or \"3m\"", place, name, *text)
	}
	*to = d
	return nil
}
