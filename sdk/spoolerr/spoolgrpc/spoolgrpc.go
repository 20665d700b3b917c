// Package spoolgrpc maps spoolerr errors to gRPC statuses and back. It is the only place
// that does. sdk/wire, the Serve functions and the host's front ends import it; vendors
// do not.
package spoolgrpc

import (
	"context"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pluginv1 "github.com/spoolhost/spoolhost/proto/spoolhost/plugin/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// maxMessage bounds an error's text on the wire, in bytes: a peer's message ends in the
// host's records.
const maxMessage = 4096

func toCode(k spoolerr.Kind) codes.Code {
	switch k {
	case spoolerr.Invalid:
		return codes.InvalidArgument
	case spoolerr.NotFound, spoolerr.BadHandle:
		return codes.NotFound
	case spoolerr.Exists:
		return codes.AlreadyExists
	case spoolerr.Denied:
		return codes.PermissionDenied
	case spoolerr.Busy, spoolerr.Precondition:
		return codes.FailedPrecondition
	case spoolerr.TimedOut:
		return codes.DeadlineExceeded
	case spoolerr.NotReady, spoolerr.Unavailable, spoolerr.Exited:
		return codes.Unavailable
	case spoolerr.Unsupported:
		return codes.Unimplemented
	case spoolerr.Cancelled:
		return codes.Canceled
	case spoolerr.Corrupt:
		return codes.DataLoss
	case spoolerr.NoSpace, spoolerr.Exhausted:
		return codes.ResourceExhausted
	case spoolerr.MoreData, spoolerr.NoMoreItems:
		return codes.OutOfRange
	default:
		return codes.Internal
	}
}

// fromCode is for statuses without a detail: they come from gRPC itself.
func fromCode(c codes.Code) spoolerr.Kind {
	switch c {
	case codes.InvalidArgument, codes.OutOfRange:
		return spoolerr.Invalid
	case codes.NotFound:
		return spoolerr.NotFound
	case codes.AlreadyExists:
		return spoolerr.Exists
	case codes.PermissionDenied, codes.Unauthenticated:
		return spoolerr.Denied
	case codes.FailedPrecondition:
		return spoolerr.Precondition
	case codes.DeadlineExceeded:
		return spoolerr.TimedOut
	case codes.Unavailable, codes.Aborted:
		return spoolerr.Unavailable
	case codes.Unimplemented:
		return spoolerr.Unsupported
	case codes.Canceled:
		return spoolerr.Cancelled
	case codes.DataLoss:
		return spoolerr.Corrupt
	case codes.ResourceExhausted:
		return spoolerr.Exhausted
	default:
		return spoolerr.Internal
	}
}

// ToStatus gives the gRPC error for err; nil for nil. What is a status already, such as
// the Unimplemented of a method that is not served, stays what it is.
func ToStatus(err error) error {
	if err == nil {
		return nil
	}
	var own *spoolerr.Error
	if _, isStatus := err.(interface{ GRPCStatus() *status.Status }); isStatus && !errors.As(err, &own) {
		return err
	}
	kind, code := spoolerr.KindOf(err), spoolerr.CodeOf(err)
	if code == spoolerr.CodeSuccess || !kind.Valid() {
		kind, code = spoolerr.Internal, spoolerr.CodeGenFailure
	}
	st := status.New(toCode(kind), Clean(err.Error()))
	if detailed, detailErr := st.WithDetails(&pluginv1.ErrorDetail{Kind: uint32(kind), Win32Code: uint32(code)}); detailErr == nil {
		st = detailed
	}
	return st.Err()
}

// FromStatus gives the spoolerr error for a gRPC error; nil for nil. Nothing in it is
// trusted: unknown kinds become Internal, a code of 0 the kind's default, and control
// characters are taken out of the message.
func FromStatus(err error) error {
	if err == nil {
		return nil
	}
	var own *spoolerr.Error
	if errors.As(err, &own) {
		return err
	}
	st, ok := status.FromError(err)
	if !ok {
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			st = status.FromContextError(err)
		} else {
			return spoolerr.As(err, spoolerr.Internal, "")
		}
	}
	kind, code := fromCode(st.Code()), spoolerr.Code(0)
	for _, d := range st.Details() {
		if detail, ok := d.(*pluginv1.ErrorDetail); ok {
			if k := spoolerr.Kind(detail.GetKind()); k.Valid() {
				kind = k
			} else {
				kind = spoolerr.Internal
			}
			code = spoolerr.Code(detail.GetWin32Code())
			break
		}
	}
	message := Clean(st.Message())
	if strings.TrimSpace(message) == "" {
		message = "no reason is given (" + st.Code().String() + ")"
	}
	return spoolerr.New(kind, code, "%s", message)
}

// Clean makes a peer's text fit for logs and records: valid UTF-8, no control
// characters, bounded.
func Clean(s string) string {
	if len(s) > maxMessage {
		s = s[:maxMessage]
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r == utf8.RuneError || unicode.IsControl(r):
			return '\ufffd'
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}
