//go:build linux

package hostile

import (
	"context"
	"fmt"
	"math"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/job"
	monitorv2 "github.com/spoolhost/spoolhost/proto/spoolhost/monitor/v2"
)

// replyRows answer with what cannot be true, in the first life after they were added.
func replyRows() []row {
	return []row{
		start("gives the monitor handle 0", "InitializePrintMonitor2", "handle 0", func(r *monitorv2.InitializePrintMonitor2Response) { r.Monitor = 0 }),
		start("has capabilities of 20 MB", "InitializePrintMonitor2", "too much", func(r *monitorv2.InitializePrintMonitor2Response) {
			r.Capabilities = []string{strings.Repeat("c", 20<<20)}
		}),
		start("lists ports of 256 MB", "EnumPorts", "too much", func(r *monitorv2.EnumPortsResponse) {
			r.Ports = append(r.Ports, &monitorv2.PortInfo{Name: "p", Description: strings.Repeat("d", 256<<20)})
		}),
		start("lists a million ports", "EnumPorts", "returned 1000001 ports", func(r *monitorv2.EnumPortsResponse) {
			for i := range 1_000_000 {
				r.Ports = append(r.Ports, &monitorv2.PortInfo{Name: fmt.Sprint("m", i)})
			}
		}),
		odd("lists ports with control characters", "EnumPorts", "control character", func(r *monitorv2.EnumPortsResponse) {
			r.Ports = append(r.Ports, &monitorv2.PortInfo{Name: "x\x1b[31m\n"}, &monitorv2.PortInfo{Name: ""}, &monitorv2.PortInfo{Name: strings.Repeat("n", 1<<20)})
		}),
		odd("lists a port of another monitor", "EnumPorts", "", func(r *monitorv2.EnumPortsResponse) {
			r.Ports = append(r.Ports, &monitorv2.PortInfo{Name: goodName})
		}),
		odd("lists a port twice", "EnumPorts", "was listed twice", func(r *monitorv2.EnumPortsResponse) { r.Ports = append(r.Ports, r.Ports[0]) }),
		odd("complains about a hundred thousand ports", "EnumPorts", "left out", func(r *monitorv2.EnumPortsResponse) {
			for range 99_000 {
				r.Ports = append(r.Ports, &monitorv2.PortInfo{Name: "\x01"})
			}
		}),
		open("gives the port handle 0", func(r *monitorv2.OpenPortResponse) { r.Port = 0 }, "handle 0"),
		open("gives the monitor's handle for the port's", func(r *monitorv2.OpenPortResponse) { r.Port = 1 }, "handle 1"),
		open("opens a port with 20 MB", func(r *monitorv2.OpenPortResponse) { r.Capabilities = []string{strings.Repeat("c", 20<<20)} }, "too much"),
		writes("takes more than it was given", "took 100001 of 100000 bytes", job.DeviceFailed, func(r *monitorv2.WritePortResponse) { r.Written++ }),
		writes("takes 4294967295 bytes", "took 4294967295 of", job.DeviceFailed, func(r *monitorv2.WritePortResponse) { r.Written = math.MaxUint32 }),
		writes("takes minus one byte", "took 4294967295 of", job.DeviceFailed, func(r *monitorv2.WritePortResponse) {
			raw(r, 1, math.MaxUint64)
		}),
		writes("gives a reason of 20 MB", "too much", job.DeviceFailed, func(r *monitorv2.WritePortResponse) {
			r.NotReady, r.Reason = true, strings.Repeat("r", 20<<20)
		}),
		{name: "fails with escape sequences", lives: 1, do: on("WritePort", func(context.Context) error {
			return status.Error(codes.Code(77), "\x1b[2J\x07"+strings.Repeat("long ", 1<<10))
		}), outcomes: []job.Outcome{job.DeviceFailed}, event: eventlog.JobAttemptEnded, says: "[2J"},
		{name: "never reports the document", lives: 1, do: func(m *module) { m.report = false },
			outcomes: []job.Outcome{job.Unconfirmed}, event: eventlog.JobAttemptEnded, says: "without reporting it as sent"},
		{name: "reports the document before it has it", lives: 1, do: func(m *module) {
			m.after["StartDocPort"] = func(proto.Message) {
				_, id, _ := m.instance()
				_ = m.setJob(context.Background(), id)
			}
			m.before["EndDocPort"] = func(context.Context) error { return status.Error(codes.Internal, "and then it failed") }
		}, outcomes: []job.Outcome{job.DeviceFailed}, event: eventlog.JobAttemptEnded, says: "failed"},
		{name: "announces what it does not serve", lives: 1, outcomes: sent, do: after("InitializePrintMonitor2", func(r proto.Message) {
			r.(*monitorv2.InitializePrintMonitor2Response).Capabilities = []string{"notify-ports", "power-event", "time-travel"}
		})},
	}
}

func changed[M proto.Message](method string, change func(M)) func(*module) {
	return after(method, func(r proto.Message) { change(r.(M)) })
}

// start is a lie that the monitor's start does not survive.
func start[M proto.Message](name, method, says string, change func(M)) row {
	return row{name: name, lives: 1, do: changed(method, change), says: says, event: eventlog.MonitorInitializeFailed, outcomes: sent}
}

// odd is a lie that is put right.
func odd[M proto.Message](name, method, says string, change func(M)) row {
	r := row{name: name, lives: 1, do: changed(method, change), says: says, event: eventlog.ModuleMisbehaves, outcomes: sent}
	if says == "" {
		r.event = 0
	}
	return r
}

// open is a lie for which the port stays closed.
func open(name string, change func(*monitorv2.OpenPortResponse), says string) row {
	return row{name: name, lives: 1, do: changed("OpenPort", change), says: says, event: eventlog.PortOpenFailed, outcomes: []job.Outcome{}}
}

// writes is a lie that ends an attempt.
func writes(name, says string, outcome job.Outcome, change func(*monitorv2.WritePortResponse)) row {
	return row{name: name, lives: 1, do: changed("WritePort", change), says: says, event: eventlog.JobAttemptEnded, outcomes: []job.Outcome{outcome}}
}

// raw adds a field that the generated code would not write.
func raw(m proto.Message, field protowire.Number, value uint64) {
	m.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, field, protowire.VarintType), value))
}
