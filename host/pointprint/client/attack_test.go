package client

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/job"
	"github.com/spoolhost/spoolhost/host/pointprint/confine"
	"github.com/spoolhost/spoolhost/host/pointprint/digest"
	hostregistry "github.com/spoolhost/spoolhost/host/registry"
	"github.com/spoolhost/spoolhost/host/store"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/driver"
	"github.com/spoolhost/spoolhost/sdk/icc/icctest"
	"github.com/spoolhost/spoolhost/sdk/pointprint"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// evil is a print server that says what a test tells it to.
type evil struct {
	apiv1.UnimplementedPrintersServer
	apiv1.UnimplementedPrinterDataServer
	apiv1.UnimplementedDriversServer
	apiv1.UnimplementedShareServer
	jobs farJobs

	keys    map[string][]string // subkeys by key
	values  []registry.Value    // of CopyFiles\ICM
	key     string              // in the place of ICM
	file    []byte
	digest  string // announced; of file if it is empty
	size    int64  // announced; of file if it is 0
	sent    []byte // in the place of file
	endless bool
	driver  *apiv1.DriverInfo
	changes bool // its ChangeID is another one each time
	stale   bool // its values come with another ChangeID than its keys, as those of another time do
	// reading sends a file in the place of file.
	reading func(r *apiv1.ReadFileRequest, s grpc.ServerStreamingServer[apiv1.ReadFileResponse]) error
	second  atomic.Pointer[[]byte] // if it is set, file is this, and the ChangeID 2
	asked   atomic.Uint32
	reads   atomic.Int64 // calls of ReadFile
}

func (e *evil) changeID() uint32 {
	switch {
	case e.changes:
		return e.asked.Add(1)
	case e.second.Load() != nil:
		return 2
	}
	return 1
}

func (e *evil) content() []byte {
	if second := e.second.Load(); second != nil {
		return *second
	}
	return e.file
}

func (e *evil) GetPrinter(context.Context, *apiv1.GetPrinterRequest) (*apiv1.GetPrinterResponse, error) {
	return &apiv1.GetPrinterResponse{Printer: &apiv1.Printer{Name: "q"}}, nil
}

func (e *evil) GetPrinterDriver(context.Context, *apiv1.GetPrinterDriverRequest) (*apiv1.GetPrinterDriverResponse, error) {
	if e.driver == nil {
		return nil, spoolgrpc.ToStatus(spoolerr.New(spoolerr.NotFound, spoolerr.CodeUnknownPrinterDriver, "none"))
	}
	return &apiv1.GetPrinterDriverResponse{Driver: e.driver}, nil
}

func (e *evil) EnumPrinterKey(_ context.Context, r *apiv1.EnumPrinterKeyRequest) (*apiv1.EnumPrinterKeyResponse, error) {
	keys := e.keys
	if keys == nil {
		keys = map[string][]string{"": {copyFiles}, copyFiles: {e.key}}
	}
	return &apiv1.EnumPrinterKeyResponse{Keys: keys[r.GetKey()], ChangeId: e.changeID()}, nil
}

