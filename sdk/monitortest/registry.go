package monitortest

import (
	"slices"
	"strings"

	"github.com/spoolhost/spoolhost/sdk/registry/registrytest"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func registryChecks() []check {
	return []check{
		{Rule{"registry.discipline", "Calls of the registry and the spooler carry the instance's own token and keys that it has open.", "MONITORREG: hSpooler"}, checkDiscipline},
		{Rule{"registry.keys", "Keys that are opened are closed: their number does not grow with use.", "MONITORREG: fpCloseKey"}, checkKeys},
		{Rule{"registry.failure", "AddPort fails if the port cannot be stored, and then there is no port.", "MONITORREG: fpSetValue"}, checkStoreFails},
		{Rule{"registry.more-data", "ERROR_MORE_DATA (234) is answered with a larger buffer.", "MONITORREG: fpQueryValue, fpEnumValue"}, checkMoreData},
		{Rule{"restart.ports", "After the process was killed, a new one with the same registry has the same ports, and they print.", "Storing Port Configuration Information"}, checkRestart},
	}
}

// use does everything to a port once.
func (i *instance) use() {
	t := i.port()
	_, err := i.portNames()
	i.probe.need(err, "EnumPorts")
	o := i.open(t)
	i.probe.need(o.print(pattern(1000)), "printing")
	i.probe.need(o.Close(i.probe.call()), "ClosePort")
	i.probe.need(i.deletePort(t), "DeletePort")
}

func checkDiscipline(p *probe) {
	a, b := p.two()
	a.use()
	b.use()
	p.must(a.Shutdown(p.call()), "Shutdown")
	p.must(b.Shutdown(p.call()), "Shutdown")
	var strays []string
	p.host.look(func() { strays = slices.Compact(slices.Clone(p.host.strays)) })
	if len(strays) > 0 {
		p.fail("%s", strings.Join(strays[:min(len(strays), 5)], "; "))
	}
}

func checkKeys(p *probe) {
	i := p.one()
	open := func() (n int) {
		p.host.look(func() { n = i.spooler.opened })
		return n
	}
	i.use()
	before := open()
	const rounds = 5
	for range rounds {
		i.use()
	}
	if after := open(); after >= before+rounds {
		p.fail("%d keys are open after one use of a port, %d after %d more", before, after, rounds)
	}
}

func checkStoreFails(p *probe) {
	i := p.one()
	t := p.newPort()
	i.spooler.tree.Fail(func(op, _ string) error {
		if op == "SetValue" || op == "CreateKey" {
			return spoolerr.New(spoolerr.NoSpace, 0, "the kit's registry is full")
		}
		return nil
	})
	err := i.addPort(t)
	i.spooler.tree.Fail(nil)
	if err == nil {
		p.fail("AddPort succeeds although the registry refused to store")
	}
	names, err := i.portNames()
	p.must(err, "EnumPorts")
	if lists(names, t.name) {
		p.fail("AddPort failed, but EnumPorts lists the port")
	}
}

func checkMoreData(p *probe) {
	i := p.one()
	t := i.port()
	_, err := i.portNames()
	p.need(err, "EnumPorts")
	bounded := false
	p.host.look(func() { bounded, p.host.squeeze = p.host.bounded, true })
	if !bounded {
		p.skip("it never gives the size of a buffer, and so takes values of any size")
	}
	names, err := i.portNames()
	p.must(err, "EnumPorts, when the registry answers ERROR_MORE_DATA to buffers of less than 64 KiB")
	if !lists(names, t.name) {
		p.fail("EnumPorts lists %q, when the registry answers ERROR_MORE_DATA to buffers of less than 64 KiB", names)
	}
}

func checkRestart(p *probe) {
	tree := registrytest.New()
	i, err := p.initialize(p.started(), nodeSpooler, tree)
	p.need(err, "InitializePrintMonitor2 fails")
	first, second := i.port(), i.port()
	before, err := i.portNames()
	p.need(err, "EnumPorts")
	i.module.kill()
	i, err = p.initialize(p.started(), nodeSpooler, tree)
	p.must(err, "InitializePrintMonitor2 with the registry of a process that was killed")
	after, err := i.portNames()
	p.must(err, "EnumPorts")
	slices.Sort(before)
	slices.Sort(after)
	if !slices.Equal(before, after) {
		p.fail("before the kill EnumPorts listed %q, now %q", before, after)
	}
	port, err := i.OpenPort(p.call(), second.name)
	p.must(err, "OpenPort of a port from before the kill")
	data := pattern(1000)
	p.must((&opened{Port: port, i: i}).print(data), "printing to a port from before the kill")
	if second.device != nil {
		p.must(p.arrives(second.device, data), "port "+spool.Quote(second.name))
	}
	p.must(i.deletePort(first), "DeletePort of a port from before the kill")
}
