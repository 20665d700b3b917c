package wire

import (
	"context"

	hostservicev1 "github.com/spoolhost/spoolhost/proto/spoolhost/hostservice/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

// Xcv gives the way to the server module of the dialogue that token stands for.
func (h *Host) Xcv(token string) func(ctx context.Context, name string, in []byte) ([]byte, error) {
	client := hostservicev1.NewXcvClient(h.conn)
	return func(ctx context.Context, name string, in []byte) ([]byte, error) {
		r, err := client.XcvData(ctx, &hostservicev1.XcvDataRequest{Token: token, DataName: name, Input: in})
		if err != nil {
			return nil, spoolgrpc.FromStatus(err)
		}
		return r.GetOutput(), nil
	}
}
