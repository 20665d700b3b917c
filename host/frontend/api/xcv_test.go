package api

import (
	"context"
	"errors"
	"io"
	"testing"

	"google.golang.org/grpc"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

type xcvStream = grpc.BidiStreamingClient[apiv1.XcvSessionRequest, apiv1.XcvSessionResponse]

func (b *bench) xcv(ctx context.Context, uid int64, open *apiv1.XcvOpen) (xcvStream, *apiv1.XcvOpened, error) {
	b.Helper()
	stream, err := apiv1.NewXcvClient(b.conns[uid]).Session(ctx)
	b.must(err)
	_ = stream.Send(&apiv1.XcvSessionRequest{Request: &apiv1.XcvSessionRequest_Open{Open: open}})
	r, err := stream.Recv()
	return stream, r.GetOpened(), spoolgrpc.FromStatus(err)
}

func (b *bench) data(stream xcvStream, name string, in []byte, size uint32) *apiv1.XcvResult {
	b.Helper()
	b.must(stream.Send(&apiv1.XcvSessionRequest{Request: &apiv1.XcvSessionRequest_Data{Data: &apiv1.XcvData{Name: name, Input: in, OutputSize: size}}}))
	r, err := stream.Recv()
	b.must(err)
	return r.GetResult()
}

func onMonitor() *apiv1.XcvOpen { return &apiv1.XcvOpen{Object: ",XcvMonitor " + monitorName} }

func TestXcvSession(t *testing.T) {
	b := newBench(t)
	stream, opened, err := b.xcv(t.Context(), root, onMonitor())
	b.must(err)
	if opened.GetMonitor() != monitorName || !spool.Access(opened.GetGrantedAccess()).Has(spool.ServerAccessAdminister) {
		t.Errorf("opened %v", opened)
	}
	if r := b.data(stream, "AddPort", portconfig.Encode("A", nil), 0); r.GetError() != 0 || r.GetStatus() != 0 {
		t.Errorf("AddPort: %v", r)
	}
	if r := b.data(stream, "nonsense", nil, 0); r.GetError() != 0 || r.GetStatus() != uint32(spoolerr.CodeInvalidParameter) || r.GetMessage() == "" {
		t.Errorf("what the monitor refuses: %v", r)
	}
	if r := b.data(stream, "AddPort", portconfig.Encode("A", nil), 0); r.GetError() != uint32(spoolerr.CodeAlreadyExists) || r.GetStatus() != 0 {
		t.Errorf("what the host refuses: %v", r)
	}
	b.must(stream.CloseSend())
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("the end: %v", err)
	}
}

func TestXcvResult(t *testing.T) {
	if r := xcvResult([]byte("four"), nil, 3); r.GetStatus() != 122 || r.GetOutputNeeded() != 4 || r.GetOutput() != nil || r.GetError() != 0 {
		t.Errorf("a small buffer: %v", r)
	}
	if r := xcvResult([]byte("four"), nil, 4); r.GetStatus() != 0 || r.GetOutputNeeded() != 4 || string(r.GetOutput()) != "four" {
		t.Errorf("a fitting buffer: %v", r)
	}
}

func TestXcvRefusals(t *testing.T) {
	b := newBench(t)
	for name, c := range map[string]struct {
		uid  int64
		open *apiv1.XcvOpen
		code spoolerr.Code
	}{
		"no object":       {root, &apiv1.XcvOpen{}, spoolerr.CodeInvalidName},
		"unknown monitor": {root, &apiv1.XcvOpen{Object: ",XcvMonitor Nobody"}, spoolerr.CodeInvalidName},
		"unknown port":    {root, &apiv1.XcvOpen{Object: ",XcvPort Nowhere"}, spoolerr.CodeInvalidName},
		"unknown spooler": {root, &apiv1.XcvOpen{Object: `\\NTPRINT\,XcvMonitor ` + monitorName}, spoolerr.NotFound.DefaultCode()},
		"operator, admin": {operator, &apiv1.XcvOpen{Object: ",XcvMonitor " + monitorName, DesiredAccess: 1}, spoolerr.CodeAccessDenied},
		"user, admin":     {ann, &apiv1.XcvOpen{Object: ",XcvMonitor " + monitorName, DesiredAccess: 3}, spoolerr.CodeAccessDenied},
	} {
		if _, _, err := b.xcv(t.Context(), c.uid, c.open); spoolerr.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestXcvSessionsAreBounded: and those whose client vanished do not count.
func TestXcvSessionsAreBounded(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithCancel(t.Context())
	for range xcvSessions().PerCaller {
		_, _, err := b.xcv(ctx, root, onMonitor())
		b.must(err)
	}
	if _, _, err := b.xcv(t.Context(), root, onMonitor()); !errors.Is(err, spoolerr.Exhausted) {
		t.Errorf("one more: %v", err)
	}
	cancel()
	b.until("there is room again", func() bool {
		_, _, err := b.xcv(t.Context(), root, onMonitor())
		return err == nil
	})
}
