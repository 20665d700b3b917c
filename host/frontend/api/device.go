package api

import (
	"context"
	"slices"
	"strings"

	"github.com/spoolhost/spoolhost/host/frontend/access"
	"github.com/spoolhost/spoolhost/host/portmon"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// mostBidiItems bounds one SendRecvBidiData.
const mostBidiItems = 256

func (s *portsServer) SendRecvBidiData(ctx context.Context, r *apiv1.SendRecvBidiDataRequest) (*apiv1.SendRecvBidiDataResponse, error) {
	requests, err := bidiFromProto(r.GetItems())
	if err != nil {
		return nil, err
	}
	rights := spool.BidiAccessUser
	if callerOf(ctx).Role >= access.Administrator {
		rights = spool.BidiAccessAdministrator
	}
	var answers []spool.BidiResponse
	err = s.withPort(ctx, r, func(ctx context.Context, p *portmon.Port) (err error) {
		answers, err = p.SendRecvBidiData(ctx, rights, r.GetAction(), requests)
		return err
	})
	if err != nil {
		return nil, err
	}
	resp := &apiv1.SendRecvBidiDataResponse{}
	for _, a := range answers {
		resp.Items = append(resp.Items, &apiv1.BidiItem{
			Number: a.Number, Schema: a.Schema, Result: a.Result,
			Type: a.Data.Type.String(), Value: strings.ToValidUTF8(a.Data.String(), "\ufffd"),
		})
	}
	return resp, nil
}

func (s *portsServer) SetPortTimeOuts(ctx context.Context, r *apiv1.SetPortTimeOutsRequest) (*apiv1.SetPortTimeOutsResponse, error) {
	err := s.withPort(ctx, r, func(ctx context.Context, p *portmon.Port) error {
		return p.SetTimeOuts(ctx, spool.TimeOuts{
			ReadInterval: r.GetReadInterval(), ReadTotalMultiplier: r.GetReadTotalMultiplier(), ReadTotalConstant: r.GetReadTotalConstant(),
			WriteTotalMultiplier: r.GetWriteTotalMultiplier(), WriteTotalConstant: r.GetWriteTotalConstant(),
		})
	})
	return &apiv1.SetPortTimeOutsResponse{}, err
}

func (s *portsServer) GetPrinterData(ctx context.Context, r *apiv1.GetPrinterDataRequest) (*apiv1.GetPrinterDataResponse, error) {
	resp := &apiv1.GetPrinterDataResponse{}
	err := s.withPort(ctx, r, func(ctx context.Context, p *portmon.Port) (err error) {
		resp.Output, err = p.GetPrinterData(ctx, r.GetControlId(), r.GetValueName(), r.GetInput())
		return err
	})
	return resp, err
}

// aboutPort is a request that names a port.
type aboutPort interface {
	GetSpooler() string
	GetName() string
}

func (s *portsServer) withPort(ctx context.Context, r aboutPort, call func(context.Context, *portmon.Port) error) error {
	sp, err := s.spooler(r.GetSpooler())
	if err != nil {
		return err
	}
	return sp.WithPort(ctx, r.GetName(), call)
}

func bidiFromProto(items []*apiv1.BidiItem) ([]spool.BidiRequest, error) {
	if len(items) > mostBidiItems {
		return nil, spoolerr.New(spoolerr.Invalid, 0, "%d bidi items are too many; send at most %d at once", len(items), mostBidiItems)
	}
	requests := make([]spool.BidiRequest, 0, len(items))
	for _, i := range items {
		t, err := bidiType(i.GetType())
		if err != nil {
			return nil, err
		}
		data, ok := spool.ParseBidi(t, i.GetValue())
		if !ok {
			return nil, spoolerr.New(spoolerr.Invalid, 0, "%s of %s is no %s", spool.Quote(i.GetValue()), spool.Quote(i.GetSchema()), t)
		}
		requests = append(requests, spool.BidiRequest{Number: i.GetNumber(), Schema: i.GetSchema(), Data: data})
	}
	return requests, nil
}

// bidiType reads a type's name; none is NULL.
func bidiType(name string) (spool.BidiType, error) {
	types := []spool.BidiType{
		spool.BidiNull, spool.BidiInt, spool.BidiFloat, spool.BidiBool, spool.BidiString, spool.BidiText, spool.BidiEnum, spool.BidiBlob,
	}
	i := slices.IndexFunc(types, func(t spool.BidiType) bool { return t.String() == strings.ToUpper(name) })
	switch {
	case name == "":
		return spool.BidiNull, nil
	case i < 0:
		return 0, spoolerr.New(spoolerr.Invalid, 0, "bidi type %s is unknown; use INT, FLOAT, BOOL, STRING, TEXT, ENUM or BLOB", spool.Quote(name))
	}
	return types[i], nil
}
