package wire

import (
	"context"
	"io"

	hostservicev1 "github.com/spoolhost/spoolhost/proto/spoolhost/hostservice/v1"
	"github.com/spoolhost/spoolhost/sdk/printerdata"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

// MaxFilePart bounds what one ReadFile gives, in bytes.
const MaxFilePart = 1 << 20

// Printer gives the printer that token stands for while a call lasts.
func (h *Host) Printer(token string) printerdata.Printer {
	return &remotePrinter{client: hostservicev1.NewPrinterDataClient(h.conn), token: token}
}

type remotePrinter struct {
	client hostservicev1.PrinterDataClient
	token  string
}

func (p *remotePrinter) GetPrinterDataEx(ctx context.Context, key, value string) (registry.Value, error) {
	r, err := p.client.GetPrinterDataEx(ctx, &hostservicev1.GetPrinterDataExRequest{Printer: p.token, Key: key, Value: value})
	if err != nil {
		return registry.Value{}, spoolgrpc.FromStatus(err)
	}
	return valueFromProto(r.GetValue()), nil
}

func (p *remotePrinter) EnumPrinterDataEx(ctx context.Context, key string) ([]registry.Value, error) {
	r, err := p.client.EnumPrinterDataEx(ctx, &hostservicev1.EnumPrinterDataExRequest{Printer: p.token, Key: key})
	if err != nil {
		return nil, spoolgrpc.FromStatus(err)
	}
	list := make([]registry.Value, 0, len(r.GetValues()))
	for _, v := range r.GetValues() {
		list = append(list, valueFromProto(v))
	}
	return list, nil
}

func (p *remotePrinter) SetPrinterDataEx(ctx context.Context, key string, v registry.Value) error {
	_, err := p.client.SetPrinterDataEx(ctx, &hostservicev1.SetPrinterDataExRequest{Printer: p.token, Key: key, Value: valueToProto(v)})
	return spoolgrpc.FromStatus(err)
}

func (p *remotePrinter) OpenFile(ctx context.Context, key, name string) (*io.SectionReader, error) {
	r, err := p.client.StatFile(ctx, &hostservicev1.StatFileRequest{Printer: p.token, Key: key, Name: name})
	if err != nil {
		return nil, spoolgrpc.FromStatus(err)
	}
	if r.GetSize() < 0 || r.GetSize() > printerdata.MaxFile {
		return nil, spoolerr.New(spoolerr.Exhausted, 0, "file %s has %d bytes; the most is %d", spool.Quote(name), r.GetSize(), printerdata.MaxFile)
	}
	return io.NewSectionReader(&remoteFile{ctx: ctx, printer: p, key: key, name: name}, 0, r.GetSize()), nil
}

// remoteFile reads a file part by part, within the call that it was opened in.
type remoteFile struct {
	ctx       context.Context //nolint:containedctx // io.ReaderAt has none, and the file ends with the call
	printer   *remotePrinter
	key, name string
}

func (f *remoteFile) ReadAt(b []byte, at int64) (n int, err error) {
	for n < len(b) {
		want := min(len(b)-n, MaxFilePart)
		r, err := f.printer.client.ReadFile(f.ctx, &hostservicev1.ReadFileRequest{
			Printer: f.printer.token, Key: f.key, Name: f.name, Offset: at + int64(n), Length: uint32(want),
		})
		if err != nil {
			return n, spoolgrpc.FromStatus(err)
		}
		got := copy(b[n:], r.GetData())
		n += got
		if got < want {
			return n, io.EOF
		}
	}
	return n, nil
}
