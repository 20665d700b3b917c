//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spoolhost/spoolhost/host/catalog"
	"github.com/spoolhost/spoolhost/host/hosttest"
	"github.com/spoolhost/spoolhost/host/registry"
	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/host/supervisor"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// reports takes the monitor's callbacks.
type reports chan uint64

func (r reports) SetJob(_ context.Context, id uint64, control spool.JobControl) error {
	if control == spool.JobControlSentToPrinter {
		r <- id
	}
	return nil
}

func (reports) SetPort(context.Context, string, spool.PortStatus) error { return nil }

// TestPrint builds the monitor, installs and launches it as a host does, and prints.
func TestPrint(t *testing.T) {
	module := filepath.Join(t.TempDir(), "minimal-monitor")
	if out, err := exec.Command("go", "build", "-o", module, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	sink, err := hosttest.NewSink(nil)
	check(t, err)
	t.Cleanup(sink.Close)
	sent := make(reports, 1)
	inst := launch(t, module, sent)
	ctx := within(t)

	x, err := inst.XcvOpenPort(ctx, "", spool.ServerAccessAdminister)
	check(t, err)
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(sink.Port()))
	_, err = x.Data(ctx, portconfig.AddPort, portconfig.Encode("Desk", map[string]string{"address": address}))
	check(t, err)
	ports, err := inst.EnumPorts(ctx)
	if err != nil || len(ports) != 1 || ports[0].Name != "Desk" || ports[0].Description != address {
		t.Fatalf("ports %v, %v", ports, err)
	}

	port, err := inst.OpenPort(ctx, "desk")
	check(t, err)
	document := bytes.Repeat([]byte("a page of text\f"), 100_000)
	check(t, port.StartDoc(ctx, spool.Doc{JobID: 7, Size: int64(len(document))}))
	for rest := document; len(rest) > 0; {
		n, err := port.Write(ctx, rest[:min(len(rest), spool.ChunkSize)])
		check(t, err)
		rest = rest[n:]
	}
	check(t, port.EndDoc(ctx, spool.JobStatusPrinting))
	if id := <-sent; id != 7 {
		t.Errorf("job %d was reported as sent", id)
	}
	sum := sha256.Sum256(document)
	check(t, sink.Wait(ctx, func(got []hosttest.Receipt) bool { return len(got) == 1 && got[0].SHA256 != "" }))
	if got := sink.Receipts()[0]; got.SHA256 != hex.EncodeToString(sum[:]) || got.Err != nil {
		t.Errorf("the printer got %d bytes of %d, or others: %v", got.Bytes, len(document), got.Err)
	}
	check(t, port.Close(ctx))

	_, err = x.Data(ctx, portconfig.DeletePort, portconfig.Encode("Desk", nil))
	check(t, err)
	if _, err := inst.OpenPort(ctx, "Desk"); spoolerr.CodeOf(err) != spoolerr.CodeUnknownPort {
		t.Errorf("opening a deleted port: %v", err)
	}
	check(t, x.Close(ctx))
	check(t, inst.Shutdown(ctx))
}

// launch does what a host does: install, launch, initialise.
func launch(t *testing.T, module string, callbacks reports) *catalog.Instance {
	t.Helper()
	dir, err := os.MkdirTemp("", "sh") // sockets want a short path
	check(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	db, err := store.OpenBolt(filepath.Join(dir, "db"), store.Options{})
	check(t, err)
	t.Cleanup(func() { check(t, db.Close()) })
	orphans, err := supervisor.NewOrphans(filepath.Join(dir, "modules"))
	check(t, err)
	launcher := supervisor.NewLauncher()
	life, end := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		launcher.Run(life)
	}()
	t.Cleanup(func() {
		end()
		<-ended
	})
	ctx := within(t)
	c, _, err := catalog.Open(ctx, catalog.Config{
		Store: db, CallTimeout: 20 * time.Second, Now: time.Now,
		Env: &supervisor.Env{
			Launcher: launcher, Images: supervisor.NewImages(), RuntimeDir: dir, Orphans: orphans,
			StartTimeout: 30 * time.Second, StopGrace: 5 * time.Second, Now: time.Now,
		},
	})
	check(t, err)
	m, err := c.Add(ctx, "Example Port", module, nil, "")
	check(t, err)
	if m.ModuleName != "Example Port" || m.ModuleVersion != "1.0.0" {
		t.Errorf("it describes itself as %s %s", m.ModuleName, m.ModuleVersion)
	}
	inst, err := c.Bind(ctx, m, catalog.For{
		Spooler: "node", Local: true, Callbacks: callbacks,
		Root: registry.New(db, registry.Options{}).Hive("node").Root(`Monitors\Example Port`, registry.Limit{}),
	})
	check(t, err)
	t.Cleanup(func() {
		inst.Revoke()
		inst.Process.Stop(within(t), "the test is over")
		<-inst.Process.Released()
	})
	return inst
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}
