package driver

import (
	"context"
	"log/slog"
	"sync"

	driverv1 "github.com/spoolhost/spoolhost/proto/spoolhost/driver/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// server is the module's side of driver/v1.
type server struct {
	driverv1.UnimplementedPrinterDriverServer
	load Load
	host *wire.Host
	log  *slog.Logger

	mu     sync.Mutex
	driver Driver
}

func (s *server) Initialize(ctx context.Context, r *driverv1.InitializeRequest) (*driverv1.InitializeResponse, error) {
	d, err := s.load(ctx, Init{
		ModuleName: r.GetModuleName(), ServerName: r.GetServerName(),
		Registry: s.host.Registry(r.GetSpooler(), r.GetRegistryRoot()),
		Logger:   s.log.With("module", r.GetModuleName(), "spooler", r.GetServerName()),
	})
	if err == nil && d == nil {
		err = spoolerr.New(spoolerr.Internal, spoolerr.CodeDLLInitFailed, "load returned no driver")
	}
	if err != nil {
		return nil, spoolgrpc.ToStatus(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.driver != nil {
		return nil, spoolgrpc.ToStatus(spoolerr.New(spoolerr.Precondition, 0, "the module is initialised already"))
	}
	s.driver = d
	return &driverv1.InitializeResponse{}, nil
}

func (s *server) loaded() (Driver, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.driver == nil {
		return nil, spoolgrpc.ToStatus(spoolerr.New(spoolerr.Precondition, 0, "the module is not initialised yet"))
	}
	return s.driver, nil
}

func (s *server) DrvPrinterEvent(ctx context.Context, r *driverv1.DrvPrinterEventRequest) (*driverv1.DrvPrinterEventResponse, error) {
	d, err := s.loaded()
	if err != nil {
		return nil, err
	}
	e := PrinterEvent{
		PrinterName: r.GetPrinterName(), Event: Event(r.GetDriverEvent()), Flags: Flags(r.GetFlags()),
		Notification: r.GetNotification(), User: r.GetUser(), Printer: s.host.Printer(r.GetPrinter()),
	}
	if a := r.GetAttributes(); a != nil {
		e.Attributes = &AttributesInfo{Old: a.GetOldAttributes(), New: a.GetNewAttributes()}
	}
	return &driverv1.DrvPrinterEventResponse{}, spoolgrpc.ToStatus(d.DrvPrinterEvent(ctx, e))
}
