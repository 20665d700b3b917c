package pointprinttest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc"

	driverv1 "github.com/spoolhost/spoolhost/proto/spoolhost/driver/v1"
	hostservicev1 "github.com/spoolhost/spoolhost/proto/spoolhost/hostservice/v1"
	pluginv1 "github.com/spoolhost/spoolhost/proto/spoolhost/plugin/v1"
	pointprintv1 "github.com/spoolhost/spoolhost/proto/spoolhost/pointprint/v1"
	"github.com/spoolhost/spoolhost/sdk/icc/icctest"
	"github.com/spoolhost/spoolhost/sdk/monitortest"
	"github.com/spoolhost/spoolhost/sdk/printerdata"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/registry/registrytest"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
	"github.com/spoolhost/spoolhost/sdk/wire/driverwire"
	"github.com/spoolhost/spoolhost/sdk/wire/pointprintwire"
)

// The kit's printer, as the documentation's example has it.
const (
	server  = "NTPRINT"
	queue   = "HpColor"
	remote  = `\\NTPRINT\HpColor`
	icmKey  = `CopyFiles\ICM`
	profile = "Hpclrlsr.icm"
	source  = `\\NTPRINT\PRINT$\Color`
	target  = "Color"
)

// bench is a module and the host's services before it.
type bench struct {
	hostservicev1.UnimplementedPrinterDataServer
	subject Subject
	opts    Options
	tree    *registrytest.Registry
	module  *monitortest.Module
	own     monitortest.Own
	kind    string
	points  *pointprintwire.Module
	driver  *driverwire.Driver

	mu     sync.Mutex
	live   map[string]bool // tokens of calls under way
	values map[string][]registry.Value
	files  map[string][]byte
	wrong  []string // what a module may not do
	set    []string // KEY\VALUE that it stored
	tokens int
	held   *hold
}

func newBench(s Subject, opts Options) *bench {
	b := &bench{
		subject: s, opts: opts, tree: registrytest.New(), live: make(map[string]bool),
		files: map[string][]byte{profile: icctest.Profile("HP Color LaserJet")},
		values: map[string][]registry.Value{
			icmKey: {
				registry.String(printerdata.Directory, target), registry.Strings(printerdata.Files, profile), registry.String(printerdata.Module, "module.dll"),
			},
			printerdata.DriverData: nil,
		},
	}
	maps.Copy(b.files, opts.Files)
	for _, v := range opts.Values {
		b.store(icmKey, v)
		b.store(printerdata.DriverData, v)
	}
	return b
}

func (b *bench) store(key string, v registry.Value) {
	list := slices.DeleteFunc(b.values[key], func(o registry.Value) bool { return spool.Fold(o.Name) == spool.Fold(v.Name) })
	b.values[key] = append(list, v)
}

// start launches the module and initialises it.
func (b *bench) start(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, b.opts.Timeout)
	defer cancel()
	b.module, b.own, err = b.subject.inner.StartWith(ctx, b.tree.Root(), func(r grpc.ServiceRegistrar) { hostservicev1.RegisterPrinterDataServer(r, b) })
	if err != nil {
		return fmt.Errorf("it does not start: %w", err)
	}
	d, err := pluginv1.NewPluginClient(b.module.Conn).Describe(ctx, &pluginv1.DescribeRequest{})
	if err != nil {
		return fmt.Errorf("its Describe: %w", spoolgrpc.FromStatus(err))
	}
	b.kind = d.GetKind()
	if slices.Contains(d.GetServices(), driverv1.PrinterDriver_ServiceDesc.ServiceName) {
		b.driver, err = driverwire.Initialize(ctx, b.module.Conn, driverwire.Init{Token: b.own.Token, Root: b.own.Root, ModuleName: "under test", ServerName: server})
	} else {
		b.points, err = pointprintwire.Initialize(ctx, b.module.Conn, pointprintwire.Init{Token: b.own.Token, Root: b.own.Root, ModuleName: "under test", ServerName: server})
	}
	if err != nil {
		return fmt.Errorf("its Initialize: %w", err)
	}
	return nil
}

func (b *bench) stop() {
	if b.module != nil {
		b.module.Kill()
	}
}

// raw is the module without an adapter before it.
func (b *bench) raw() pointprintv1.PointAndPrintClient {
	return pointprintv1.NewPointAndPrintClient(b.module.Conn)
}

// during makes a call with a token for the printer that is good as long as it lasts.
func (b *bench) during(ctx context.Context, call func(ctx context.Context, token string) error) error {
	b.mu.Lock()
	b.tokens++
	token := fmt.Sprintf("printer of call %d", b.tokens)
	b.live[token] = true
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.live, token)
	}()
	ctx, cancel := context.WithTimeout(ctx, b.opts.Timeout)
	defer cancel()
	return call(ctx, token)
}

// complaint is what the module did besides the rule at hand that no module may do.
func (b *bench) complaint() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if list := append(slices.Clone(b.wrong), b.own.Strays()...); len(list) > 0 {
		return errors.New(strings.Join(list, "; "))
	}
	return nil
}

