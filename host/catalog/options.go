package catalog

import (
	"strconv"
	"strings"
	"time"

	"github.com/spoolhost/spoolhost/host/supervisor"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Isolation says which spoolers share a process of a monitor.
type Isolation string

// The isolation modes.
const (
	// PerSpooler, the default, is a process for each spooler.
	PerSpooler Isolation = "spooler"
	// Shared is one process for all spoolers of the host.
	Shared Isolation = "shared"
)

// Options are what an operator chooses for a monitor. The zero value takes the host's.
type Options struct {
	Isolation Isolation `json:"isolation,omitempty"`
	// CallTimeout, ResourceTimeout and KillGrace replace the host's where they are not 0.
	CallTimeout     time.Duration `json:"call_timeout,omitempty"`
	ResourceTimeout time.Duration `json:"resource_timeout,omitempty"`
	KillGrace       time.Duration `json:"kill_grace,omitempty"`
	// Limits are laid over the host's.
	Limits supervisor.Limits `json:"limits,omitzero"`
}

// String says what differs from the host's defaults.
func (o Options) String() string {
	var parts []string
	add := func(name, value string, set bool) {
		if set {
			parts = append(parts, name+" "+value)
		}
	}
	add("isolation", string(o.Isolation), o.Isolation == Shared)
	add("call_timeout", o.CallTimeout.String(), o.CallTimeout > 0)
	add("resource_timeout", o.ResourceTimeout.String(), o.ResourceTimeout > 0)
	add("kill_grace", o.KillGrace.String(), o.KillGrace > 0)
	add("user", o.Limits.User, o.Limits.User != "")
	add("memory", strconv.FormatInt(o.Limits.MemoryBytes, 10)+" bytes", o.Limits.MemoryBytes > 0)
	add("processes", strconv.FormatInt(o.Limits.Processes, 10), o.Limits.Processes > 0)
	add("files", strconv.FormatInt(o.Limits.Files, 10), o.Limits.Files > 0)
	if len(parts) == 0 {
		return "the host's defaults"
	}
	return strings.Join(parts, ", ")
}

func (o Options) check() error {
	switch o.Isolation {
	case "", PerSpooler, Shared:
	default:
		return spoolerr.New(spoolerr.Invalid, 0, "isolation %q is unknown; use %s or %s", o.Isolation, PerSpooler, Shared)
	}
	for name, d := range map[string]time.Duration{
		"call_timeout": o.CallTimeout, "resource_timeout": o.ResourceTimeout, "kill_grace": o.KillGrace,
	} {
		const most = 24 * time.Hour
		if d < 0 || d > most {
			return spoolerr.New(spoolerr.Invalid, 0, "%s %v is out of range; use a positive duration of at most %v, or 0 for the host's", name, d, most)
		}
	}
	return o.Limits.Check()
}
