package mscms

import (
	"context"
	"testing"

	"github.com/spoolhost/spoolhost/sdk/pointprinttest"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// nobody is a system without a colour manager.
type nobody struct{}

func (nobody) Offer(context.Context, Profile) error {
	return spoolerr.New(spoolerr.Unavailable, 0, "no colord here")
}

func TestConformance(t *testing.T) {
	pointprinttest.Run(t, pointprinttest.PointPrint(New(nobody{})), pointprinttest.Options{})
}
