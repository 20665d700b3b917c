package driverwire

import (
	"context"
	"testing"
	"unicode/utf8"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	driverv1 "github.com/spoolhost/spoolhost/proto/spoolhost/driver/v1"
	"github.com/spoolhost/spoolhost/sdk/driver"
)

// hostile is a driver's module that answers with what a fuzzer makes up.
type hostile struct {
	grpc.ClientConnInterface
	status  *spb.Status
	unknown []byte
}

func (h hostile) Invoke(_ context.Context, _ string, _, reply any, _ ...grpc.CallOption) error {
	if m, ok := reply.(proto.Message); ok {
		m.ProtoReflect().SetUnknown(h.unknown)
	}
	return status.ErrorProto(h.status)
}

// FuzzReplies: whatever status a driver's module answers with, details and all, the host gets
// success or an error that says something in valid UTF-8.
func FuzzReplies(f *testing.F) {
	for _, seed := range []*spb.Status{{}, {Code: 5, Message: "no such printer"}, {Code: 99, Message: "\x00\xff"}, {Code: -1}} {
		b, err := proto.Marshal(seed)
		if err != nil {
			b = []byte(seed.GetMessage())
		}
		f.Add(b, []byte{8, 1})
	}
	f.Fuzz(func(t *testing.T, answer, unknown []byte) {
		s := &spb.Status{}
		if proto.Unmarshal(answer, s) != nil {
			return // gRPC does not let it through
		}
		d := &Driver{client: driverv1.NewPrinterDriverClient(hostile{status: s, unknown: unknown})}
		err := d.DrvPrinterEvent(t.Context(), driver.PrinterEvent{Event: driver.Initialize, PrinterName: "p"}, "token")
		if (err == nil) != (s.GetCode() == 0) {
			t.Errorf("code %d is %v", s.GetCode(), err)
		}
		if err != nil && (err.Error() == "" || !utf8.ValidString(err.Error())) {
			t.Errorf("%q", err)
		}
	})
}
