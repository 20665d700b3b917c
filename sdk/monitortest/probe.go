package monitortest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	monitorv2 "github.com/spoolhost/spoolhost/proto/spoolhost/monitor/v2"
	pluginv1 "github.com/spoolhost/spoolhost/proto/spoolhost/plugin/v1"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/registry/registrytest"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire/monitorwire"
)

// check is a rule and how it is checked.
type check struct {
	Rule
	run func(p *probe)
}

// probe is one check under way: a module of its own, and everything that must be given
// back after it.
type probe struct {
	ctx     context.Context
	subject Subject
	opts    Options
	dir     string
	host    *hostServices
	module  *module // the one started last

	mu      sync.Mutex
	cleanup []func()
	number  int // of ports, jobs and whatever else wants one
}

// verdict ends a check from anywhere in it, as testing.T.FailNow ends a test.
type verdict struct {
	outcome Outcome
	detail  string
}

func (c check) check(ctx context.Context, subject Subject, opts Options) (result Result) {
	const mostTime = 3 * time.Minute
	ctx, cancel := context.WithTimeout(ctx, mostTime)
	defer cancel()
	p := &probe{ctx: ctx, subject: subject, opts: opts, host: newHostServices()}
	result = Result{Rule: c.Rule, Outcome: Pass}
	defer p.close()
	defer func() {
		switch v := recover().(type) {
		case nil:
		case verdict:
			result.Outcome, result.Detail = v.outcome, v.detail
			if v.outcome == Fail && p.module != nil {
				result.Output = p.module.out.last()
				result.Detail += p.module.obituary()
			}
		default:
			panic(v)
		}
	}()
	dir, err := os.MkdirTemp("", "kit") // short: sockets lie in it
	p.need(err, "a temporary directory")
	p.dir = dir
	p.after(func() { _ = os.RemoveAll(dir) })
	c.run(p)
	return result
}

func (p *probe) close() {
	for i := len(p.cleanup) - 1; i >= 0; i-- {
		p.cleanup[i]()
	}
}

func (p *probe) after(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cleanup = append(p.cleanup, f)
}

func (p *probe) next() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.number++
	return p.number
}

// fail says that the rule is broken.
func (p *probe) fail(format string, args ...any) {
	panic(verdict{Fail, fmt.Sprintf(format, args...)})
}

// skip says why the rule cannot be checked.
func (p *probe) skip(format string, args ...any) {
	panic(verdict{NotChecked, fmt.Sprintf(format, args...)})
}

// must is for calls that the rule is about.
func (p *probe) must(err error, what string) {
	if err != nil {
		p.fail("%s: %v", what, err)
	}
}

// need is for calls that some other rule is about.
func (p *probe) need(err error, what string) {
	if err != nil {
		p.skip("%s: %v", what, err)
	}
}

// within gives the context of one call.
func (p *probe) within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(p.ctx, d)
	p.after(cancel)
	return ctx
}

func (p *probe) call() context.Context { return p.within(p.opts.Timeout) }

// late says whether a call outlived its deadline. The module has the same deadline, and may
// notice first: then the call has failed, or even succeeded, and ctx has not ended yet. A
// busy machine ends ctx late: the time counts.
func late(ctx context.Context, err error) bool {
	until, bounded := ctx.Deadline()
	over := bounded && !time.Now().Before(until)
	return over || ctx.Err() != nil || spoolerr.KindOf(err) == spoolerr.TimedOut
}

// poll asks until ok or the time is over.
func (p *probe) poll(d time.Duration, ok func() bool) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(d)
	defer limit.Stop()
	for {
		if ok() {
			return true
		}
		select {
		case <-tick.C:
		case <-limit.C:
			return ok()
		case <-p.ctx.Done():
			return false
		}
	}
}

func (p *probe) pause(d time.Duration) { p.poll(d, func() bool { return false }) }

// start starts a module.
func (p *probe) start() (*module, error) {
	m, err := p.subject.start(p.call(), p.host, p.dir)
	if err != nil {
		return nil, err
	}
	p.module = m
	p.after(m.kill)
	return m, nil
}

func (p *probe) describe(m *module) (*pluginv1.DescribeResponse, error) {
	return pluginv1.NewPluginClient(m.conn).Describe(p.call(), &pluginv1.DescribeRequest{})
}

// drained says whether the module ends its open calls within the grace.
func (p *probe) drained(m *module) error {
	_, err := pluginv1.NewPluginClient(m.conn).Drain(p.within(p.opts.Grace), &pluginv1.DrainRequest{})
	return err
}

// instance is an instance of the monitor with its far side.
type instance struct {
	*monitorwire.Monitor
	probe   *probe
	module  *module
	spooler *spooler
}

// initialize makes an instance in m, on a registry of its own or on one it had before.
func (p *probe) initialize(m *module, server string, tree *registrytest.Registry) (*instance, error) {
	token := rand.Text()
	far := p.host.add(token, server, tree)
	mon, err := monitorwire.Initialize(p.call(), m.conn, monitorwire.Init{
		Token: token, Root: far.root, MonitorName: "Kit Port", ServerName: server, Local: server == nodeSpooler,
	})
	return &instance{mon, p, m, far}, err
}

