package pointprinttest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	driverv1 "github.com/spoolhost/spoolhost/proto/spoolhost/driver/v1"
	pluginv1 "github.com/spoolhost/spoolhost/proto/spoolhost/plugin/v1"
	pointprintv1 "github.com/spoolhost/spoolhost/proto/spoolhost/pointprint/v1"
	"github.com/spoolhost/spoolhost/sdk/driver"
	"github.com/spoolhost/spoolhost/sdk/monitortest"
	"github.com/spoolhost/spoolhost/sdk/pointprint"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

const (
	pathsPage  = "GenerateCopyFilePaths (winddiui.h)"
	eventsPage = "SpoolerCopyFileEvent (winddiui.h)"
	driverPage = "DrvPrinterEvent (winddiui.h)"
	sdkSource  = "sdk/README.md, A Point and Print module"
)

func pathRules() []rule {
	return []rule{
		{monitortest.Rule{ID: "paths.server", Text: "On the server the source stays in the share and the target is relative.", Source: pathsPage}, serverPaths},
		{monitortest.Rule{ID: "paths.client", Text: "On the client the source stays in the share and the target below the driver directory.", Source: pathsPage}, clientPaths},
		{monitortest.Rule{ID: "paths.same", Text: "The same question has the same answer.", Source: sdkSource}, samePaths},
		{monitortest.Rule{ID: "paths.size", Text: "What does not fit is ERROR_INSUFFICIENT_BUFFER with the sizes that are needed.", Source: pathsPage}, pathSizes},
		{monitortest.Rule{ID: "paths.level", Text: "Another level than 1 is an error.", Source: pathsPage}, pathLevel},
		{monitortest.Rule{ID: "paths.only", Text: "GenerateCopyFilePaths changes the two directories and nothing else.", Source: pathsPage}, pathsOnly},
		{monitortest.Rule{ID: "paths.together", Text: "Calls for several printers at the same time do not mix.", Source: sdkSource}, pathsTogether},
	}
}

// driverDir is the client's driver directory.
const driverDir = "/var/lib/spoolhost/drivers"

func (b *bench) paths(ctx context.Context, c pointprint.CopyFilePaths) (d pointprint.Dirs, err error) {
	err = b.during(ctx, func(ctx context.Context, token string) error {
		d, err = b.points.GenerateCopyFilePaths(ctx, c, token)
		return err
	})
	return d, err
}

func onServer() pointprint.CopyFilePaths {
	return pointprint.CopyFilePaths{
		PrinterName: queue, Directory: target, Level: 1, Flags: pointprint.ServerSpooler, Client: pointprint.ClientInfo{MajorVersion: 3, BuildNum: 2195},
		Dirs: pointprint.Dirs{SourceDir: source, TargetDir: target},
	}
}

func onClient() pointprint.CopyFilePaths {
	c := onServer()
	c.PrinterName, c.Flags, c.TargetDir = remote, pointprint.ClientSpooler, driverDir+"/"+target
	return c
}

func inShare(dir string) error {
	rest, ok := strings.CutPrefix(strings.ToUpper(dir), strings.ToUpper(`\\`+server+`\PRINT$\`))
	if !ok || rest == "" || badElement(strings.Split(rest, `\`)) {
		return fmt.Errorf(`the source directory %q is not below \\%s\PRINT$`, dir, server)
	}
	return nil
}

func badElement(names []string) bool {
	for _, n := range names {
		if n == "" || strings.HasPrefix(n, ".") || strings.ContainsAny(n, `/:*?"<>|`) {
			return true
		}
	}
	return false
}

