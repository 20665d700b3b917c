package monitortest

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	pluginv1 "github.com/spoolhost/spoolhost/proto/spoolhost/plugin/v1"
)

func processChecks() []check {
	return []check{
		{Rule{"resources.memory", "Memory does not grow with the number of documents.", "sdk: runs for months"}, checkMemory},
		{Rule{"resources.descriptors", "Open descriptors do not grow with the number of documents.", "EndDocPort frees what StartDocPort took"}, checkDescriptors},
		{Rule{"resources.threads", "Threads, or goroutines, do not grow with the number of documents.", "EndDocPort frees what StartDocPort took"}, checkThreads},
		{Rule{"process.drain", "Drain returns when no call is open, and the module takes no new ones then.", "spoolhost.plugin.v1 Drain"}, checkDrain},
		{Rule{"process.lifeline", "The module ends with its host: when the lifeline reaches its end of file.", "sdk/wire: SPOOLHOST_LIFELINE_FD"}, checkLifeline},
	}
}

// growth prints documents and says whether a figure goes on growing: what is only warming
// up comes to rest, a leak does not. A round in which it fell says nothing: something older
// was freed in it, and may hide what was taken.
func (p *probe) growth(what string, documents, size, most int, figure func(m *module) (int, error)) {
	i := p.one()
	t := i.port()
	o := i.open(t)
	data := pattern(size)
	round := func() int {
		for range documents {
			p.need(o.print(data), "printing")
			if t.device != nil {
				_, _ = t.device.Take()
			}
		}
		p.empty(t.device)
		n, err := figure(i.module)
		p.need(err, what)
		return n
	}
	const rounds, grows, rests = 30, 6, 3
	var grown []string
	last, calm := round(), 0
	for range rounds {
		now := round()
		switch change := now - last; {
		case change > most:
			calm, grown = 0, append(grown, strconv.Itoa(change))
		case change < -most:
			calm = 0
		default:
			calm++
		}
		if calm == rests {
			return
		}
		if len(grown) == grows {
			p.fail("%s grew with documents of %d bytes, in each round of %d of them, by %s", what, size, documents, strings.Join(grown, ", "))
			return
		}
		last = now
	}
}

// empty waits until no more comes out of the device: what is under way to it is memory that
// comes and goes.
func (p *probe) empty(d Device) {
	if d == nil {
		return
	}
	quiet := 0
	p.poll(p.opts.Timeout, func() bool {
		if data, err := d.Take(); err != nil || len(data) == 0 {
			quiet++
		} else {
			quiet = 0
		}
		return quiet == 3
	})
}

func checkMemory(p *probe) {
	const size = 256 << 10
	documents := max(p.opts.size(100), 20)
	p.growth("memory in bytes", documents, size, documents*size/8*slack, func(m *module) (int, error) {
		if m.pid == 0 {
			runtime.GC()
			runtime.GC() // the second one frees what pools hold
			var s runtime.MemStats
			runtime.ReadMemStats(&s)
			return int(s.HeapAlloc), nil
		}
		pages, err := procField(m.pid, "statm", 1)
		return pages * os.Getpagesize(), err
	})
}

func checkDescriptors(p *probe) {
	p.growth("the number of descriptors", 30, 1000, 10, func(m *module) (int, error) {
		entries, err := os.ReadDir(proc(m.pid, "fd"))
		return len(entries), err
	})
}

func checkThreads(p *probe) {
	p.growth("the number of threads or goroutines", 30, 1000, 10, func(m *module) (int, error) {
		if m.pid == 0 {
			return runtime.NumGoroutine(), nil
		}
		entries, err := os.ReadDir(proc(m.pid, "task"))
		return len(entries), err
	})
}

func proc(pid int, name string) string {
	if pid == 0 {
		return "/proc/self/" + name
	}
	return fmt.Sprintf("/proc/%d/%s", pid, name)
}

func procField(pid int, name string, field int) (int, error) {
	text, err := os.ReadFile(proc(pid, name))
	fields := strings.Fields(string(text))
	if err != nil || len(fields) <= field {
		return 0, fmt.Errorf("%s cannot be read: %w", proc(pid, name), err)
	}
	return strconv.Atoi(fields[field])
}

func checkDrain(p *probe) {
	i := p.one()
	_, err := pluginv1.NewPluginClient(i.module.conn).Drain(p.call(), &pluginv1.DrainRequest{})
	p.must(err, "Drain")
	if _, err := i.portNames(); err == nil {
		p.fail("after Drain EnumPorts is still answered")
	}
}

func checkLifeline(p *probe) {
	if p.subject.inProcess {
		p.skip("the monitor has no process of its own here")
	}
	i := p.one()
	i.module.cut()
	if !p.poll(p.opts.Grace, func() bool {
		select {
		case <-i.module.ended:
			return true
		default:
			return false
		}
	}) {
		p.fail("the process lives on %s after its host's end of the lifeline was closed", p.opts.Grace)
	}
}
