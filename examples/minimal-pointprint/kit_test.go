package main

import (
	"context"
	"testing"

	"github.com/spoolhost/spoolhost/sdk/pointprint"
	"github.com/spoolhost/spoolhost/sdk/pointprinttest"
)

// TestConformance is the one test that every module should have.
func TestConformance(t *testing.T) {
	pointprinttest.Run(t, pointprinttest.PointPrint(initialize), pointprinttest.Options{})
}

func TestArchitectures(t *testing.T) {
	for _, c := range []struct {
		flags        pointprint.Flags
		architecture pointprint.Architecture
		want         string
	}{
		{pointprint.ServerSpooler, pointprint.ARM64, `\\S\PRINT$\Color\arm64`},
		{pointprint.ServerSpooler, pointprint.X64, `\\S\PRINT$\Color`},
		{pointprint.ClientSpooler, pointprint.ARM64, `\\S\PRINT$\Color`},
	} {
		d, err := (&paths{}).GenerateCopyFilePaths(context.Background(), pointprint.CopyFilePaths{
			Flags: c.flags, Client: pointprint.ClientInfo{ProcessorArchitecture: c.architecture}, Dirs: pointprint.Dirs{SourceDir: `\\S\PRINT$\Color`},
		})
		if err != nil || d.SourceDir != c.want {
			t.Errorf("flags %d, architecture %d: %q, %v; want %q", c.flags, c.architecture, d.SourceDir, err, c.want)
		}
	}
}
