package monitor

import (
	"context"
	"errors"
	"os"

	monitorv2 "github.com/spoolhost/spoolhost/proto/spoolhost/monitor/v2"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// heldDocument is the file of the document that a port prints; none if file is nil.
type heldDocument struct {
	file   *os.File
	offset int64
}

// takeDocument takes the descriptor that the host sent for a document, if there is one.
// Without it the document comes in chunks.
func (s *server) takeDocument(ctx context.Context, r *monitorv2.StartDocPortRequest) bool {
	if r.GetDocument() == 0 {
		return false
	}
	file, err := s.host.Documents().Take(ctx, r.GetDocument())
	if err != nil {
		s.log.Warn("a document comes in chunks: its descriptor was not received", "error", err)
		return false
	}
	s.handles.holdDocument(r.GetPort(), file, r.GetDocumentOffset())
	return true
}

// write hands over what a request brings or names.
func (s *server) write(ctx context.Context, p Port, r *monitorv2.WritePortRequest) (int, error) {
	if r.GetLength() == 0 {
		return p.Write(ctx, r.GetData())
	}
	doc := s.handles.document(r.GetPort())
	w, ok := p.(DocumentWriter)
	switch {
	case !ok || doc.file == nil:
		return 0, spoolerr.New(spoolerr.Precondition, 0, "this port has no descriptor of the document")
	case r.GetOffset() < 0 || r.GetLength() < 0 || r.GetLength() > wire.MaxRange:
		return 0, spoolerr.New(spoolerr.Invalid, 0, "the part of %d bytes from byte %d is out of range", r.GetLength(), r.GetOffset())
	}
	n, err := w.WriteDocument(ctx, spool.NewDocumentReader(doc.file, doc.offset+r.GetOffset(), r.GetLength()))
	return int(n), err
}

// PrintDocPort is the host's short way for small documents: one call instead of three.
func (s *server) PrintDocPort(ctx context.Context, r *monitorv2.PrintDocPortRequest) (*monitorv2.PrintDocPortResponse, error) {
	ctx, p, leave, err := take[Port](ctx, &s.handles, r.GetPort())
	if err != nil {
		return nil, err
	}
	defer leave()
	resp := &monitorv2.PrintDocPortResponse{}
	if err := printDoc(ctx, p, r, resp); err != nil {
		resp.Kind, resp.Code = uint32(spoolerr.KindOf(err)), uint32(failureCode(err))
		resp.Message = spoolgrpc.Clean(err.Error())
	}
	return resp, nil
}

func printDoc(ctx context.Context, p Port, r *monitorv2.PrintDocPortRequest, resp *monitorv2.PrintDocPortResponse) (err error) {
	if err := p.StartDoc(ctx, docFromProto(r.GetDoc())); err != nil {
		return err
	}
	resp.Started = true
	for rest := r.GetData(); len(rest) > 0; {
		n, err := p.Write(ctx, rest)
		n = min(max(n, 0), len(rest))
		resp.Written += uint32(n)
		rest = rest[n:]
		switch {
		case err != nil && !errors.Is(err, spoolerr.NotReady):
			return err
		case err != nil || n == 0:
			return nil // a slow device: the host paces the rest
		}
	}
	resp.Ended = true
	if e, ok := p.(EndReporter); ok && r.GetReportInReply() {
		resp.SentToPrinter, err = e.EndDocSent(ctx, spool.JobStatusPrinting)
		return err
	}
	return p.EndDoc(ctx, spool.JobStatusPrinting)
}
