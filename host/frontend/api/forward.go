package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/spoolhost/spoolhost/host/cluster"
	"github.com/spoolhost/spoolhost/host/cluster/modulefile"
	"github.com/spoolhost/spoolhost/host/frontend/access"
	"github.com/spoolhost/spoolhost/host/spooler"
	"github.com/spoolhost/spoolhost/host/store"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

// Cluster is what the API needs of the host's cluster.
type Cluster struct {
	Node *cluster.Node
	// Dial gives the connection to another node's API, which stays the caller's of New.
	Dial func(m cluster.Member) (grpc.ClientConnInterface, error)
	// FromNode says that the other end of a connection has proved to be a node of this
	// cluster: only of such a one is it believed who asks.
	FromNode func(ctx context.Context) bool
	// Intake gives a spooler that takes jobs for a printer of one that another node owns.
	Intake func(ctx context.Context, spoolerName, printer string) (*spooler.Spooler, error)
	// Modules are the modules that are stored in the cluster.
	Modules *modulefile.Keeper
	// StorageProblem says why this node cannot write to the shared directory; empty: it can.
	StorageProblem func() string
}

// routePatience is how long a request waits for a spooler to have an owner: longer than a
// failover under the default lease.
const routePatience = 12 * time.Second

const (
	callerHeader   = "spoolhost-caller-bin" // who asks, of a request that was passed on
	notOwnerHeader = "spoolhost-not-owner"  // the request was not carried out
)

type carriedKey struct{}

// carried finds out who asks, if the request comes from another node.
func (s *Server) carried(ctx context.Context) (context.Context, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	who := md.Get(callerHeader)
	if len(who) == 0 {
		return ctx, nil
	}
	if s.cfg.Cluster == nil || !s.cfg.Cluster.FromNode(ctx) {
		return ctx, spoolerr.New(spoolerr.Denied, 0, "a request was passed on by somebody who is no node of this cluster")
	}
	var c access.Caller
	if err := json.Unmarshal([]byte(who[0]), &c); err != nil {
		return ctx, spoolerr.As(err, spoolerr.Invalid, "the caller of a request that was passed on cannot be read")
	}
	return context.WithValue(ctx, carriedKey{}, caller{Caller: c}), nil
}

// routeUnary passes a request on to the owner of its spooler. Who asks is known already,
// and may.
func (s *Server) routeUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	name := spoolerNamed(req)
	if s.cfg.Cluster == nil || name == "" {
		return next(ctx, req)
	}
	for until := time.Now().Add(routePatience); ; {
		conn, here, err := s.route(ctx, name, until)
		if err != nil {
			return nil, err
		}
		if here {
			reply, err := s.asOwner(ctx, name, req, next)
			if !errors.Is(err, errGone) || time.Now().After(until) {
				return reply, err
			}
			continue
		}
		_, reply, err := messagesOf(info.FullMethod)
		if err != nil {
			return nil, err
		}
		var trailer metadata.MD
		owned, release := s.whileOwned(ctx, name)
		err = conn.Invoke(passOn(owned, callerOf(ctx).Caller), info.FullMethod, req, reply, grpc.Trailer(&trailer))
		release()
		if err == nil || !s.again(ctx, err, trailer, until) {
			return reply, ownerLost(ctx, name, err)
		}
	}
}

// errGone: the spooler was closed here before the request reached it.
var errGone = errors.New("the spooler is not open here any more")

// asOwner carries a request out. Its answer counts only if the lease under which it was
// found still holds: this process may have been stopped meanwhile, and another node have
// gone on.
func (s *Server) asOwner(ctx context.Context, name string, req any, next grpc.UnaryHandler) (any, error) {
	node := s.cfg.Cluster.Node
	session := node.Session()
	reply, err := next(ctx, req)
	if err = s.gone(ctx, name, fenced(err)); err == nil && !node.Holds(session) {
		return nil, spoolerr.New(spoolerr.Unavailable, 0,
			"this node lost spooler %s before it could answer; whether what was asked for has been done is to be seen at its next owner", spool.Quote(name))
	}
	return reply, err
}

// fenced makes the error of an owner that is none any more one that a client understands.
func fenced(err error) error {
	if errors.Is(err, store.ErrFenced) {
		return spoolerr.As(err, spoolerr.Unavailable, "the spooler is going to another node; try again")
	}
	return err
}

// gone finds out whether a spooler was not found only because it has just been closed here.
func (s *Server) gone(ctx context.Context, name string, err error) error {
	if err == nil || spoolerr.KindOf(err) != spoolerr.NotFound || s.owns(name) {
		return err
	}
	_ = grpc.SetTrailer(ctx, metadata.Pairs(notOwnerHeader, ""))
	return spoolerr.As(errGone, spoolerr.Unavailable, "spooler %s is going to another node; try again", spool.Quote(name))
}