// stored takes what the module has stored in the printer's data.
func (b *bench) stored() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.set
	b.set = nil
	return list
}

// enter checks the token of a host service; the mutex is held when it returns without error.
func (b *bench) enter(ctx context.Context, call, token string) error {
	if err := b.wait(ctx); err != nil {
		return err
	}
	b.mu.Lock()
	if b.live[token] {
		return nil
	}
	defer b.mu.Unlock()
	b.wrong = append(b.wrong, call+" with a printer that was not, or is no longer, the one of a call")
	return spoolgrpc.ToStatus(spoolerr.New(spoolerr.BadHandle, 0, "the printer handle is not valid"))
}

func missing(what string) error {
	return spoolgrpc.ToStatus(spoolerr.New(spoolerr.NotFound, spoolerr.CodeFileNotFound, "the printer has no %s", what))
}

// GetPrinterDataEx implements hostservicev1.PrinterDataServer.
func (b *bench) GetPrinterDataEx(ctx context.Context, r *hostservicev1.GetPrinterDataExRequest) (*hostservicev1.GetPrinterDataExResponse, error) {
	if err := b.enter(ctx, "GetPrinterDataEx", r.GetPrinter()); err != nil {
		return nil, err
	}
	defer b.mu.Unlock()
	for key, list := range b.values {
		for _, v := range list {
			if spool.Fold(key) == spool.Fold(r.GetKey()) && spool.Fold(v.Name) == spool.Fold(r.GetValue()) {
				return &hostservicev1.GetPrinterDataExResponse{Value: toProto(v)}, nil
			}
		}
	}
	return nil, missing("value " + r.GetValue())
}

func toProto(v registry.Value) *hostservicev1.Value {
	return &hostservicev1.Value{Name: v.Name, Type: uint32(v.Type), Data: v.Data}
}

// EnumPrinterDataEx implements hostservicev1.PrinterDataServer.
func (b *bench) EnumPrinterDataEx(ctx context.Context, r *hostservicev1.EnumPrinterDataExRequest) (*hostservicev1.EnumPrinterDataExResponse, error) {
	if err := b.enter(ctx, "EnumPrinterDataEx", r.GetPrinter()); err != nil {
		return nil, err
	}
	defer b.mu.Unlock()
	for key, list := range b.values {
		if spool.Fold(key) == spool.Fold(r.GetKey()) {
			resp := &hostservicev1.EnumPrinterDataExResponse{}
			for _, v := range list {
				resp.Values = append(resp.Values, toProto(v))
			}
			return resp, nil
		}
	}
	return nil, missing("key " + r.GetKey())
}

// SetPrinterDataEx implements hostservicev1.PrinterDataServer.
func (b *bench) SetPrinterDataEx(ctx context.Context, r *hostservicev1.SetPrinterDataExRequest) (*hostservicev1.SetPrinterDataExResponse, error) {
	if err := b.enter(ctx, "SetPrinterDataEx", r.GetPrinter()); err != nil {
		return nil, err
	}
	defer b.mu.Unlock()
	top, _, _ := strings.Cut(spool.Fold(r.GetKey()), `\`)
	if top == "" || top == spool.Fold(printerdata.CopyFiles) || strings.HasPrefix(top, "ds") {
		b.wrong = append(b.wrong, "SetPrinterDataEx of key "+spool.Quote(r.GetKey())+", which is not for modules to change")
		return nil, spoolgrpc.ToStatus(spoolerr.New(spoolerr.Denied, 0, "key %s is not for modules", spool.Quote(r.GetKey())))
	}
	v := r.GetValue()
	b.set = append(b.set, r.GetKey()+`\`+v.GetName())
	b.store(r.GetKey(), registry.Value{Name: v.GetName(), Type: registry.Type(v.GetType()), Data: v.GetData()})
	return &hostservicev1.SetPrinterDataExResponse{}, nil
}

// StatFile implements hostservicev1.PrinterDataServer.
func (b *bench) StatFile(ctx context.Context, r *hostservicev1.StatFileRequest) (*hostservicev1.StatFileResponse, error) {
	if err := b.enter(ctx, "StatFile", r.GetPrinter()); err != nil {
		return nil, err
	}
	defer b.mu.Unlock()
	data, ok := b.files[r.GetName()]
	if !ok {
		return nil, missing("file " + r.GetName())
	}
	return &hostservicev1.StatFileResponse{Size: int64(len(data))}, nil
}

// ReadFile implements hostservicev1.PrinterDataServer.
func (b *bench) ReadFile(ctx context.Context, r *hostservicev1.ReadFileRequest) (*hostservicev1.ReadFileResponse, error) {
	if err := b.enter(ctx, "ReadFile", r.GetPrinter()); err != nil {
		return nil, err
	}
	defer b.mu.Unlock()
	data, ok := b.files[r.GetName()]
	if !ok {
		return nil, missing("file " + r.GetName())
	}
	from := min(max(r.GetOffset(), 0), int64(len(data)))
	return &hostservicev1.ReadFileResponse{Data: data[from:min(from+int64(r.GetLength()), int64(len(data)))]}, nil
}
