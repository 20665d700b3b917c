package api

import (
	"context"

	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/host/spooler"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

type printersServer struct {
	apiv1.UnimplementedPrintersServer
	*Server
}

// after runs a change and gives the printer as it is then.
func (s *printersServer) after(spoolerName, name string, change func(*spooler.Spooler) error) (*apiv1.Printer, error) {
	sp, err := s.spooler(spoolerName)
	if err != nil {
		return nil, err
	}
	if err := change(sp); err != nil {
		return nil, err
	}
	v, err := sp.Printer(name)
	if err != nil {
		return nil, err
	}
	return printerToProto(sp.Name(), v), nil
}

// settingsOf says also who asks.
func settingsOf(ctx context.Context, p *apiv1.PrinterSettings) spooler.Settings {
	set := settingsFromProto(p)
	set.By = callerOf(ctx).Name
	return set
}

func (s *printersServer) AddPrinter(ctx context.Context, r *apiv1.AddPrinterRequest) (*apiv1.AddPrinterResponse, error) {
	p, err := s.after(r.GetSpooler(), r.GetName(), func(sp *spooler.Spooler) error {
		return sp.AddPrinter(ctx, r.GetName(), settingsOf(ctx, r.GetSettings()))
	})
	return &apiv1.AddPrinterResponse{Printer: p}, err
}

func (s *printersServer) ListPrinters(r *apiv1.ListPrintersRequest, stream grpc.ServerStreamingServer[apiv1.ListPrintersResponse]) error {
	sp, err := s.spooler(r.GetSpooler())
	if err != nil {
		return err
	}
	return pages(sp.Printers(), func(page []spooler.PrinterView) error {
		return stream.Send(&apiv1.ListPrintersResponse{
			Printers: convertAll(page, func(v spooler.PrinterView) *apiv1.Printer { return printerToProto(sp.Name(), v) }),
		})
	})
}

func (s *printersServer) GetPrinter(_ context.Context, r *apiv1.GetPrinterRequest) (*apiv1.GetPrinterResponse, error) {
	p, err := s.after(r.GetSpooler(), r.GetName(), func(*spooler.Spooler) error { return nil })
	return &apiv1.GetPrinterResponse{Printer: p}, err
}

func (s *printersServer) UpdatePrinter(ctx context.Context, r *apiv1.UpdatePrinterRequest) (*apiv1.UpdatePrinterResponse, error) {
	p, err := s.after(r.GetSpooler(), r.GetName(), func(sp *spooler.Spooler) error {
		return sp.UpdatePrinter(ctx, r.GetName(), settingsOf(ctx, r.GetSettings()))
	})
	return &apiv1.UpdatePrinterResponse{Printer: p}, err
}

func (s *printersServer) PausePrinter(ctx context.Context, r *apiv1.PausePrinterRequest) (*apiv1.PausePrinterResponse, error) {
	p, err := s.after(r.GetSpooler(), r.GetName(), func(sp *spooler.Spooler) error { return sp.PausePrinter(ctx, r.GetName()) })
	return &apiv1.PausePrinterResponse{Printer: p}, err
}

func (s *printersServer) ResumePrinter(ctx context.Context, r *apiv1.ResumePrinterRequest) (*apiv1.ResumePrinterResponse, error) {
	p, err := s.after(r.GetSpooler(), r.GetName(), func(sp *spooler.Spooler) error { return sp.ResumePrinter(ctx, r.GetName()) })
	return &apiv1.ResumePrinterResponse{Printer: p}, err
}

func (s *printersServer) PurgePrinter(ctx context.Context, r *apiv1.PurgePrinterRequest) (*apiv1.PurgePrinterResponse, error) {
	sp, err := s.spooler(r.GetSpooler())
	if err != nil {
		return nil, err
	}
	n, err := sp.PurgePrinter(ctx, r.GetName(), callerOf(ctx).Name)
	return &apiv1.PurgePrinterResponse{Cancelled: uint32(n)}, err
}

func (s *printersServer) DeletePrinter(ctx context.Context, r *apiv1.DeletePrinterRequest) (*apiv1.DeletePrinterResponse, error) {
	sp, err := s.spooler(r.GetSpooler())
	if err == nil {
		err = sp.DeletePrinter(ctx, r.GetName())
	}
	return &apiv1.DeletePrinterResponse{}, err
}
