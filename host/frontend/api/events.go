package api

import (
	"context"

	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/host/eventlog"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

type eventsServer struct {
	apiv1.UnimplementedEventsServer
	*Server
}

func (s *eventsServer) ListEvents(r *apiv1.ListEventsRequest, stream grpc.ServerStreamingServer[apiv1.ListEventsResponse]) error {
	if s.cfg.Cluster != nil && spoolerNamed(r) != "" {
		return s.listClusterEvents(r, stream)
	}
	return s.listEvents(stream.Context(), r, 0, func(page []*apiv1.Event) error {
		return stream.Send(&apiv1.ListEventsResponse{Events: page})
	})
}

func (s *eventsServer) ListNodeEvents(r *apiv1.ListNodeEventsRequest, stream grpc.ServerStreamingServer[apiv1.ListNodeEventsResponse]) error {
	if _, carried := stream.Context().Value(carriedKey{}).(caller); !carried {
		return spoolerr.New(spoolerr.Denied, 0, "events of one node are for nodes of its cluster only; ask for the events of a spooler")
	}
	return s.listEvents(stream.Context(), r.GetEvents(), r.GetAfterSeq(), func(page []*apiv1.Event) error {
		return stream.Send(&apiv1.ListNodeEventsResponse{Events: page})
	})
}

// listEvents gives the events of this host.
func (s *Server) listEvents(ctx context.Context, r *apiv1.ListEventsRequest, after uint64, send func([]*apiv1.Event) error) error {
	f := eventlog.Filter{Spooler: r.GetSpooler(), Object: r.GetObject(), Name: r.GetObjectName(), Limit: int(r.GetLimit()), AfterSeq: after}
	for _, id := range r.GetIds() {
		f.IDs = append(f.IDs, eventlog.ID(id))
	}
	if r.GetSeverity() != "" {
		if err := f.MinSeverity.UnmarshalText([]byte(r.GetSeverity())); err != nil {
			return err
		}
	}
	if !r.GetFollow() {
		return pages(s.cfg.Events.Select(f), func(page []eventlog.Event) error { return send(convertAll(page, eventToProto)) })
	}
	for e := range s.cfg.Events.Follow(ctx, f) {
		if err := send([]*apiv1.Event{eventToProto(e)}); err != nil {
			return err
		}
	}
	return cutOff(ctx)
}

func eventToProto(e eventlog.Event) *apiv1.Event {
	return &apiv1.Event{
		Seq: e.Seq, Time: stamp(e.Time), Id: uint32(e.ID), Name: e.ID.String(), Severity: e.Severity.String(),
		Spooler: e.Spooler, Object: e.Object, ObjectName: e.Name, Text: e.Text,
	}
}
