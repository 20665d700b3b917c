package spoolgrpc

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func TestRoundTripOfEveryKind(t *testing.T) {
	for k := spoolerr.Kind(0); k.Valid(); k++ {
		for _, code := range []spoolerr.Code{0, spoolerr.CodeUnknownPort} {
			in := fmt.Errorf("outer: %w", spoolerr.New(k, code, "port %q", "P1"))
			out := FromStatus(ToStatus(in))
			if !errors.Is(out, k) {
				t.Errorf("kind %v came back as %v", k, spoolerr.KindOf(out))
			}
			if got, want := spoolerr.CodeOf(out), spoolerr.CodeOf(in); got != want {
				t.Errorf("kind %v: code %d came back as %d", k, want, got)
			}
			if out.Error() != in.Error() {
				t.Errorf("message %q came back as %q", in, out)
			}
		}
	}
}

func TestNil(t *testing.T) {
	if ToStatus(nil) != nil || FromStatus(nil) != nil {
		t.Error("nil is not nil")
	}
}

func TestStatusWithoutDetail(t *testing.T) {
	err := FromStatus(status.Error(codes.Unimplemented, "unknown service"))
	if !errors.Is(err, spoolerr.Unsupported) || spoolerr.CodeOf(err) != spoolerr.CodeNotSupported {
		t.Errorf("got %v, code %d", err, spoolerr.CodeOf(err))
	}
}

func TestPeerTextIsCleaned(t *testing.T) {
	err := FromStatus(status.Error(codes.Internal, "a\x1b[31m\x00b\xff"+strings.Repeat("x", 10000)))
	if strings.ContainsAny(err.Error(), "\x1b\x00") || !utf8.ValidString(err.Error()) || len(err.Error()) > 2*maxMessage {
		t.Errorf("not cleaned: %.60q (%d bytes)", err, len(err.Error()))
	}
}

func FuzzClean(f *testing.F) {
	f.Add("\x1b[0m\xff")
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range Clean(s) {
			if r < ' ' || r == 0x7f {
				t.Fatalf("control character %q left", r)
			}
		}
	})
}
