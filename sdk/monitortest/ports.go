package monitortest

import (
	monitorv2 "github.com/spoolhost/spoolhost/proto/spoolhost/monitor/v2"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func portChecks() []check {
	return []check{
		{Rule{"ports.enum", "EnumPorts lists each port once, under a name that winspool can carry, and the same ports when asked again.",
			"EnumPorts, PORT_INFO_2"}, checkEnum},
		{Rule{"ports.unknown", "OpenPort of a port that does not exist answers ERROR_UNKNOWN_PORT (1796).", "OpenPort"}, checkUnknownPort},
		{Rule{"ports.second-open", "OpenPort of an open port is refused with ERROR_BUSY (170), or gives a handle whose end leaves the first one alone.",
			"OpenPort: one path to a port"}, checkSecondOpen},
		{Rule{"ports.reopen", "A port that was closed can be opened and printed to again.", "ClosePort"}, checkReopen},
	}
}

func checkEnum(p *probe) {
	r := p.raw(p.started())
	want := []string{r.port(p).name, r.port(p).name, r.port(p).name}
	var before []string
	for range 3 {
		a, err := r.EnumPorts(p.call(), &monitorv2.EnumPortsRequest{Monitor: r.handle})
		p.must(err, "EnumPorts")
		var names []string
		for _, port := range a.GetPorts() {
			p.must(spool.CheckPortName(port.GetName()), "EnumPorts lists a name that no spooler can carry")
			if lists(names, port.GetName()) {
				p.fail("EnumPorts lists %s twice", spool.Quote(port.GetName()))
			}
			names = append(names, port.GetName())
		}
		for _, name := range append(want, before...) {
			if !lists(names, name) {
				p.fail("EnumPorts lists %q; %s is missing", names, spool.Quote(name))
			}
		}
		before = names
	}
	if len(before) != len(want) {
		p.fail("three ports were added, EnumPorts lists %q", before)
	}
}

func checkUnknownPort(p *probe) {
	_, err := p.one().OpenPort(p.call(), "Kit: no such port")
	if code := spoolerr.CodeOf(err); code != spoolerr.CodeUnknownPort {
		p.fail("OpenPort answers error %d (%v)", code, answer(err))
	}
}

func checkSecondOpen(p *probe) {
	i := p.one()
	t := i.port()
	first := i.open(t)
	again, err := i.OpenPort(p.call(), t.name)
	switch {
	case err == nil:
		p.must(again.Close(p.call()), "ClosePort of the second handle")
	case spoolerr.KindOf(err) != spoolerr.Busy:
		p.fail("a second OpenPort answers error %d: %v", spoolerr.CodeOf(err), err)
	}
	p.must(first.print(pattern(1000)), "after a second OpenPort the first handle does not print")
}

func checkReopen(p *probe) {
	i := p.one()
	t := i.port()
	for range 3 {
		port, err := i.OpenPort(p.call(), t.name)
		p.must(err, "OpenPort of a port that was closed")
		p.must((&opened{Port: port, i: i}).print(pattern(1000)), "printing to a port that was opened again")
		p.must(port.Close(p.call()), "ClosePort")
	}
}
