package monitortest

import (
	"bytes"
	"slices"
	"strings"

	monitorv2 "github.com/spoolhost/spoolhost/proto/spoolhost/monitor/v2"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func xcvChecks() []check {
	return []check{
		{Rule{"xcv.add-port", "AddPort makes a port: EnumPorts lists it and OpenPort opens it.", "XcvDataPort: AddPort"}, checkAddPort},
		{Rule{"xcv.delete-port", "DeletePort ends a port: EnumPorts no longer lists it and OpenPort refuses it.", "XcvDataPort: DeletePort"}, checkDeletePort},
		{Rule{"xcv.duplicate", "AddPort of a port that exists is refused, and leaves the port as it was.", "XcvDataPort: AddPort, ERROR_ALREADY_EXISTS"}, checkDuplicate},
		{Rule{"xcv.access", "Without SERVER_ACCESS_ADMINISTER, AddPort and DeletePort answer ERROR_ACCESS_DENIED (5) and do nothing.", "XcvOpenPort: GrantedAccess"}, checkAccess},
		{Rule{"xcv.unknown", "A data name that the monitor does not know answers ERROR_INVALID_PARAMETER (87).", "XcvDataPort"}, checkUnknownName},
		{Rule{"xcv.malformed", "AddPort refuses input that is malformed, and survives it.", "XcvDataPort: the monitor validates its input"}, checkMalformed},
		{Rule{"xcv.buffer", "An output buffer that is too small answers ERROR_INSUFFICIENT_BUFFER (122) and the size that is needed.", "XcvDataPort: pcbOutputNeeded"}, checkBuffer},
		{Rule{"xcv.monitor-ui", "MonitorUI answers the plain name of a UI module, not a path.", "XcvDataPort: MonitorUI"}, checkMonitorUI},
	}
}

func checkAddPort(p *probe) {
	i := p.one()
	t := p.newPort()
	p.must(i.addPort(t), "AddPort")
	names, err := i.portNames()
	p.must(err, "EnumPorts")
	if !lists(names, t.name) {
		p.fail("after AddPort of %s EnumPorts lists %q", spool.Quote(t.name), names)
	}
	port, err := i.OpenPort(p.call(), t.name)
	p.must(err, "OpenPort of the port added")
	p.must(port.Close(p.call()), "ClosePort")
}

func checkDeletePort(p *probe) {
	i := p.one()
	t, other := i.port(), i.port()
	p.must(i.deletePort(t), "DeletePort")
	names, err := i.portNames()
	p.must(err, "EnumPorts")
	switch {
	case lists(names, t.name):
		p.fail("after DeletePort of %s EnumPorts lists it still", spool.Quote(t.name))
	case !lists(names, other.name):
		p.fail("DeletePort of %s has removed %s", spool.Quote(t.name), spool.Quote(other.name))
	}
	if _, err := i.OpenPort(p.call(), t.name); err == nil {
		p.fail("a port that was deleted can be opened")
	}
}

func checkDuplicate(p *probe) {
	i := p.one()
	t := i.port()
	again := p.newPort()
	again.name = t.name
	if err := i.addPort(again); err == nil {
		p.fail("a second AddPort of %s succeeds", spool.Quote(t.name))
	}
	names, err := i.portNames()
	p.must(err, "EnumPorts")
	if n := len(names); n != 1 {
		p.fail("EnumPorts lists %d ports: %q", n, names)
	}
	if t.device != nil && t.device != again.device {
		o := i.open(t)
		data := pattern(1000)
		p.must(o.print(data), "printing to the port afterwards")
		p.must(p.arrives(t.device, data), "the port is not what it was")
	}
}

func checkAccess(p *probe) {
	i := p.one()
	const granted = spool.ServerAccessEnumerate | spool.PrinterAccessUse
	t := p.newPort()
	_, err := i.xcv(granted, portconfig.AddPort, p.opts.Encode(t.name, t.settings))
	p.denied("AddPort", err)
	names, err := i.portNames()
	p.must(err, "EnumPorts")
	if lists(names, t.name) {
		p.fail("AddPort answers ERROR_ACCESS_DENIED, but has added the port")
	}
	p.need(i.addPort(t), "a port cannot be added")
	_, err = i.xcv(granted, portconfig.DeletePort, p.opts.Encode(t.name, nil))
	p.denied("DeletePort", err)
	if names, err = i.portNames(); err != nil || !lists(names, t.name) {
		p.fail("DeletePort answers ERROR_ACCESS_DENIED, but has deleted the port")
	}
}

func (p *probe) denied(name string, err error) {
	switch {
	case err == nil:
		p.fail("%s succeeds without SERVER_ACCESS_ADMINISTER", name)
	case spoolerr.CodeOf(err) != spoolerr.CodeAccessDenied:
		p.fail("%s without SERVER_ACCESS_ADMINISTER answers error %d: %v", name, spoolerr.CodeOf(err), err)
	}
}

func checkUnknownName(p *probe) {
	_, err := p.one().xcv(spool.ServerAccessAdminister, "KitNoSuchName", []byte("x"))
	if code := spoolerr.CodeOf(err); code != spoolerr.CodeInvalidParameter {
		p.fail("the data name KitNoSuchName answers error %d (%v)", code, answer(err))
	}
}

func checkMalformed(p *probe) {
	i := p.one()
	valid := p.newPort()
	long := strings.Repeat("x", 300)
	inputs := map[string][]byte{
		"nothing": nil, "one byte": {1}, "an opening brace": []byte("{"), "an odd number of bytes": {'a', 0, 'b'},
		"UTF-16 without its NUL":    {'a', 0, 'b', 0},
		"half of a good input":      p.opts.Encode(valid.name, valid.settings)[:5],
		"a name of 300 characters":  p.opts.Encode(long, valid.settings),
		"an empty name":             p.opts.Encode("", valid.settings),
		"a name with a line end":    p.opts.Encode("a\nb", valid.settings),
		"a hundred thousand braces": bytes.Repeat([]byte("{"), 100_000),
		"bytes that are no text":    {0xff, 0xfe, 0xfd, 0xfc},
	}
	for what, in := range inputs {
		if _, err := i.xcv(spool.ServerAccessAdminister, portconfig.AddPort, in); err == nil {
			p.fail("AddPort accepts %s", what)
		}
	}
	names, err := i.portNames()
	p.must(err, "EnumPorts afterwards")
	if len(names) > 0 {
		p.fail("after malformed AddPorts EnumPorts lists %q", names)
	}
}

func checkBuffer(p *probe) {
	r := p.raw(p.started())
	t := r.port(p)
	x := r.channel(p)
	ask := func(name string, in []byte, room int) *monitorv2.XcvDataPortResponse {
		a, err := r.XcvDataPort(p.call(), &monitorv2.XcvDataPortRequest{Xcv: x, DataName: name, Input: in, OutputSize: uint32(room)})
		p.must(err, "XcvDataPort "+name)
		return a
	}
	checked := 0
	for name, in := range map[string][]byte{portconfig.MonitorUI: nil, portconfig.GetConfigInfo: p.opts.Encode(t.name, nil)} {
		whole := ask(name, in, 1<<20)
		size := len(whole.GetOutput())
		if whole.GetStatus() != 0 || size == 0 {
			continue
		}
		checked++
		for _, room := range []int{0, size - 1} {
			a := ask(name, in, room)
			if a.GetStatus() != uint32(spoolerr.CodeInsufficientBuffer) || a.GetOutputNeeded() != uint32(size) || len(a.GetOutput()) > room {
				p.fail("%s, whose output has %d bytes, answers a buffer of %d with status %d, needed %d, and %d bytes",
					name, size, room, a.GetStatus(), a.GetOutputNeeded(), len(a.GetOutput()))
			}
		}
		if a := ask(name, in, size); a.GetStatus() != 0 || len(a.GetOutput()) != size {
			p.fail("%s answers a buffer of exactly its %d bytes with status %d and %d bytes", name, size, a.GetStatus(), len(a.GetOutput()))
		}
	}
	if checked == 0 {
		p.skip("the monitor answers neither MonitorUI nor GetConfigInfo")
	}
}

func checkMonitorUI(p *probe) {
	out, err := p.one().xcv(spool.ServerAccessAdminister, portconfig.MonitorUI, nil)
	if err != nil {
		p.skip("the monitor names no UI module: %v", err)
	}
	name, err := portconfig.DecodeText(out)
	p.must(err, "the answer is not one NUL-terminated UTF-16 string")
	if spool.CheckName("module", name) != nil || slices.Contains([]string{".", ".."}, name) || strings.Contains(name, ":") {
		p.fail("the answer %s is not a plain name", spool.Quote(name))
	}
}
