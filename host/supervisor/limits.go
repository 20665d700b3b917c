package supervisor

import (
	"cmp"
	"math"
	"strconv"
	"strings"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Limits is what a module process may be and take. A zero field says nothing: the host's
// own user, no limit.
type Limits struct {
	// User is the operating-system user that the module runs as, by name or number.
	User string `json:"user,omitempty"`
	// MemoryBytes bounds the memory of the module and all that it starts.
	MemoryBytes int64 `json:"memory_bytes,omitempty"`
	// Processes bounds the module's processes and threads.
	Processes int64 `json:"processes,omitempty"`
	// Files bounds the open files of each of its processes.
	Files int64 `json:"files,omitempty"`
}

// Over gives l with its zero fields taken from base: what is said of one monitor wins
// over what is said of all.
func (l Limits) Over(base Limits) Limits {
	return Limits{
		User:        cmp.Or(l.User, base.User),
		MemoryBytes: cmp.Or(l.MemoryBytes, base.MemoryBytes),
		Processes:   cmp.Or(l.Processes, base.Processes),
		Files:       cmp.Or(l.Files, base.Files),
	}
}

// The least that a module written in Go needs to start at all.
const (
	minMemory    = 16 << 20
	minProcesses = 16
	minFiles     = 32
)

// Check refuses limits that no module could live with.
func (l Limits) Check() error {
	switch {
	case l.MemoryBytes != 0 && l.MemoryBytes < minMemory:
		return spoolerr.New(spoolerr.Invalid, 0, "a memory limit of %d bytes is too small for any module; give at least 16MiB, or nothing for no limit", l.MemoryBytes)
	case l.Processes != 0 && l.Processes < minProcesses:
		return spoolerr.New(spoolerr.Invalid, 0, "a limit of %d processes and threads is too small for any module; give at least %d, or nothing for no limit", l.Processes, minProcesses)
	case l.Files != 0 && l.Files < minFiles:
		return spoolerr.New(spoolerr.Invalid, 0, "a limit of %d open files is too small for any module; give at least %d, or nothing for no limit", l.Files, minFiles)
	}
	return nil
}

// ParseSize reads a size in bytes as operators write it: a whole number, or one with a
// unit of IEC 80000-13 (KiB, MiB, GiB, TiB).
func ParseSize(text string) (int64, error) {
	number, shift := strings.TrimSpace(text), 0
	for unit, bits := range map[string]int{"KiB": 10, "MiB": 20, "GiB": 30, "TiB": 40} {
		if rest, ok := strings.CutSuffix(number, unit); ok {
			number, shift = strings.TrimSpace(rest), bits
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64>>shift {
		return 0, spoolerr.New(spoolerr.Invalid, 0, `%s is not a size; write a number of bytes, or one with KiB, MiB, GiB or TiB, such as "512MiB"`, spool.Quote(text))
	}
	return n << shift, nil
}