// The names of the spoolers that the kit plays.
const (
	nodeSpooler    = "KITNODE"
	clusterSpooler = "KITCLUSTER"
)

// one starts a module and makes an instance, for rules about something else.
func (p *probe) one() *instance {
	m, err := p.start()
	p.need(err, "the module does not start")
	return p.another(m, nodeSpooler)
}

func (p *probe) another(m *module, server string) *instance {
	i, err := p.initialize(m, server, registrytest.New())
	p.need(err, "InitializePrintMonitor2 fails")
	return i
}

// rawInstance is an instance that is called without the host's own checks.
type rawInstance struct {
	monitorv2.PrintMonitorClient
	handle uint64
	caps   []string
}

func (p *probe) raw(m *module) rawInstance {
	token := rand.Text()
	far := p.host.add(token, nodeSpooler, registrytest.New())
	client := monitorv2.NewPrintMonitorClient(m.conn)
	r, err := client.InitializePrintMonitor2(p.call(), &monitorv2.InitializePrintMonitor2Request{
		Spooler: token, RegistryRoot: far.root, Local: true, ServerName: nodeSpooler, MonitorName: "Kit Port",
	})
	p.need(err, "InitializePrintMonitor2 fails")
	return rawInstance{client, r.GetMonitor(), r.GetCapabilities()}
}

// channel opens a configuration channel to the monitor, as an administrator.
func (r rawInstance) channel(p *probe) uint64 {
	x, err := r.XcvOpenPort(p.call(), &monitorv2.XcvOpenPortRequest{Monitor: r.handle, GrantedAccess: uint32(spool.ServerAccessAdminister)})
	p.need(err, "XcvOpenPort fails")
	return x.GetXcv()
}

// port adds a port.
func (r rawInstance) port(p *probe) testPort {
	t := p.newPort()
	a, err := r.XcvDataPort(p.call(), &monitorv2.XcvDataPortRequest{
		Xcv: r.channel(p), DataName: portconfig.AddPort, Input: p.opts.Encode(t.name, t.settings),
	})
	p.need(err, "a port cannot be added")
	if a.GetStatus() != 0 {
		p.skip("a port cannot be added: %s (error %d)", a.GetMessage(), a.GetStatus())
	}
	return t
}

// testPort is a port that the kit added.
type testPort struct {
	name     string
	settings map[string]string
	device   Device // nil without one
}

// newPort thinks of a port: its name, its settings, and the device behind it.
func (p *probe) newPort() testPort {
	dir, err := os.MkdirTemp(p.dir, "port")
	p.need(err, "a temporary directory")
	vars := map[string]string{"n": strconv.Itoa(p.next()), "dir": dir}
	device, err := p.opts.Device(dir)
	p.need(err, "the device of the kit")
	return p.portTo(device, vars)
}

// portTo is newPort for a device that is there.
func (p *probe) portTo(device Device, vars map[string]string) testPort {
	if device != nil {
		p.after(func() { _ = device.Close() })
		for k, v := range device.Vars() {
			vars[k] = v
		}
	}
	return testPort{expand(p.opts.PortName, vars), p.settings(vars), device}
}

func (p *probe) settings(vars map[string]string) map[string]string {
	settings := make(map[string]string, len(p.opts.Settings))
	for k, v := range p.opts.Settings {
		settings[k] = expand(v, vars)
	}
	return settings
}

func expand(s string, vars map[string]string) string {
	for k, v := range vars {
		s = strings.ReplaceAll(s, "{{"+k+"}}", v)
	}
	return s
}

// xcv carries out one command on a channel to the monitor.
func (i *instance) xcv(granted spool.Access, name string, in []byte) ([]byte, error) {
	x, err := i.XcvOpenPort(i.probe.call(), "", granted)
	if err != nil {
		return nil, err
	}
	out, err := x.Data(i.probe.call(), name, in)
	return out, errors.Join(err, x.Close(i.probe.call()))
}

func (i *instance) addPort(t testPort) error {
	_, err := i.xcv(spool.ServerAccessAdminister, portconfig.AddPort, i.probe.opts.Encode(t.name, t.settings))
	return err
}

func (i *instance) deletePort(t testPort) error {
	_, err := i.xcv(spool.ServerAccessAdminister, portconfig.DeletePort, i.probe.opts.Encode(t.name, nil))
	return err
}

func (i *instance) portNames() ([]string, error) {
	ports, err := i.EnumPorts(i.probe.call())
	var names []string
	for _, p := range ports {
		names = append(names, p.Name)
	}
	return names, err
}

func lists(names []string, name string) bool {
	for _, n := range names {
		if spool.Fold(n) == spool.Fold(name) {
			return true
		}
	}
	return false
}

// port adds a port, for rules about something else.
func (i *instance) port() testPort {
	t := i.probe.newPort()
	i.probe.need(i.addPort(t), "a port cannot be added")
	return t
}

// device is port for rules about what arrives.
func (i *instance) device() testPort {
	t := i.port()
	if t.device == nil {
		i.probe.skip("the kit has no device that this monitor prints to; give a setting with {{sink}} or {{file}}, or a Device")
	}
	return t
}
