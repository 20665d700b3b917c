package pointprintwire

import (
	"context"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pointprintv1 "github.com/spoolhost/spoolhost/proto/spoolhost/pointprint/v1"
	"github.com/spoolhost/spoolhost/sdk/pointprint"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// hostile is a module that answers with what a fuzzer makes up.
type hostile struct {
	grpc.ClientConnInterface
	reply  *pointprintv1.GenerateCopyFilePathsResponse
	code   codes.Code
	said   string
	calls  int
	unseen error // what was asked for that no host may ask for
}

func (h *hostile) Invoke(_ context.Context, _ string, args, reply any, _ ...grpc.CallOption) error {
	h.calls++
	if r, ok := args.(*pointprintv1.GenerateCopyFilePathsRequest); ok && (r.GetSourceDirSize() > mostRoom || r.GetTargetDirSize() > mostRoom) {
		h.unseen = spoolerr.New(spoolerr.Internal, 0, "room for %d and %d", r.GetSourceDirSize(), r.GetTargetDirSize())
	}
	if h.code != codes.OK {
		return status.Error(h.code, h.said)
	}
	if m, ok := reply.(*pointprintv1.GenerateCopyFilePathsResponse); ok {
		proto.Merge(m, h.reply)
	}
	return nil
}

// FuzzReplies: whatever a module answers, the host gets directories that fit and have no
// control characters, or an error; and it asks twice at most.
func FuzzReplies(f *testing.F) {
	f.Add(uint32(0), "\\\\S\\PRINT$\\Color", "Color", uint32(16), uint32(6), uint32(0), "")
	f.Add(uint32(0), "", "", uint32(0), uint32(0), uint32(0), "")
	f.Add(uint32(0), "a\x00b", "c\n", uint32(4), uint32(4), uint32(0), "")
	f.Add(uint32(122), "", "", uint32(300), uint32(1<<31), uint32(0), "")
	f.Add(uint32(122), "", "", uint32(1000), uint32(1000), uint32(0), "")
	f.Add(uint32(7), "x", "y", uint32(1), uint32(1), uint32(0), "")
	f.Add(uint32(0), "x", strings.Repeat("y", 300), uint32(1), uint32(1), uint32(5), "no\x00such")
	f.Fuzz(func(t *testing.T, state uint32, source, target string, sourceSize, targetSize, code uint32, said string) {
		h := &hostile{code: codes.Code(code % 17), said: said, reply: &pointprintv1.GenerateCopyFilePathsResponse{
			Status: state, SourceDir: source, TargetDir: target, SourceDirSize: sourceSize, TargetDirSize: targetSize,
		}}
		m := &Module{client: pointprintv1.NewPointAndPrintClient(h)}
		d, err := m.GenerateCopyFilePaths(t.Context(), pointprint.CopyFilePaths{Dirs: pointprint.Dirs{SourceDir: `\\S\PRINT$\Color`, TargetDir: "Color"}}, "token")
		if h.calls > 2 || h.unseen != nil {
			t.Errorf("%d calls, %v", h.calls, h.unseen)
		}
		if err != nil {
			if err.Error() == "" {
				t.Errorf("an error that says nothing: %#v", err)
			}
			return
		}
		for _, dir := range []string{d.SourceDir, d.TargetDir} {
			if dir == "" || units(dir) > mostRoom || !utf8.ValidString(dir) || strings.ContainsFunc(dir, unicode.IsControl) {
				t.Errorf("%q was let through", dir)
			}
		}
		if state != 0 || h.code != codes.OK {
			t.Errorf("status %d and code %s are success", state, h.code)
		}
	})
}