// routeStream is routeUnary for streams: their first message names the spooler. Jobs are
// taken by every node.
func (s *Server) routeStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	switch info.FullMethod { // every node tells what it knows
	case apiv1.Events_ListEvents_FullMethodName, apiv1.Events_ListNodeEvents_FullMethodName:
		return next(srv, stream)
	}
	if s.cfg.Cluster == nil {
		return next(srv, stream)
	}
	if info.FullMethod == apiv1.Jobs_SubmitJob_FullMethodName {
		return fenced(next(srv, stream))
	}
	first, _, err := messagesOf(info.FullMethod)
	if err != nil {
		return err
	}
	if err := stream.RecvMsg(first); err != nil {
		return err
	}
	again := proto.Clone(first)
	replayed := &replayedStream{ServerStream: stream, first: first}
	name := spoolerNamed(first)
	if name == "" {
		return next(srv, replayed)
	}
	ctx := stream.Context()
	for until := time.Now().Add(routePatience); ; {
		conn, here, err := s.route(ctx, name, until)
		switch {
		case err != nil:
			return err
		case here:
			err := s.gone(ctx, name, fenced(next(srv, replayed)))
			if !errors.Is(err, errGone) || time.Now().After(until) {
				return err
			}
			replayed = &replayedStream{ServerStream: stream, first: proto.Clone(again)}
			continue
		}
		from := &replayedStream{ServerStream: stream, first: proto.Clone(again)}
		owned, release := s.whileOwned(ctx, name)
		err = pump(passOn(owned, callerOf(ctx).Caller), from, conn, info)
		release()
		if err == nil || info.IsClientStream || !s.again(ctx, err, nil, until) {
			return ownerLost(ctx, name, err)
		}
	}
}

// whileOwned ends a request that was passed on when the spooler gets another owner: the one
// that it went to may be stopped, and never answer.
func (s *Server) whileOwned(ctx context.Context, name string) (_ context.Context, release func()) {
	ctx, cancel := context.WithCancel(ctx)
	view, changed := s.cfg.Cluster.Node.View()
	first, _, _ := view.OwnerOf(name)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
			if view, changed = s.cfg.Cluster.Node.View(); view.Owners[spool.Fold(name)].Epoch != first.Epoch {
				cancel()
				return
			}
		}
	}()
	return ctx, func() {
		cancel()
		<-done
	}
}

// ownerLost makes an error of a request that was passed on a plain one.
func ownerLost(ctx context.Context, name string, err error) error {
	code := status.Code(err)
	lost := code == codes.Canceled || code == codes.Unavailable && strings.Contains(err.Error(), "transport")
	if err == nil || ctx.Err() != nil || !lost {
		return spoolgrpc.FromStatus(err)
	}
	// Not what gRPC says of it: that is of sockets, and goes to people, print dialogs too.
	return spoolerr.New(spoolerr.Unavailable, 0, "the node that owned spooler %s did not answer to the end; try again, and see spoolhost spooler show %s", spool.Quote(name), name)
}

// owns says whether a spooler is open on this host.
func (s *Server) owns(name string) bool {
	_, err := s.spooler(name)
	return err == nil
}

// route finds the owner of a spooler: this host, or another. It waits until there is one.
// A request that was passed on already is not passed on again.
func (s *Server) route(ctx context.Context, name string, until time.Time) (conn grpc.ClientConnInterface, here bool, err error) {
	_, passedOn := ctx.Value(carriedKey{}).(caller)
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	if s.owns(name) {
		return nil, true, nil
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		m, err := s.cfg.Cluster.Node.WaitOwner(ctx, name)
		switch {
		case err != nil:
			return nil, false, err
		case s.owns(name):
			return nil, true, nil
		case m.Name != s.cfg.Cluster.Node.Name() && passedOn:
			_ = grpc.SetTrailer(ctx, metadata.Pairs(notOwnerHeader, m.Name))
			return nil, false, spoolerr.New(spoolerr.Unavailable, 0, "spooler %s has moved to node %s; try again", spool.Quote(name), m.Name)
		case m.Name != s.cfg.Cluster.Node.Name():
			conn, err := s.cfg.Cluster.Dial(m)
			return conn, false, err
		}
		select {
		case <-tick.C: // it is this node's, and is being opened
		case <-ctx.Done():
			if n := s.cfg.Cluster.Node; n.Session() == "" {
				return nil, false, spoolerr.New(spoolerr.Unavailable, 0, "spooler %s cannot be asked: %s", spool.Quote(name), noLease(n))
			}
			return nil, false, spoolerr.New(spoolerr.Unavailable, 0,
				"spooler %s is being opened by node %s; try again, or see spoolhost spooler show %s", spool.Quote(name), m.Name, name)
		}
	}
}

