package supervisor

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// box is what confines one module process.
type box struct {
	limits  Limits
	account *account // whom it runs as; nil is the host's own user
	mark    string   // an environment variable that only this process and its descendants have
	platform

	notes []string // what is in force, and what is not
}

func (b *box) note(format string, args ...any) {
	b.notes = append(b.notes, fmt.Sprintf(format, args...))
}

// newBox prepares what must be there before the process is.
func (e *Env) newBox(spec Spec) (*box, error) {
	b := &box{limits: spec.Limits}
	var err error
	if b.account, err = findAccount(spec.Limits.User); err != nil {
		return nil, spoolerr.Wrap(err, "module %s", spec.Name)
	}
	if b.account == nil {
		b.note("user: the host's own, %s", ownName())
	} else {
		b.note("user: %s (uid %d, gid %d), no other groups", b.account.name, b.account.uid, b.account.gid)
	}
	b.note("environment: an allow-list; directories: private")
	b.open(e, spec.Incarnation)
	return b, nil
}

// privateDir says where the process's private directory is to be: a module that runs as
// another user must be able to get there.
func (e *Env) privateDir(b *box) (string, error) {
	if b.account == nil {
		return e.RuntimeDir, nil
	}
	if e.UserDir == "" {
		return "", spoolerr.New(spoolerr.Precondition, spoolerr.CodeNotSupported,
			"user %s: this host has no directory for sockets of other users' modules", spool.Quote(b.account.name))
	}
	if err := os.Mkdir(e.UserDir, 0o700); err != nil && !os.IsExist(err) {
		return "", spoolerr.As(err, spoolerr.Unavailable, "directory for sockets")
	}
	const passable = 0o711 // nobody sees what is in it, and what is in it has its own owner
	return e.UserDir, os.Chmod(e.UserDir, passable)
}

// Confinement says what confines the process, and what this system cannot do, a line each.
func (p *Process) Confinement() []string { return p.run.box.notes }

// Usage is what a process has taken. What is not known is 0.
type Usage struct {
	// CPU is the processor time and MemoryBytes the resident memory: of the process, or of
	// all that is in its cgroup.
	CPU         time.Duration
	MemoryBytes int64
	// Files counts the open files of the process.
	Files int
}

// Usage measures the process. ok is false if this system does not tell, or if the process
// has ended.
func (p *Process) Usage() (u Usage, ok bool) {
	select {
	case <-p.Done():
		return Usage{}, false
	default:
		return p.run.box.usage(p.PID)
	}
}

// deathText tells a death by the memory limit from others: lastWords are the module's own.
func (b *box) deathText(peak int64, lastWords string) string {
	if b.limits.MemoryBytes == 0 {
		return ""
	}
	lower := strings.ToLower(lastWords)
	const nearly = 0.8
	switch {
	case b.killedForMemory():
	case strings.Contains(lower, "out of memory"), strings.Contains(lower, "cannot allocate memory"):
	case float64(peak) >= nearly*float64(b.limits.MemoryBytes):
	default:
		return ""
	}
	return "; it had come to its memory limit of " + formatSize(b.limits.MemoryBytes)
}

func formatSize(n int64) string {
	for _, u := range []struct {
		unit string
		bits int
	}{{"GiB", 30}, {"MiB", 20}, {"KiB", 10}} {
		if n >= 1<<u.bits && n%(1<<u.bits) == 0 {
			return fmt.Sprintf("%d %s", n>>u.bits, u.unit)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}
