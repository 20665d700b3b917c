package genericdriver

import (
	"testing"

	"github.com/spoolhost/spoolhost/sdk/pointprinttest"
)

func TestConformance(t *testing.T) {
	pointprinttest.Run(t, pointprinttest.Driver(Load), pointprinttest.Options{})
}
