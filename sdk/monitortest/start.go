package monitortest

import (
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	monitorv1 "github.com/spoolhost/spoolhost/proto/spoolhost/monitor/v1"
	monitorv2 "github.com/spoolhost/spoolhost/proto/spoolhost/monitor/v2"
	"github.com/spoolhost/spoolhost/sdk/registry/registrytest"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// startRule is the rule without which no other can be checked.
const startRule = "start.handshake"

func startChecks() []check {
	return []check{
		{Rule{startRule, "The module's first line on standard output is the handshake, and it answers there over mutual TLS.",
			"go-plugin, AutoMTLS"}, checkHandshake},
		{Rule{"start.describe", "Describe says what the module is: a monitor, its name, its version, its services.",
			"spoolhost.plugin.v1 Describe"}, checkDescribe},
		{Rule{"start.services", "The module serves the services that it declares, and no others.",
			"spoolhost.plugin.v1 Describe"}, checkServices},
		{Rule{"start.initialize", "InitializePrintMonitor2 gives an instance: the monitor is converted for clusters.",
			"Convert print monitors: InitializePrintMonitor2"}, checkInitialize},
		{Rule{"start.stdout", "Standard output carries the handshake line and nothing else.",
			"go-plugin"}, checkStdout},
		{Rule{"start.log", "Lines on standard error are UTF-8 text, or JSON with @level and @message.",
			"sdk: Log with init.Logger"}, checkLog},
	}
}

func checkHandshake(p *probe) {
	if p.subject.inProcess {
		p.skip("the monitor has no process of its own here")
	}
	_, err := p.start()
	p.must(err, "the module does not start")
}

func (p *probe) started() *module {
	m, err := p.start()
	p.need(err, "the module does not start")
	return m
}

func checkDescribe(p *probe) {
	d, err := p.describe(p.started())
	p.must(err, "Describe")
	if d.GetKind() != wire.KindMonitor {
		p.fail("the kind is %s, not %q", spool.Quote(d.GetKind()), wire.KindMonitor)
	}
	p.must(spool.CheckName("module", d.GetName()), "the name")
	if v := d.GetVersion(); v == "" || len(v) > 100 || strings.ContainsAny(v, "\n\r\x00") {
		p.fail("the version is %s; give 1 to 100 characters in one line", spool.Quote(v))
	}
	if len(d.GetServices()) == 0 {
		p.fail("no service is declared; a monitor declares %q", wire.ServiceMonitorV2)
	}
}

func checkServices(p *probe) {
	m := p.started()
	d, err := p.describe(m)
	p.need(err, "Describe")
	_, v1 := monitorv1.NewPrintMonitorClient(m.conn).OpenPort(p.call(), &monitorv1.OpenPortRequest{Name: "no such port"})
	_, v2 := monitorv2.NewPrintMonitorClient(m.conn).EnumPorts(p.call(), &monitorv2.EnumPortsRequest{Monitor: noHandle})
	for service, answer := range map[string]error{wire.ServiceMonitorV1: v1, wire.ServiceMonitorV2: v2} {
		declared, served := lists(d.GetServices(), service), !unserved(answer)
		if declared != served {
			p.fail("service %s: declared %v, served %v", service, declared, served)
		}
	}
}

// unserved says that gRPC itself refused, not the monitor.
func unserved(err error) bool {
	st, ok := status.FromError(err)
	return ok && st.Code() == codes.Unimplemented && len(st.Details()) == 0
}

func checkInitialize(p *probe) {
	m := p.started()
	if d, err := p.describe(m); err == nil && !lists(d.GetServices(), wire.ServiceMonitorV2) && lists(d.GetServices(), wire.ServiceMonitorV1) {
		p.fail("the monitor is unconverted: it serves %s only, and a cluster spooler refuses it; serve InitializePrintMonitor2 (monitor.Serve)", wire.ServiceMonitorV1)
	}
	for _, server := range []string{nodeSpooler, clusterSpooler} {
		_, err := p.initialize(m, server, registrytest.New())
		p.must(err, "InitializePrintMonitor2 for spooler "+server)
	}
}

// exercise makes the module do some of all its work, as far as it can.
func (p *probe) exercise() {
	i := p.one()
	t := p.newPort()
	if i.addPort(t) == nil {
		if port, err := i.OpenPort(p.call(), t.name); err == nil {
			o := &opened{Port: port, i: i}
			_ = o.print(pattern(1000))
			_ = o.Close(p.call())
		}
	}
	_ = i.Shutdown(p.call())
	p.module.kill()
}

func checkStdout(p *probe) {
	if p.subject.inProcess {
		p.skip("the monitor has no process of its own here")
	}
	p.exercise()
	if out := p.module.out.stdout; len(out) > 0 {
		p.fail("after the handshake it wrote %s to standard output; write to standard error", spool.Quote(string(out)))
	}
}

func checkLog(p *probe) {
	if p.subject.inProcess {
		p.skip("the monitor has no process of its own here")
	}
	p.exercise()
	if bad := p.module.out.bad; bad != "" {
		p.fail("%s", bad)
	}
}
