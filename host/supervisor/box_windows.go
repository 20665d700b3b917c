package supervisor

import (
	"context"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// platform is what Windows offers to a box: a job object, which ends with its last handle,
// and with it all that is in it.
type platform struct {
	job windows.Handle
}

func privileges() error { return nil }

func (b *box) open(*Env, uint64) {
	b.note("privileges: the host's; run the host as a service of little rights")
	b.note("job object: everything that the module starts ends with it, and with the host")
	if b.limits.MemoryBytes > 0 {
		b.note("memory: %s with all that it starts (JobMemoryLimit)", formatSize(b.limits.MemoryBytes))
	}
	if b.limits.Processes > 0 {
		b.note("processes: %d (ActiveProcessLimit); threads are not limited", b.limits.Processes)
	}
	if b.limits.Files > 0 {
		b.note("open files: not limited, though %d is set: this system cannot", b.limits.Files)
	}
}

func (b *box) attributes(*syscall.SysProcAttr) {}

// restrict puts the process into its job. What it starts before that, in its first
// moments, is not in it.
func (b *box) restrict(pid int) (retErr error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return err
	}
	b.job = job
	var info windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION
	info.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	if b.limits.MemoryBytes > 0 {
		info.BasicLimitInformation.LimitFlags |= windows.JOB_OBJECT_LIMIT_JOB_MEMORY
		info.JobMemoryLimit = uintptr(b.limits.MemoryBytes)
	}
	if b.limits.Processes > 0 {
		info.BasicLimitInformation.LimitFlags |= windows.JOB_OBJECT_LIMIT_ACTIVE_PROCESS
		info.BasicLimitInformation.ActiveProcessLimit = uint32(b.limits.Processes)
	}
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)))
	if err != nil {
		return err
	}
	process, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(pid))
	if err != nil {
		return spoolerr.As(err, spoolerr.Unavailable, "process %d", pid)
	}
	defer func() { _ = windows.CloseHandle(process) }()
	return windows.AssignProcessToJobObject(job, process)
}

func (b *box) end() {
	if b.job != 0 {
		_ = windows.TerminateJobObject(b.job, 1)
		_ = windows.CloseHandle(b.job)
		b.job = 0
	}
}

func (b *box) killedForMemory() bool { return false }

// usage asks the system for the process's times and working set.
func (b *box) usage(pid int) (u Usage, ok bool) {
	process, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(pid))
	if err != nil {
		return u, false
	}
	defer func() { _ = windows.CloseHandle(process) }()
	var created, exited, kernel, user windows.Filetime
	if windows.GetProcessTimes(process, &created, &exited, &kernel, &user) != nil {
		return u, false
	}
	u.CPU = ticks(kernel) + ticks(user)
	return u, true
}

// ticks reads a length of time, which a FILETIME gives in units of 100 ns.
func ticks(t windows.Filetime) time.Duration {
	return time.Duration(int64(t.HighDateTime)<<32|int64(t.LowDateTime)) * 100
}

func peak(*os.ProcessState) int64 { return 0 }

func strays(string) []int { return nil }

func endStrays(context.Context, string) bool { return true }
