package monitor

import (
	"context"

	monitorv2 "github.com/spoolhost/spoolhost/proto/spoolhost/monitor/v2"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

func (s *server) XcvOpenPort(ctx context.Context, r *monitorv2.XcvOpenPortRequest) (*monitorv2.XcvOpenPortResponse, error) {
	m, err := lookup[Monitor](&s.handles, r.GetMonitor())
	if err != nil {
		return nil, err
	}
	x, err := m.XcvOpenPort(ctx, r.GetObject(), spool.Access(r.GetGrantedAccess()))
	if err != nil {
		return nil, spoolgrpc.ToStatus(err)
	}
	if x == nil {
		return nil, spoolgrpc.ToStatus(spoolerr.New(spoolerr.Internal, 0, "XcvOpenPort of %s returned no channel", spool.Quote(r.GetObject())))
	}
	return &monitorv2.XcvOpenPortResponse{Xcv: s.handles.add(r.GetMonitor(), x)}, nil
}

// XcvDataPort keeps the two error channels of XcvData apart: the command's own result
// goes into the response, an RPC error means that nobody was asked. The buffer-size
// protocol is carried out here, so that an author just returns the output.
func (s *server) XcvDataPort(ctx context.Context, r *monitorv2.XcvDataPortRequest) (*monitorv2.XcvDataPortResponse, error) {
	x, err := lookup[Xcv](&s.handles, r.GetXcv())
	if err != nil {
		return nil, err
	}
	out, err := x.Data(ctx, r.GetDataName(), r.GetInput())
	needed := uint32(len(out))
	switch {
	case err != nil:
		return &monitorv2.XcvDataPortResponse{
			Status: uint32(failureCode(err)), Kind: uint32(spoolerr.KindOf(err)), Message: spoolgrpc.Clean(err.Error()),
		}, nil
	case needed > r.GetOutputSize():
		return &monitorv2.XcvDataPortResponse{
			Status: uint32(spoolerr.CodeInsufficientBuffer), Kind: uint32(spoolerr.MoreData), OutputNeeded: needed,
			Message: "the output buffer is too small",
		}, nil
	}
	return &monitorv2.XcvDataPortResponse{Output: out, OutputNeeded: needed}, nil
}

// failureCode is never 0, which would mean success: an author's error may have no code.
func failureCode(err error) spoolerr.Code {
	if code := spoolerr.CodeOf(err); code != spoolerr.CodeSuccess {
		return code
	}
	return spoolerr.KindOf(err).DefaultCode()
}

func (s *server) XcvClosePort(ctx context.Context, r *monitorv2.XcvClosePortRequest) (*monitorv2.XcvClosePortResponse, error) {
	x, err := lookup[Xcv](&s.handles, r.GetXcv())
	if err != nil {
		return nil, err
	}
	s.handles.remove(r.GetXcv())
	if err := x.Close(ctx); err != nil {
		return nil, spoolgrpc.ToStatus(err)
	}
	return &monitorv2.XcvClosePortResponse{}, nil
}
