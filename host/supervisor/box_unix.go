//go:build unix && !linux

package supervisor

import (
	"context"
	"os"
	"syscall"
)

// platform is what other Unix systems offer to a box: no limits can be set on another
// process there.
type platform struct{}

func privileges() error { return nil }

func (b *box) open(*Env, uint64) {
	b.note("privileges: this system cannot keep a module from gaining them")
	b.note("cgroup: none on this system; what the module starts is found by its process group")
	if b.limits.MemoryBytes > 0 || b.limits.Processes > 0 || b.limits.Files > 0 {
		b.note("memory, processes, open files: not limited, though limits are set: this system cannot")
	}
}

func (b *box) attributes(to *syscall.SysProcAttr) {
	if b.account != nil {
		to.Credential = &syscall.Credential{Uid: uint32(b.account.uid), Gid: uint32(b.account.gid)}
	}
}

func (b *box) restrict(int) error { return nil }

func (b *box) end() {}

func (b *box) killedForMemory() bool { return false }

func (b *box) usage(int) (Usage, bool) { return Usage{}, false }

func peak(*os.ProcessState) int64 { return 0 }

func strays(string) []int { return nil }

func endStrays(context.Context, string) bool { return true }
