//go:build linux

package hostile

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/job"
	"golang.org/x/sys/unix"
)

// callRows break in one call: the first life after the monitor was added misbehaves, the
// next is good, so that the document prints in the end.
func callRows() []row {
	rows := []row{ // what takes longest begins first
		{name: "says that what hangs has ended", do: func(m *module) { m.settles, m.before["WritePort"] = true, hang },
			event: eventlog.JobAttemptEnded, says: "did not return within",
			outcomes: []job.Outcome{job.TimedOut, job.TimedOut, job.TimedOut, job.TimedOut, job.TimedOut}},
	}
	add := func(name, method string, fault func(context.Context) error, says string, r row) {
		r.name, r.do, r.says, r.lives = method+" "+name, on(method, fault), says, 1
		rows = append(rows, r)
	}
	for _, method := range []string{"InitializePrintMonitor2", "EnumPorts"} {
		add("blocks", method, hang, "did not return within", row{event: eventlog.MonitorInitializeFailed, outcomes: []job.Outcome{job.Sent}})
	}
	add("blocks", "OpenPort", hang, "did not return within", row{event: eventlog.PortOpenFailed, outcomes: []job.Outcome{job.Sent}})
	for _, method := range []string{"StartDocPort", "WritePort", "EndDocPort"} {
		late := row{event: eventlog.JobAttemptEnded, outcomes: []job.Outcome{job.TimedOut, job.Sent}}
		add("stops the process", method, func(context.Context) error { stopSelf(); return nil }, "did not return within", late)
		add("blocks", method, hang, "did not return within", late)
	}
	for _, method := range []string{"XcvOpenPort", "XcvDataPort"} {
		add("blocks", method, hang, "", row{addPort: "did not return within"})
	}
	add("blocks", "XcvClosePort", hang, "", row{addPort: "nil"})
	for _, method := range []string{"ClosePort", "Shutdown", "Drain"} {
		add("blocks", method, hang, "", row{outcomes: []job.Outcome{job.Sent}})
	}
	crashed := []job.Outcome{job.Crashed, job.Sent}
	for name, fault := range map[string]func(context.Context) error{"exits": exit, "panics": func(context.Context) error { panic("no such luck") }} {
		says := map[string]string{"exits": "exit status 3", "panics": "no such luck"}[name]
		for _, method := range []string{"InitializePrintMonitor2", "EnumPorts"} {
			add(name, method, fault, says, row{event: eventlog.MonitorRestarting, outcomes: []job.Outcome{job.Sent}})
		}
		add(name, "OpenPort", fault, says, row{event: eventlog.MonitorExited, outcomes: []job.Outcome{job.Sent}})
		for _, method := range []string{"StartDocPort", "WritePort", "EndDocPort"} {
			add(name, method, fault, says, row{event: eventlog.JobAttemptEnded, outcomes: crashed})
		}
		for _, method := range []string{"XcvOpenPort", "XcvDataPort"} {
			add(name, method, fault, says, row{event: eventlog.MonitorExited, addPort: says})
		}
		add(name, "XcvClosePort", fault, says, row{event: eventlog.MonitorExited, addPort: "nil"})
		for _, method := range []string{"ClosePort", "Shutdown", "Drain"} {
			add(name, method, fault, "", row{outcomes: []job.Outcome{job.Sent}})
		}
	}
	return append(rows,
		row{name: "stops itself while idle", lives: 1, do: func(m *module) {
			m.then["EnumPorts"] = stopSelf
			m.before["OpenPort"] = hang // if the host is quicker than the signal
		},
			event: eventlog.PortOpenFailed, says: "did not return within", outcomes: []job.Outcome{job.Sent}},
		row{name: "ignores SIGTERM and every call of the end", lives: 1, do: func(m *module) {
			signal.Ignore(syscall.SIGTERM)
			for _, method := range []string{"ClosePort", "Shutdown", "Drain"} {
				m.before[method] = hang
			}
		}, outcomes: []job.Outcome{job.Sent}},
	)
}

// stopSelf stops the process. The signal is for the thread that asks: sent to the process, another
// thread may take it while this one goes on and answers the call.
func stopSelf() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGSTOP)
}
