package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"time"
	"unicode/utf8"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/spoolhost/spoolhost/host/dial"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

// requestLimits gives every request its deadline, checks its text, and makes its errors
// readable.
type requestLimits struct {
	timeout time.Duration
	bounded bool
	explain func(context.Context, error) error
}

// bound puts the time-out on a request. An upload takes as long as the document, a watch
// as long as the job, a dialogue as long as a person thinks, and events may be followed
// for ever: only a --timeout that was given ends them.
func (l requestLimits) bound(ctx context.Context, method string) (context.Context, context.CancelFunc) {
	endless := method == apiv1.Jobs_SubmitJob_FullMethodName || method == apiv1.Jobs_WatchJob_FullMethodName ||
		method == apiv1.Events_ListEvents_FullMethodName || method == apiv1.Dialogues_Dialogue_FullMethodName ||
		method == apiv1.Connections_AddPrinterConnection_FullMethodName || method == apiv1.Connections_RefreshConnection_FullMethodName ||
		method == apiv1.Share_PutFile_FullMethodName || method == apiv1.Share_ReadFile_FullMethodName || method == apiv1.Drivers_AddPrinterDriver_FullMethodName
	if l.timeout == 0 || endless && !l.bounded {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, l.timeout)
}

func (l requestLimits) unary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if err := checkText(req); err != nil {
		return err
	}
	limited, cancel := l.bound(ctx, method)
	defer cancel()
	return l.explain(ctx, invoke(limited, method, req, reply, cc, opts...))
}

func (l requestLimits) stream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	limited, cancel := l.bound(ctx, method)
	inner, err := open(limited, desc, cc, method, opts...)
	if err != nil {
		cancel()
		return nil, l.explain(ctx, err)
	}
	return &limitedStream{ClientStream: inner, explain: func(err error) error { return l.explain(ctx, err) }, cancel: cancel}, nil
}

// limitedStream is a stream under requestLimits. Its deadline is given back when the
// stream ends, which RecvMsg is the one to see.
type limitedStream struct {
	grpc.ClientStream
	explain func(error) error
	cancel  context.CancelFunc
}

func (s *limitedStream) SendMsg(m any) error {
	if err := checkText(m); err != nil {
		return err
	}
	return s.explain(s.ClientStream.SendMsg(m))
}

func (s *limitedStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	if err != nil {
		s.cancel()
	}
	return s.explain(err)
}

// checkText refuses text that protobuf cannot carry, and says which. Without it the
// person would read about a marshaller.
func checkText(m any) error {
	msg, ok := m.(proto.Message)
	if !ok {
		return nil
	}
	var bad error
	msg.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		bad = checkField(field, value)
		return bad == nil
	})
	return bad
}

func checkField(field protoreflect.FieldDescriptor, value protoreflect.Value) (bad error) {
	check := func(v protoreflect.Value) bool {
		switch x := v.Interface().(type) {
		case string:
			bad = checkUTF8(field, x)
		case protoreflect.Message:
			bad = checkText(x.Interface())
		}
		return bad == nil
	}
	switch {
	case field.IsMap():
		value.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool { return check(k.Value()) && check(v) })
	case field.IsList():
		for i := 0; i < value.List().Len() && check(value.List().Get(i)); i++ {
		}
	default:
		check(value)
	}
	return bad
}

func checkUTF8(field protoreflect.FieldDescriptor, s string) error {
	if utf8.ValidString(s) {
		return nil
	}
	return spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidName, "%s %s is not valid UTF-8", field.TextName(), spool.Quote(s))
}

// explain makes a spoolerr error of what a request returned. The host's own errors carry
// a detail and already name the object; those without come from the connection, and here
// is the only place that knows the address. io.EOF, the end of a stream, stays.
func (d *dialer) explain(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	st, ok := status.FromError(err)
	if ok && st.Code() == codes.Canceled && ctx.Err() == nil {
		return spoolerr.New(spoolerr.Unavailable, 0,
			"the host at %s gave up the request (%s); it may be stopping, try again", d.addr, spoolgrpc.Clean(st.Message()))
	}
	if !ok || len(st.Details()) > 0 {
		return spoolgrpc.FromStatus(err)
	}
	switch st.Code() {
	case codes.Unavailable:
		return d.unavailable(st)
	case codes.DeadlineExceeded:
		return d.timedOut()
	case codes.Canceled:
		return spoolerr.New(spoolerr.Cancelled, 0, "interrupted")
	case codes.Unimplemented:
		return spoolerr.New(spoolerr.Unsupported, 0,
			"the host at %s does not know this request; \"spoolhost version\" shows whether it is older than this command", d.addr)
	}
	return spoolgrpc.FromStatus(err)
}

func (d *dialer) unavailable(st *status.Status) error {
	connected, last := d.state()
	var known *spoolerr.Error
	switch {
	case errors.As(last, &known): // over TLS, whoever answered was not taken for the host
		return last
	case errors.Is(last, fs.ErrPermission):
		return spoolerr.New(spoolerr.Denied, 0,
			"you may not use the host at %s: %s; ask its administrator for access, or name another with --addr or %s",
			d.addr, rootCause(last), addressVariable)
	case !connected && last != nil:
		return spoolerr.New(spoolerr.Unavailable, 0, "no host answers at %s: %s; %s", d.addr, rootCause(last), howToReach(d.addr))
	case !connected:
		return spoolerr.New(spoolerr.Unavailable, 0, "no host answers at %s; %s", d.addr, howToReach(d.addr))
	}
	var plain *spoolerr.Error
	if errors.As(dial.Explain(d.addr.String(), st.Err()), &plain) {
		return plain
	}
	return spoolerr.New(spoolerr.Unavailable, 0,
		"the host at %s broke off (%s); see whether it runs with \"spoolhost status\"", d.addr, spoolgrpc.Clean(st.Message()))
}

func (d *dialer) timedOut() error {
	if connected, last := d.state(); !connected && last != nil {
		return spoolerr.New(spoolerr.Unavailable, 0, "no host answers at %s: %s; %s", d.addr, rootCause(last), howToReach(d.addr))
	}
	return spoolerr.New(spoolerr.TimedOut, 0,
		"the host at %s did not answer within %s; allow it more with --timeout", d.addr, d.timeout)
}

// collect reads a stream of pages to its end.
func collect[R, T any](stream grpc.ServerStreamingClient[R], err error, items func(*R) []T) ([]T, error) {
	if err != nil {
		return nil, err
	}
	var all []T
	for {
		page, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, items(page)...)
	}
}
