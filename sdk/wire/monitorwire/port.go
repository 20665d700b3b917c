package monitorwire

import (
	"context"
	"errors"
	"os"

	monitorv2 "github.com/spoolhost/spoolhost/proto/spoolhost/monitor/v2"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// Port is an open port in another process. It has every optional method; those whose
// capability the port did not announce return spoolerr.Unsupported.
type Port struct {
	monitor *Monitor
	handle  uint64
	caps    capabilities
}

var (
	_ monitor.Port              = (*Port)(nil)
	_ monitor.Reader            = (*Port)(nil)
	_ monitor.PrinterDataSource = (*Port)(nil)
	_ monitor.TimeOutSetter     = (*Port)(nil)
	_ monitor.BidiPort          = (*Port)(nil)
)

// Has says whether the port announced a capability.
func (p *Port) Has(capability string) bool { return p.caps.has(capability) }

// StartDoc calls StartDocPort.
func (p *Port) StartDoc(ctx context.Context, doc spool.Doc) error {
	_, err := p.StartDocument(ctx, doc, nil, 0)
	return err
}

// StartDocument calls StartDocPort and, if the module can take it, sends it a descriptor of
// the file that holds the document from an offset on. taken says that WriteRange may be used.
func (p *Port) StartDocument(ctx context.Context, doc spool.Doc, file *os.File, offset int64) (taken bool, err error) {
	req := &monitorv2.StartDocPortRequest{Port: p.handle, Doc: docToProto(doc)}
	if file != nil && p.monitor.send != nil && p.Has(monitor.CapDocumentFD) {
		if number, err := p.monitor.send(file); err == nil {
			req.Document, req.DocumentOffset = number, offset
		} else if !errors.Is(err, spoolerr.Unsupported) {
			p.monitor.complain("a document goes in chunks: " + err.Error())
		}
	}
	r, err := p.monitor.client.StartDocPort(ctx, req)
	return err == nil && r.GetDocumentTaken() && req.GetDocument() != 0, spoolgrpc.FromStatus(err)
}

func docToProto(doc spool.Doc) *monitorv2.Doc {
	return &monitorv2.Doc{
		JobId: doc.JobID, Printer: doc.Printer, Title: doc.Title, User: doc.User, Datatype: doc.Datatype,
		Size: doc.Size, Attempt: int32(doc.Attempt),
	}
}

// Printed is how far PrintDoc came.
type Printed struct {
	Started, Ended bool
	Written        int
	// Sent says that the monitor has reported the document sent, in the reply.
	Sent bool
}

// PrintDoc calls PrintDocPort with a whole document of at most wire.MaxTogether bytes. What
// happened before an error is in Printed. A port without the capability is Unsupported.
func (p *Port) PrintDoc(ctx context.Context, doc spool.Doc, data []byte) (Printed, error) {
	if !p.Has(monitor.CapPrintDocPort) || len(data) > wire.MaxTogether {
		return Printed{}, spoolerr.New(spoolerr.Unsupported, 0, "the port does not take this document in one call")
	}
	r, err := p.monitor.client.PrintDocPort(ctx, &monitorv2.PrintDocPortRequest{Port: p.handle, Doc: docToProto(doc), Data: data, ReportInReply: true})
	if err != nil {
		return Printed{}, spoolgrpc.FromStatus(err)
	}
	done := Printed{Started: r.GetStarted(), Ended: r.GetEnded(), Written: int(r.GetWritten()), Sent: r.GetSentToPrinter()}
	if done.Written > len(data) || done.Ended && (!done.Started || done.Written < len(data)) || done.Written > 0 && !done.Started {
		// Whatever it says, it may have a document open.
		return Printed{Started: true}, broken("PrintDocPort took %d of %d bytes, started %v, ended %v", done.Written, len(data), done.Started, done.Ended)
	}
	if r.GetCode() != 0 {
		return done, failure(r.GetKind(), r.GetCode(), r.GetMessage())
	}
	if !done.Started {
		return done, broken("PrintDocPort did not start the document and gives no error")
	}
	return done, nil
}

// Write calls WritePort with at most spool.ChunkSize bytes.
func (p *Port) Write(ctx context.Context, data []byte) (int, error) {
	n, err := p.write(ctx, &monitorv2.WritePortRequest{Port: p.handle, Data: data}, int64(len(data)))
	return int(n), err
}

// WriteRange calls WritePort with a part of the file that StartDocument sent, at most
// wire.MaxRange bytes.
func (p *Port) WriteRange(ctx context.Context, offset, n int64) (int64, error) {
	return p.write(ctx, &monitorv2.WritePortRequest{Port: p.handle, Offset: offset, Length: n}, n)
}

func (p *Port) write(ctx context.Context, req *monitorv2.WritePortRequest, most int64) (int64, error) {
	r, err := p.monitor.client.WritePort(ctx, req)
	if err != nil {
		return 0, spoolgrpc.FromStatus(err)
	}
	n := int64(r.GetWritten())
	if n > most {
		return 0, broken("WritePort took %d of %d bytes", n, most)
	}
	if r.GetNotReady() {
		return n, spoolerr.New(spoolerr.NotReady, 0, "%s", spoolgrpc.Clean(r.GetReason()))
	}
	return n, nil
}

// EndDoc calls EndDocPort.
func (p *Port) EndDoc(ctx context.Context, job spool.JobStatus) error {
	_, err := p.monitor.client.EndDocPort(ctx, &monitorv2.EndDocPortRequest{Port: p.handle, JobStatus: uint32(job)})
	return spoolgrpc.FromStatus(err)
}

// Close calls ClosePort; the handle is gone whatever the answer.
func (p *Port) Close(ctx context.Context) error {
	p.monitor.handles.release(p.handle)
	_, err := p.monitor.client.ClosePort(ctx, &monitorv2.ClosePortRequest{Port: p.handle})
	return spoolgrpc.FromStatus(err)
}

// Read calls ReadPort.
func (p *Port) Read(ctx context.Context, buf []byte) (int, error) {
	if err := p.need(monitor.CapReadPort); err != nil {
		return 0, err
	}
	r, err := p.monitor.client.ReadPort(ctx, &monitorv2.ReadPortRequest{Port: p.handle, Max: uint32(len(buf))})
	if err != nil {
		return 0, spoolgrpc.FromStatus(err)
	}
	if len(r.GetData()) > len(buf) {
		return 0, broken("ReadPort returned %d bytes into a buffer of %d", len(r.GetData()), len(buf))
	}
	return copy(buf, r.GetData()), nil
}

// GetPrinterData calls GetPrinterDataFromPort.
func (p *Port) GetPrinterData(ctx context.Context, controlID uint32, valueName string, in []byte) ([]byte, error) {
	if err := p.need(monitor.CapPrinterData); err != nil {
		return nil, err
	}
	r, err := p.monitor.client.GetPrinterDataFromPort(ctx, &monitorv2.GetPrinterDataFromPortRequest{
		Port: p.handle, ControlId: controlID, ValueName: valueName, Input: in,
	})
	if err != nil {
		return nil, spoolgrpc.FromStatus(err)
	}
	return r.GetOutput(), nil
}

// SetTimeOuts calls SetPortTimeOuts.
func (p *Port) SetTimeOuts(ctx context.Context, t spool.TimeOuts) error {
	if err := p.need(monitor.CapSetPortTimeOuts); err != nil {
		return err
	}
	_, err := p.monitor.client.SetPortTimeOuts(ctx, &monitorv2.SetPortTimeOutsRequest{
		Port: p.handle, ReadInterval: t.ReadInterval, ReadTotalMultiplier: t.ReadTotalMultiplier,
		ReadTotalConstant: t.ReadTotalConstant, WriteTotalMultiplier: t.WriteTotalMultiplier,
		WriteTotalConstant: t.WriteTotalConstant,
	})
	return spoolgrpc.FromStatus(err)
}

// SendRecvBidiData calls SendRecvBidiDataFromPort. There must be one response for each
// request, except for EnumSchema and GetAll.
func (p *Port) SendRecvBidiData(ctx context.Context, access spool.BidiAccess, action string, requests []spool.BidiRequest) ([]spool.BidiResponse, error) {
	if err := p.need(monitor.CapBidi); err != nil {
		return nil, err
	}
	req := &monitorv2.SendRecvBidiDataFromPortRequest{Port: p.handle, Access: uint32(access), Action: action}
	for _, q := range requests {
		req.Requests = append(req.Requests, &monitorv2.BidiRequest{
			Number: q.Number, Schema: q.Schema, Data: &monitorv2.BidiData{Type: uint32(q.Data.Type), Data: q.Data.Data},
		})
	}
	r, err := p.monitor.client.SendRecvBidiDataFromPort(ctx, req)
	if err != nil {
		return nil, spoolgrpc.FromStatus(err)
	}
	answers := make([]spool.BidiResponse, 0, len(r.GetResponses()))
	for _, a := range r.GetResponses() {
		if a.GetData().GetType() > uint32(spool.BidiBlob) {
			return nil, broken("a bidi response has type %d", a.GetData().GetType())
		}
		answers = append(answers, spool.BidiResponse{
			Result: a.GetResult(), Number: a.GetNumber(), Schema: spoolgrpc.Clean(a.GetSchema()),
			Data: spool.BidiData{Type: spool.BidiType(a.GetData().GetType()), Data: a.GetData().GetData()},
		})
	}
	return answers, nil
}

func (p *Port) need(capability string) error {
	if p.Has(capability) {
		return nil
	}
	return spoolerr.New(spoolerr.Unsupported, 0, "the port does not have %s", capability)
}
