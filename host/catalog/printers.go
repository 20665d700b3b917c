package catalog

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"sync"

	"google.golang.org/grpc"

	hostservicev1 "github.com/spoolhost/spoolhost/proto/spoolhost/hostservice/v1"
	"github.com/spoolhost/spoolhost/sdk/printerdata"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// printers are the printers that a module has calls about just now, by token: PrinterData
// over the wire.
type printers struct {
	hostservicev1.UnimplementedPrinterDataServer

	mu      sync.Mutex
	byToken map[string]printerdata.Printer
}

func (s *printers) register(r grpc.ServiceRegistrar) { hostservicev1.RegisterPrinterDataServer(r, s) }

// lend makes a printer known until giveBack is called.
func (s *printers) lend(p printerdata.Printer) (token string, giveBack func()) {
	token = rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byToken == nil {
		s.byToken = make(map[string]printerdata.Printer)
	}
	s.byToken[token] = p
	return token, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.byToken, token)
	}
}

func (s *printers) get(token string) (printerdata.Printer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.byToken[token]; p != nil {
		return p, nil
	}
	return nil, spoolgrpc.ToStatus(spoolerr.New(spoolerr.BadHandle, 0,
		"the printer handle is not valid: it was never given to this module, or the call that it was for is over"))
}

func (s *printers) GetPrinterDataEx(ctx context.Context, r *hostservicev1.GetPrinterDataExRequest) (*hostservicev1.GetPrinterDataExResponse, error) {
	p, err := s.get(r.GetPrinter())
	if err != nil {
		return nil, err
	}
	v, err := p.GetPrinterDataEx(ctx, r.GetKey(), r.GetValue())
	return &hostservicev1.GetPrinterDataExResponse{Value: valueToProto(v)}, spoolgrpc.ToStatus(err)
}

func (s *printers) EnumPrinterDataEx(ctx context.Context, r *hostservicev1.EnumPrinterDataExRequest) (*hostservicev1.EnumPrinterDataExResponse, error) {
	p, err := s.get(r.GetPrinter())
	if err != nil {
		return nil, err
	}
	list, err := p.EnumPrinterDataEx(ctx, r.GetKey())
	resp := &hostservicev1.EnumPrinterDataExResponse{}
	for _, v := range list {
		resp.Values = append(resp.Values, valueToProto(v))
	}
	return resp, spoolgrpc.ToStatus(err)
}

func (s *printers) SetPrinterDataEx(ctx context.Context, r *hostservicev1.SetPrinterDataExRequest) (*hostservicev1.SetPrinterDataExResponse, error) {
	p, err := s.get(r.GetPrinter())
	if err != nil {
		return nil, err
	}
	v := r.GetValue()
	err = p.SetPrinterDataEx(ctx, r.GetKey(), registry.Value{Name: v.GetName(), Type: registry.Type(v.GetType()), Data: v.GetData()})
	return &hostservicev1.SetPrinterDataExResponse{}, spoolgrpc.ToStatus(err)
}

func (s *printers) StatFile(ctx context.Context, r *hostservicev1.StatFileRequest) (*hostservicev1.StatFileResponse, error) {
	f, err := s.open(ctx, r.GetPrinter(), r.GetKey(), r.GetName())
	if err != nil {
		return nil, err
	}
	return &hostservicev1.StatFileResponse{Size: f.Size()}, nil
}

func (s *printers) ReadFile(ctx context.Context, r *hostservicev1.ReadFileRequest) (*hostservicev1.ReadFileResponse, error) {
	f, err := s.open(ctx, r.GetPrinter(), r.GetKey(), r.GetName())
	if err != nil {
		return nil, err
	}
	if r.GetOffset() < 0 || r.GetLength() > wire.MaxFilePart {
		return nil, spoolgrpc.ToStatus(spoolerr.New(spoolerr.Invalid, 0, "a part of a file has at most %d bytes and begins within it", wire.MaxFilePart))
	}
	data := make([]byte, min(int64(r.GetLength()), max(f.Size()-r.GetOffset(), 0)))
	n, err := f.ReadAt(data, r.GetOffset())
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, spoolgrpc.ToStatus(err)
	}
	return &hostservicev1.ReadFileResponse{Data: data[:n]}, nil
}

func (s *printers) open(ctx context.Context, token, key, name string) (*io.SectionReader, error) {
	p, err := s.get(token)
	if err != nil {
		return nil, err
	}
	f, err := p.OpenFile(ctx, key, name)
	return f, spoolgrpc.ToStatus(err)
}