// again says whether a request that failed was not carried out and may be tried again: its
// owner has changed, or could not be reached at all.
func (s *Server) again(ctx context.Context, err error, trailer metadata.MD, until time.Time) bool {
	unreached := status.Code(err) == codes.Unavailable && strings.Contains(err.Error(), "while dialing")
	if len(trailer.Get(notOwnerHeader)) == 0 && !unreached || time.Now().After(until) {
		return false
	}
	t := time.NewTimer(100 * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// passOn tells the owner who asks.
func passOn(ctx context.Context, c access.Caller) context.Context {
	who, err := json.Marshal(c)
	if err != nil { // a few strings and numbers
		panic("api: " + err.Error())
	}
	return metadata.NewOutgoingContext(ctx, metadata.Pairs(callerHeader, string(who)))
}

// pump carries a stream to the owner and back.
func pump(ctx context.Context, from *replayedStream, conn grpc.ClientConnInterface, info *grpc.StreamServerInfo) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	desc := &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}
	to, err := conn.NewStream(ctx, desc, info.FullMethod)
	if err != nil {
		return err
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		forwardRequests(from, to, info)
	}()
	_, reply, err := messagesOf(info.FullMethod)
	for err == nil {
		proto.Reset(reply)
		if err = to.RecvMsg(reply); err == nil {
			err = from.SendMsg(reply)
		}
	}
	cancel()
	if !info.IsClientStream {
		<-sent // else it may wait for its client, whose stream ends with this function
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func forwardRequests(from *replayedStream, to grpc.ClientStream, info *grpc.StreamServerInfo) {
	defer func() { _ = to.CloseSend() }()
	for {
		request, _, err := messagesOf(info.FullMethod)
		if err != nil || from.RecvMsg(request) != nil || to.SendMsg(request) != nil || !info.IsClientStream {
			return
		}
	}
}

// replayedStream is a stream whose first message has been read, and comes again.
type replayedStream struct {
	grpc.ServerStream
	first proto.Message
}

// RecvMsg implements grpc.ServerStream.
func (s *replayedStream) RecvMsg(m any) error {
	to, ok := m.(proto.Message)
	if s.first == nil || !ok {
		return s.ServerStream.RecvMsg(m)
	}
	proto.Merge(to, s.first)
	s.first = nil
	return nil
}

// messagesOf makes an empty request and reply of a method.
func messagesOf(method string) (request, reply proto.Message, err error) {
	name := protoreflect.FullName(strings.ReplaceAll(strings.TrimPrefix(method, "/"), "/", "."))
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(name)
	if err != nil {
		return nil, nil, spoolerr.As(err, spoolerr.Unsupported, "method %s", method)
	}
	d, ok := found.(protoreflect.MethodDescriptor)
	if !ok {
		return nil, nil, spoolerr.New(spoolerr.Unsupported, 0, "method %s is none", method)
	}
	in, err := protoregistry.GlobalTypes.FindMessageByName(d.Input().FullName())
	if err != nil {
		return nil, nil, spoolerr.As(err, spoolerr.Unsupported, "method %s", method)
	}
	out, err := protoregistry.GlobalTypes.FindMessageByName(d.Output().FullName())
	if err != nil {
		return nil, nil, spoolerr.As(err, spoolerr.Unsupported, "method %s", method)
	}
	return in.New().Interface(), out.New().Interface(), nil
}

// spoolerNamed gives the spooler that a request names: in a field of its own, or in that of
// the header that begins a stream.
func spoolerNamed(req any) string {
	m, ok := req.(proto.Message)
	if !ok {
		return ""
	}
	name := fieldSpooler(m.ProtoReflect())
	m.ProtoReflect().Range(func(d protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if name == "" && d.Kind() == protoreflect.MessageKind && !d.IsList() && !d.IsMap() {
			name = fieldSpooler(v.Message())
		}
		return name == ""
	})
	if spool.Fold(name) == spool.Fold(spooler.NodeName) {
		return ""
	}
	return name
}

func fieldSpooler(m protoreflect.Message) string {
	d := m.Descriptor().Fields().ByName("spooler")
	if d == nil || d.Kind() != protoreflect.StringKind || d.IsList() {
		return ""
	}
	return m.Get(d).String()
}