func serverPaths(ctx context.Context, b *bench) error {
	d, err := b.paths(ctx, onServer())
	if err != nil {
		return err
	}
	if badElement(strings.Split(d.TargetDir, `\`)) {
		return fmt.Errorf("the target directory %q is not a plain path relative to PRINT$", d.TargetDir)
	}
	return inShare(d.SourceDir)
}

func clientPaths(ctx context.Context, b *bench) error {
	d, err := b.paths(ctx, onClient())
	if err != nil {
		return err
	}
	rest, ok := strings.CutPrefix(d.TargetDir, driverDir+"/")
	if !ok || badElement(strings.Split(rest, "/")) {
		return fmt.Errorf("the target directory %q is not below the driver directory %s", d.TargetDir, driverDir)
	}
	return inShare(d.SourceDir)
}

func samePaths(ctx context.Context, b *bench) error {
	for _, c := range []pointprint.CopyFilePaths{onServer(), onClient()} {
		first, err := b.paths(ctx, c)
		if err != nil {
			return err
		}
		for range 3 {
			if again, err := b.paths(ctx, c); err != nil || again != first {
				return fmt.Errorf("first it answered %+v, then %+v, %w", first, again, errors.Join(err))
			}
		}
	}
	return nil
}

func (b *bench) question(token string, source_, target_ uint32) *pointprintv1.GenerateCopyFilePathsRequest {
	c := onServer()
	return &pointprintv1.GenerateCopyFilePathsRequest{
		PrinterName: c.PrinterName, Directory: c.Directory, Level: 1, SplClientInfo: &pointprintv1.SplclientInfo1{Size: 40, MajorVersion: 3},
		SourceDir: c.SourceDir, SourceDirSize: source_, TargetDir: c.TargetDir, TargetDirSize: target_, Flags: uint32(c.Flags), Printer: token,
	}
}

func pathSizes(ctx context.Context, b *bench) error {
	return b.during(ctx, func(ctx context.Context, token string) error {
		small, err := b.raw().GenerateCopyFilePaths(ctx, b.question(token, 1, 1))
		if err != nil {
			return fmt.Errorf("with room for one character: %w", spoolgrpc.FromStatus(err))
		}
		if spoolerr.Code(small.GetStatus()) != spoolerr.CodeInsufficientBuffer || small.GetSourceDir() != "" || small.GetTargetDir() != "" {
			return fmt.Errorf("with room for one character it answered status %d, %q and %q", small.GetStatus(), small.GetSourceDir(), small.GetTargetDir())
		}
		enough, err := b.raw().GenerateCopyFilePaths(ctx, b.question(token, small.GetSourceDirSize(), small.GetTargetDirSize()))
		if err != nil || enough.GetStatus() != 0 {
			return fmt.Errorf("with the room that it asked for (%d and %d) it answered status %d, %w",
				small.GetSourceDirSize(), small.GetTargetDirSize(), enough.GetStatus(), errors.Join(spoolgrpc.FromStatus(err)))
		}
		return nil
	})
}

func pathLevel(ctx context.Context, b *bench) error {
	return b.during(ctx, func(ctx context.Context, token string) error {
		r := b.question(token, 260, 260)
		r.Level, r.SplClientInfo = 2, nil
		if got, err := b.raw().GenerateCopyFilePaths(ctx, r); err == nil {
			return fmt.Errorf("level 2 without a structure was answered with %q", got.GetSourceDir())
		}
		return nil
	})
}

func pathsOnly(ctx context.Context, b *bench) error {
	for _, c := range []pointprint.CopyFilePaths{onServer(), onClient()} {
		if _, err := b.paths(ctx, c); err != nil {
			return err
		}
	}
	if list := b.stored(); len(list) > 0 {
		return fmt.Errorf("it stored %s in the printer's data", strings.Join(list, ", "))
	}
	return nil
}

func pathsTogether(ctx context.Context, b *bench) error {
	const printers = 24
	want := make([]pointprint.Dirs, printers)
	ask := func(i int) (pointprint.Dirs, error) {
		c := onServer()
		dir := fmt.Sprintf("%s%d", target, i)
		c.PrinterName, c.Directory, c.SourceDir, c.TargetDir = fmt.Sprintf("Größe %d 色", i), dir, fmt.Sprintf(`%s%d`, source, i), dir
		return b.paths(ctx, c)
	}
	for i := range want {
		var err error
		if want[i], err = ask(i); err != nil {
			return err
		}
	}
	errs := make([]error, printers)
	var all sync.WaitGroup
	for i := range want {
		all.Go(func() {
			if got, err := ask(i); err != nil {
				errs[i] = err
			} else if got != want[i] {
				errs[i] = fmt.Errorf("alone it answered %+v, among others %+v", want[i], got)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func eventRules() []rule {
	return []rule{
		{monitortest.Rule{ID: "events.known", Text: "Every event about a sound printer is handled.", Source: eventsPage}, knownEvents},
		{monitortest.Rule{ID: "events.files", Text: "A file that is missing or damaged does not end the module.", Source: sdkSource}, damagedFiles},
		{monitortest.Rule{ID: "events.unknown", Text: "An event that it does not know does not end the module.", Source: sdkSource}, unknownEvent},
	}
}

func (b *bench) event(ctx context.Context, printer string, e pointprint.Event) error {
	err := b.during(ctx, func(ctx context.Context, token string) error {
		return b.points.SpoolerCopyFileEvent(ctx, pointprint.CopyFileEvent{PrinterName: printer, Key: icmKey, Event: e}, token)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", e, err)
	}
	return nil
}

func knownEvents(ctx context.Context, b *bench) error {
	for _, e := range []pointprint.Event{pointprint.SetPrinterDataEx, pointprint.DeletePrinter} {
		if err := b.event(ctx, queue, e); err != nil {
			return err
		}
	}
	for _, e := range []pointprint.Event{
		pointprint.FilesChanged, pointprint.AddPrinterConnection, pointprint.FilesChanged, pointprint.DeletePrinterConnection, pointprint.DeletePrinterConnection,
	} {
		if err := b.event(ctx, remote, e); err != nil {
			return err
		}
	}
	return nil
}

// alive makes sure that the module still answers.
func (b *bench) alive(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, b.opts.Timeout)
	defer cancel()
	if _, err := pluginv1.NewPluginClient(b.module.Conn).Describe(ctx, &pluginv1.DescribeRequest{}); err != nil {
		return fmt.Errorf("it does not answer any more: %w", spoolgrpc.FromStatus(err))
	}
	return nil
}

func damagedFiles(ctx context.Context, b *bench) error {
	for _, content := range [][]byte{nil, {}, []byte("MZ"), make([]byte, 1<<20)} {
		b.mu.Lock()
		if b.files[profile] = content; content == nil {
			delete(b.files, profile)
		}
		b.mu.Unlock()
		_ = b.event(ctx, remote, pointprint.FilesChanged) // an error is a good answer
		if err := b.alive(ctx); err != nil {
			return err
		}
	}
	return nil
}

func unknownEvent(ctx context.Context, b *bench) error {
	_ = b.event(ctx, queue, 99)
	return b.alive(ctx)
}

func driverRules() []rule {
	return []rule{
		{monitortest.Rule{ID: "events.known", Text: "Every event about a sound printer is handled.", Source: driverPage}, knownDriverEvents},
		{monitortest.Rule{ID: "events.unknown", Text: "An event that it does not know is success.", Source: driverPage}, unknownDriverEvent},
		{monitortest.Rule{ID: "events.initialize", Text: "PRINTER_EVENT_INITIALIZE may come again, and then changes nothing.", Source: driverPage}, initializeTwice},
	}
}

func (b *bench) driverEvent(ctx context.Context, e driver.PrinterEvent) error {
	e.Flags = driver.NoUI
	err := b.during(ctx, func(ctx context.Context, token string) error { return b.driver.DrvPrinterEvent(ctx, e, token) })
	if err != nil {
		return fmt.Errorf("%s: %w", e.Event, err)
	}
	return nil
}

func knownDriverEvents(ctx context.Context, b *bench) error {
	for _, e := range []driver.PrinterEvent{
		{Event: driver.Initialize, PrinterName: queue, User: "an administrator"},
		{Event: driver.AttributesChanged, PrinterName: queue, Attributes: &driver.AttributesInfo{Old: 0x49, New: 0x149}},
		{Event: driver.ConfigurationUpdate, PrinterName: queue, Notification: "<bidi/>"},
		{Event: driver.ConfigurationChange, PrinterName: queue},
		{Event: driver.CacheRefresh, PrinterName: remote}, {Event: driver.AddConnection, PrinterName: remote}, {Event: driver.AddConnectionNoUI, PrinterName: remote},
		{Event: driver.DeleteConnection, PrinterName: remote}, {Event: driver.DeleteConnectionNoUI, PrinterName: remote}, {Event: driver.CacheDelete, PrinterName: remote},
		{Event: driver.Delete, PrinterName: queue},
	} {
		if err := b.driverEvent(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

func unknownDriverEvent(ctx context.Context, b *bench) error {
	return b.driverEvent(ctx, driver.PrinterEvent{Event: driver.LastEvent + 1, PrinterName: queue})
}

func initializeTwice(ctx context.Context, b *bench) error {
	states := make([]string, 2)
	for i := range states {
		if err := b.driverEvent(ctx, driver.PrinterEvent{Event: driver.Initialize, PrinterName: queue}); err != nil {
			return err
		}
		b.mu.Lock()
		states[i] = fmt.Sprint(b.values)
		b.mu.Unlock()
	}
	if states[0] != states[1] {
		return errors.New("the printer's data were others the second time")
	}
	return nil
}

func commonRules() []rule {
	return []rule{
		{monitortest.Rule{ID: "module.again", Text: "A new process finds what an earlier one kept in its registry, and works.", Source: sdkSource}, startsAgain},
		{monitortest.Rule{ID: "module.once", Text: "A process is initialised once.", Source: sdkSource}, initializedOnce},
		{monitortest.Rule{ID: "calls.over", Text: "A printer is used while its call lasts, and not after it.", Source: sdkSource}, callsOver},
		{monitortest.Rule{ID: "calls.cancelled", Text: "A call that the host gives up, or whose deadline passes, ends.", Source: sdkSource}, callsCancelled},
		{monitortest.Rule{ID: "calls.drain", Text: "When all calls have returned the module can be ended at once.", Source: sdkSource}, drains},
	}
}

// work has the module do everything that it does.
func (b *bench) work(ctx context.Context) error {
	if b.kind == wire.KindDriver {
		return knownDriverEvents(ctx, b)
	}
	if _, err := b.paths(ctx, onServer()); err != nil {
		return err
	}
	return knownEvents(ctx, b)
}

func startsAgain(ctx context.Context, b *bench) error {
	if err := b.work(ctx); err != nil {
		return err
	}
	b.stop()
	if err := b.start(ctx); err != nil {
		return err
	}
	return b.work(ctx)
}

func initializedOnce(ctx context.Context, b *bench) error {
	ctx, cancel := context.WithTimeout(ctx, b.opts.Timeout)
	defer cancel()
	var err error
	if b.kind == wire.KindDriver {
		_, err = driverv1.NewPrinterDriverClient(b.module.Conn).Initialize(ctx, &driverv1.InitializeRequest{Spooler: b.own.Token, RegistryRoot: b.own.Root, ServerName: "OTHER"})
	} else {
		_, err = b.raw().Initialize(ctx, &pointprintv1.InitializeRequest{Spooler: b.own.Token, RegistryRoot: b.own.Root, ServerName: "OTHER"})
	}
	if err == nil {
		return errors.New("it took a second Initialize, for another spooler")
	}
	return b.alive(ctx)
}

// callsOver has the bench's watch on tokens complain.
func callsOver(ctx context.Context, b *bench) error {
	if err := b.work(ctx); err != nil {
		return err
	}
	return drains(ctx, b)
}

func drains(ctx context.Context, b *bench) error {
	if err := b.work(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, b.opts.Grace)
	defer cancel()
	if _, err := pluginv1.NewPluginClient(b.module.Conn).Drain(ctx, &pluginv1.DrainRequest{}); err != nil {
		return fmt.Errorf("its Drain: %w", spoolgrpc.FromStatus(err))
	}
	return nil
}
