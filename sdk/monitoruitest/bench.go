package monitoruitest

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"

	"google.golang.org/grpc"

	hostservicev1 "github.com/spoolhost/spoolhost/proto/spoolhost/hostservice/v1"
	pluginv1 "github.com/spoolhost/spoolhost/proto/spoolhost/plugin/v1"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/monitortest"
	"github.com/spoolhost/spoolhost/sdk/monitorui/form"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/registry/registrytest"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
	"github.com/spoolhost/spoolhost/sdk/wire/monitoruiwire"
)

const (
	monitorName = "Monitor under test"
	serverName  = "KIT"
	token       = "the dialogue's token"
)

// bench is a server module and the host's services before it.
type bench struct {
	hostservicev1.UnimplementedXcvServer
	subject Subject
	opts    Options
	tree    *registrytest.Registry
	server  monitor.Monitor
	said    []string // what the UI wrote last

	mu      sync.Mutex
	object  string
	granted spool.Access
	calls   []string // data names, in order
	strange []string // calls of services that a UI has no business with
	// refuse, if not nil, answers in place of the server module.
	refuse func(name string) error
}

// open makes a server module, in the place of an earlier one.
func (b *bench) open(ctx context.Context) (err error) {
	b.close()
	b.tree = registrytest.New()
	ctx, cancel := context.WithTimeout(ctx, b.opts.Timeout)
	defer cancel()
	b.server, err = b.opts.Monitor(ctx, monitor.Init{
		MonitorName: monitorName, ServerName: serverName, Local: true, Registry: b.tree.Root(), Spooler: deaf{},
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	return err
}

func (b *bench) close() {
	if b.server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), b.opts.Timeout)
	defer cancel()
	_ = b.server.Shutdown(ctx)
	b.server = nil
}

// deaf is a spooler that nobody reports to.
type deaf struct{}

func (deaf) SetJob(context.Context, uint64, spool.JobControl) error  { return nil }
func (deaf) SetPort(context.Context, string, spool.PortStatus) error { return nil }

// services is what the host serves to a UI.
func (b *bench) services() *grpc.Server {
	s := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		method, _ := grpc.MethodFromServerStream(stream)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.strange = append(b.strange, method)
		return spoolgrpc.ToStatus(spoolerr.New(spoolerr.Unsupported, 0, "a UI has no %s", method))
	}))
	hostservicev1.RegisterXcvServer(s, b)
	return s
}

// XcvData takes the UI to its server module.
func (b *bench) XcvData(ctx context.Context, r *hostservicev1.XcvDataRequest) (*hostservicev1.XcvDataResponse, error) {
	b.mu.Lock()
	object, granted, refuse := b.object, b.granted, b.refuse
	b.calls = append(b.calls, r.GetDataName())
	if r.GetToken() != token {
		b.strange = append(b.strange, "XcvData with another token")
	}
	b.mu.Unlock()
	if refuse != nil {
		if err := refuse(r.GetDataName()); err != nil {
			return nil, spoolgrpc.ToStatus(err)
		}
	}
	x, err := b.server.XcvOpenPort(ctx, object, granted)
	if err != nil {
		return nil, spoolgrpc.ToStatus(err)
	}
	out, err := x.Data(ctx, r.GetDataName(), r.GetInput())
	_ = x.Close(ctx)
	return &hostservicev1.XcvDataResponse{Output: out}, spoolgrpc.ToStatus(err)
}

// heard gives the data names of the last dialogue.
func (b *bench) heard() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.calls...)
}

// state is all that the server module has stored.
func (b *bench) state(ctx context.Context) string {
	var out strings.Builder
	dump(ctx, &out, b.tree.Root(), "")
	return out.String()
}

