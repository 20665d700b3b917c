package api

import (
	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/host/eventlog"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

type eventsServer struct {
	apiv1.UnimplementedEventsServer
	*Server
}

func (s *eventsServer) ListEvents(r *apiv1.ListEventsRequest, stream grpc.ServerStreamingServer[apiv1.ListEventsResponse]) error {
	f := eventlog.Filter{Spooler: r.GetSpooler(), Object: r.GetObject(), Name: r.GetObjectName(), Limit: int(r.GetLimit())}
	for _, id := range r.GetIds() {
		f.IDs = append(f.IDs, eventlog.ID(id))
	}
	if r.GetSeverity() != "" {
		if err := f.MinSeverity.UnmarshalText([]byte(r.GetSeverity())); err != nil {
			return err
		}
	}
	if !r.GetFollow() {
		return pages(s.cfg.Events.Select(f), func(page []eventlog.Event) error {
			return stream.Send(&apiv1.ListEventsResponse{Events: convertAll(page, eventToProto)})
		})
	}
	for e := range s.cfg.Events.Follow(stream.Context(), f) {
		if err := stream.Send(&apiv1.ListEventsResponse{Events: []*apiv1.Event{eventToProto(e)}}); err != nil {
			return err
		}
	}
	return cutOff(stream.Context())
}

func eventToProto(e eventlog.Event) *apiv1.Event {
	return &apiv1.Event{
		Seq: e.Seq, Time: stamp(e.Time), Id: uint32(e.ID), Name: e.ID.String(), Severity: e.Severity.String(),
		Spooler: e.Spooler, Object: e.Object, ObjectName: e.Name, Text: e.Text,
	}
}