func (e *evil) EnumPrinterDataEx(_ context.Context, r *apiv1.EnumPrinterDataExRequest) (*apiv1.EnumPrinterDataExResponse, error) {
	a := &apiv1.EnumPrinterDataExResponse{ChangeId: e.changeID()}
	if e.stale {
		a.ChangeId += 1000
	}
	if r.GetKey() == copyFiles+`\`+e.key {
		for _, v := range e.values {
			a.Values = append(a.Values, &apiv1.RegistryValue{Name: v.Name, Type: v.Type.String(), Data: v.Data})
		}
	}
	return a, nil
}

func (e *evil) StatFiles(_ context.Context, r *apiv1.StatFilesRequest) (*apiv1.StatFilesResponse, error) {
	f := &apiv1.ShareFile{Size: int64(len(e.content())), Digest: digest.Of(e.content())}
	if e.digest != "" {
		f.Digest = e.digest
	}
	if e.size != 0 {
		f.Size = e.size
	}
	a := &apiv1.StatFilesResponse{}
	for range r.GetPaths() {
		a.Results = append(a.Results, &apiv1.StatFileResult{File: f})
	}
	return a, nil
}

func (e *evil) ReadFile(r *apiv1.ReadFileRequest, s grpc.ServerStreamingServer[apiv1.ReadFileResponse]) error {
	e.reads.Add(1)
	if e.reading != nil {
		return e.reading(r, s)
	}
	data := e.content()
	if e.sent != nil {
		data = e.sent
	}
	err := s.Send(&apiv1.ReadFileResponse{Data: data[min(r.GetOffset(), int64(len(data))):]})
	for e.endless && err == nil {
		err = s.Send(&apiv1.ReadFileResponse{Data: make([]byte, 64<<10)})
	}
	return err
}

// fakeModules are the modules that are installed: mscms, which rewrites as it is told.
type fakeModules struct {
	dirs  *pointprint.Dirs
	calls []string
}

func (m *fakeModules) GenerateCopyFilePaths(_ context.Context, module string, c pointprint.CopyFilePaths) (pointprint.Dirs, error) {
	m.calls = append(m.calls, module)
	if module != "mscms" {
		return c.Dirs, spoolerr.New(spoolerr.NotFound, spoolerr.CodeModNotFound, "module %s is not installed", module)
	}
	if m.dirs != nil {
		return *m.dirs, nil
	}
	return c.Dirs, nil
}

func (m *fakeModules) SpoolerCopyFileEvent(context.Context, string, pointprint.CopyFileEvent) error {
	return nil
}
func (m *fakeModules) DrvPrinterEvent(context.Context, string, driver.PrinterEvent) error { return nil }

type fakePrinters struct{}

func (fakePrinters) Connect(context.Context, string) error    { return nil }
func (fakePrinters) Disconnect(context.Context, string) error { return nil }

type noJobs struct{ Jobs }

func (noJobs) Away(context.Context) ([]*job.Job, error) { return nil, nil }

// attack is a client before an evil server.
type attack struct {
	t       *testing.T
	server  *evil
	modules *fakeModules
	client  *Client
	base    string // everything of the client; drivers below it
	address string
}

func newAttack(t *testing.T, policy confine.Policy) *attack {
	t.Helper()
	profile := icctest.Profile("a profile")
	a := &attack{t: t, base: t.TempDir(), modules: &fakeModules{}, server: &evil{key: "ICM", file: profile}}
	a.server.values = icm("Color", `\\S\PRINT$\Color`, "Color", "mscms.dll", "a.icm")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	apiv1.RegisterPrintersServer(s, a.server)
	apiv1.RegisterPrinterDataServer(s, a.server)
	apiv1.RegisterDriversServer(s, a.server)
	apiv1.RegisterShareServer(s, a.server)
	apiv1.RegisterJobsServer(s, &a.server.jobs)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	a.address = l.Addr().String()
	a.open(policy)
	return a
}

func (a *attack) open(policy confine.Policy) {
	t := a.t
	db, err := store.OpenBolt(filepath.Join(t.TempDir(), "db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	events, err := eventlog.Open(filepath.Join(t.TempDir(), "events"), eventlog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	tree, err := confine.OpenTree(filepath.Join(a.base, "drivers"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _, _ = tree.Close(), events.Close(), db.Close() })
	a.client, err = New(t.Context(), Config{
		Spooler: "node", Hive: hostregistry.New(db, hostregistry.Options{}).Hive("node"), Modules: a.modules, Printers: fakePrinters{}, Jobs: noJobs{}, Tree: tree, Poll: 100 * time.Millisecond,
		Policy: Policy{CopyFiles: policy}, Call: 20 * time.Second, Events: events, Logger: hclog.NewNullLogger(),
		Dial: func(_ context.Context, address string, _ Known) (Link, string, error) {
			conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
			return conn, "", err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func icm(directory, source, target, module string, files ...string) []registry.Value {
	return []registry.Value{
		registry.String("Directory", directory), registry.String("SourceDir", source), registry.String("TargetDir", target),
		registry.String("Module", module), registry.Strings("Files", files...),
	}
}

// add makes the connection; the outcome is why it, or its only component, was refused.
func (a *attack) add() string {
	con, _, err := a.client.Add(a.t.Context(), Name{Server: "S", Printer: "q"}, []string{a.address}, nil)
	if err != nil {
		return err.Error()
	}
	refused := ""
	for _, part := range con.Components {
		refused += part.Refused
	}
	return refused
}

// files gives all files below the client's directory, whatever wrote them.
func (a *attack) files() (list []string) {
	_ = filepath.WalkDir(a.base, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && !strings.HasPrefix(e.Name(), ".part-") {
			list = append(list, path)
		}
		return nil
	})
	return list
}

func TestAHarmlessServer(t *testing.T) {
	a := newAttack(t, confine.Color)
	if why := a.add(); why != "" {
		t.Fatal(why)
	}
	if files := a.files(); len(files) != 1 || files[0] != filepath.Join(a.base, "drivers", "Color", "a.icm") {
		t.Errorf("%v", files)
	}
}

// attacks are what a server or a module does to have something written or run.
func attacks() map[string]func(a *attack) {
	const share = `\\S\PRINT$\`
	zeros := strings.Repeat("00", 32)
	return map[string]func(a *attack){
		"file below":           func(a *attack) { a.server.values = icm("Color", share+"Color", "Color", "mscms.dll", `..\..\x.icm`) },
		"file absolute":        func(a *attack) { a.server.values = icm("Color", share+"Color", "Color", "mscms.dll", "/etc/cron.d/x") },
		"file UNC":             func(a *attack) { a.server.values = icm("Color", share+"Color", "Color", "mscms.dll", `\\evil\s\x`) },
		"file device":          func(a *attack) { a.server.values = icm("Color", share+"Color", "Color", "mscms.dll", "NUL.icm") },
		"file stream":          func(a *attack) { a.server.values = icm("Color", share+"Color", "Color", "mscms.dll", "a.icm:x") },
		"file twice":           func(a *attack) { a.server.values = icm("Color", share+"Color", "Color", "mscms.dll", "a.icm", "A.ICM") },
		"source elsewhere":     func(a *attack) { a.server.values = icm("Color", `\\evil\PRINT$\Color`, "Color", "mscms.dll", "a.icm") },
		"source up":            func(a *attack) { a.server.values = icm("Color", share+`Color\..\..`, "Color", "mscms.dll", "a.icm") },
		"target up":            func(a *attack) { a.server.values = icm("Color", share+"Color", `..\..\Color`, "mscms.dll", "a.icm") },
		"target absolute":      func(a *attack) { a.server.values = icm("Color", share+"Color", "/tmp", "mscms.dll", "a.icm") },
		"target of drivers":    func(a *attack) { a.server.values = icm("Color", share+"Color", `x64\3`, "mscms.dll", "a.icm") },
		"directory of drivers": func(a *attack) { a.server.values = icm(`x64\3`, share+`x64\3`, `x64\3`, "mscms.dll", "a.icm") },
		"module by path":       func(a *attack) { a.server.values = icm("Color", share+"Color", "Color", `C:\x\mscms.dll`, "a.icm") },
		"another module":       func(a *attack) { a.server.values = icm("Color", share+"Color", "Color", "mimispool.dll", "a.icm") },
		"another key":          func(a *attack) { a.server.key = "Payload" },
		"no files":             func(a *attack) { a.server.values = a.server.values[:4] },
		"module target up": func(a *attack) {
			a.modules.dirs = &pointprint.Dirs{SourceDir: share + "Color", TargetDir: a.base + "/drivers/../x"}
		},
		"module target out": func(a *attack) { a.modules.dirs = &pointprint.Dirs{SourceDir: share + "Color", TargetDir: a.base} },
		"module target moved": func(a *attack) {
			a.modules.dirs = &pointprint.Dirs{SourceDir: share + "Color", TargetDir: a.base + "/drivers/x64"}
		},
		"module source out": func(a *attack) {
			a.modules.dirs = &pointprint.Dirs{SourceDir: `\\evil\PRINT$\Color`, TargetDir: a.base + "/drivers/Color"}
		},
		"ELF":               func(a *attack) { a.server.file = []byte("\x7fELF" + strings.Repeat("x", 500)) },
		"DLL":               func(a *attack) { a.server.file = []byte("MZ" + strings.Repeat("x", 500)) },
		"script":            func(a *attack) { a.server.file = []byte("#!/bin/sh\ntouch /tmp/x\n") },
		"forged digest":     func(a *attack) { a.server.digest = zeros },
		"SHA-256":           func(a *attack) { a.server.digest = fmt.Sprintf("%x", sha256.Sum256(a.server.file)) },
		"loud digest":       func(a *attack) { a.server.digest = strings.ToUpper(digest.Of(a.server.file)) },
		"other tail":        func(a *attack) { a.server.reading = cutOnce(a.server.file, icctest.Profile("b profile")) },
		"data that changes": func(a *attack) { a.server.changes = true },
		"old enumeration":   func(a *attack) { a.server.stale = true },
		"no digest":         func(a *attack) { a.server.digest = "../../x" },
		"other content":     func(a *attack) { a.server.sent = icctest.Profile("b profile") },
		"truncated":         func(a *attack) { a.server.sent = a.server.file[:50] },
		"endless":           func(a *attack) { a.server.endless = true },
		"enormous":          func(a *attack) { a.server.size = 1 << 50 },
		"negative":          func(a *attack) { a.server.size = -1 },
		"100,000 subkeys": func(a *attack) {
			var names []string
			for i := range 100_000 {
				names = append(names, fmt.Sprint("k", i))
			}
			a.server.keys = map[string][]string{"": {copyFiles}, copyFiles: names}
		},
		"key up": func(a *attack) { a.server.keys = map[string][]string{"": {`..\..\Printers`}} },
		"driver up": func(a *attack) {
			a.server.driver = &apiv1.DriverInfo{Name: "d", Files: []*apiv1.ShareFile{{Path: `x64\..\..\..\x`}}}
		},
		"driver root": func(a *attack) {
			a.server.driver = &apiv1.DriverInfo{Name: "d", Files: []*apiv1.ShareFile{{Path: "x"}}}
		},
		"driver path":  func(a *attack) { a.server.driver = &apiv1.DriverInfo{Name: "d", Module: "/bin/sh"} },
		"link planted": func(a *attack) { _ = os.Symlink(a.t.TempDir(), filepath.Join(a.base, "drivers", "Color")) },
	}
}

// TestAttacks: nothing is written, whatever server and module say, and no module but the
// installed one is asked.
func TestAttacks(t *testing.T) {
	for name, set := range attacks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAttack(t, confine.Color)
			set(a)
			before := len(a.files())
			if why := a.add(); why == "" {
				t.Error("it was accepted")
			} else {
				t.Log(why)
			}
			if files := a.files(); len(files) != before {
				t.Errorf("written: %v", files)
			}
			for _, module := range a.modules.calls {
				if module != "mscms" {
					t.Errorf("module %q was asked", module)
				}
			}
		})
	}
}

// TestAnotherServerDoesNotReplaceAFile: a replay of a name by another server changes nothing.
func TestAnotherServerDoesNotReplaceAFile(t *testing.T) {
	a := newAttack(t, confine.Color)
	if why := a.add(); why != "" {
		t.Fatal(why)
	}
	first := a.server.file
	a.server.file = icctest.Profile("from another server")
	a.server.values = icm("Color", `\\T\PRINT$\Color`, "Color", "mscms.dll", "A.ICM")
	con, _, err := a.client.Add(t.Context(), Name{Server: "T", Printer: "q"}, []string{a.address}, nil)
	if err != nil || len(con.Components) != 1 || con.Components[0].Refused == "" {
		t.Errorf("%+v, %v", con.Components, err)
	}
	if got, err := os.ReadFile(filepath.Join(a.base, "drivers", "Color", "a.icm")); err != nil || string(got) != string(first) {
		t.Errorf("the file of the first is gone: %v", err)
	}
}