func dump(ctx context.Context, out *strings.Builder, k registry.Key, path string) {
	for v := range registry.Values(ctx, k) {
		fmt.Fprintf(out, "%s%s %v %x\n", path, v.Name, v.Type, v.Data)
	}
	for info := range registry.Keys(ctx, k) {
		sub, err := k.OpenKey(ctx, info.Name)
		if err != nil {
			continue
		}
		fmt.Fprintf(out, "%s%s\n", path, info.Name)
		dump(ctx, out, sub, path+info.Name+`\`)
		_ = sub.CloseKey(ctx)
	}
}

// ports lists the ports of the server module.
func (b *bench) ports(ctx context.Context) (names []string) {
	infos, _ := b.server.EnumPorts(ctx)
	for _, info := range infos {
		names = append(names, info.Name)
	}
	return names
}

// hold holds one dialogue with the UI, in a process of its own if it has one.
func (b *bench) hold(ctx context.Context, op monitoruiwire.Operation, port string, granted spool.Access, p *person) (string, error) {
	b.mu.Lock()
	b.object, b.granted, b.calls = port, granted, nil
	b.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, b.opts.Timeout)
	defer cancel()
	m, err := b.subject.inner.Start(ctx, b.services)
	if err != nil {
		return "", fmt.Errorf("it does not start: %w", err)
	}
	defer m.Kill()
	person, leave := context.WithCancel(ctx)
	defer leave()
	p.leave = leave
	added, err := monitoruiwire.Hold(person, m.Conn, monitoruiwire.Begin{
		Token: token, Operation: op, Port: port, MonitorName: monitorName, ServerName: serverName,
	}, p)
	p.returned = b.settled(ctx, m)
	b.said = m.Output()
	return added, err
}

// settled says whether the UI has left the dialogue, within the grace.
func (b *bench) settled(ctx context.Context, m *monitortest.Module) error {
	ctx, cancel := context.WithTimeout(ctx, b.opts.Grace)
	defer cancel()
	_, err := pluginv1.NewPluginClient(m.Conn).Drain(ctx, &pluginv1.DrainRequest{})
	return spoolgrpc.FromStatus(err)
}

// person answers by the options.
type person struct {
	answers map[string]string
	// cancelAt and leaveAt are the page, from 1, at which the person gives up, or is gone.
	cancelAt, leaveAt int
	secret            string // the answer to secrets, if not empty

	leave    func()
	returned error // of the UI, after the dialogue
	pages    []form.Page
	told     []string
	before   func(page form.Page) // sees each page first
}

// Ask implements monitoruiwire.Person.
func (p *person) Ask(ctx context.Context, page form.Page) (form.Answers, error) {
	p.pages = append(p.pages, page)
	if p.before != nil {
		p.before(page)
	}
	switch n := len(p.pages); {
	case n == p.cancelAt:
		return nil, spoolerr.New(spoolerr.Cancelled, 0, "the person gave up")
	case n == p.leaveAt:
		p.leave()
		return nil, ctx.Err()
	case n > 50:
		return nil, spoolerr.New(spoolerr.Cancelled, 0, "the dialogue does not end")
	}
	answers := page.Defaults()
	for _, f := range page.Fields {
		given, ok := p.answers[f.Name]
		switch {
		case ok:
			answers[f.Name] = form.Answer{Value: given}
		case f.Type == form.Check && f.Required:
			answers[f.Name] = form.Answer{Value: "true"}
		case f.Type == form.Secret && p.secret != "":
			answers[f.Name] = form.Answer{Value: p.secret}
		}
	}
	if judged, _, ok := page.Judge(answers); !ok {
		return nil, fmt.Errorf("page %q: the answers given to the kit do not fit it: %s", page.Title, complaints(judged))
	}
	return answers, nil
}

// complaints says what is wrong with the answers to a page.
func complaints(judged form.Page) string {
	var list []string
	if judged.Problem != "" {
		list = append(list, judged.Problem)
	}
	for _, f := range judged.Fields {
		if f.Problem != "" {
			list = append(list, f.Name+": "+f.Problem)
		}
	}
	return strings.Join(list, "; ")
}

// Tell implements monitoruiwire.Person.
func (p *person) Tell(_ context.Context, n monitoruiwire.Notice) error {
	p.told = append(p.told, n.Text)
	return nil
}
