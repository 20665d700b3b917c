package client

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spoolhost/spoolhost/host/job"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

// TestStandsIsText: a reason is not cut inside a letter; an answer with half of one could
// not be sent.
func TestStandsIsText(t *testing.T) {
	for _, before := range []string{"", "x"} {
		var f job.Forward
		stands(&f, &apiv1.Job{Reason: before + strings.Repeat("é", 1000)})
		if n := len(f.Reason); !utf8.ValidString(f.Reason) || n < 500 || n > 512 {
			t.Errorf("%d bytes: %q", n, f.Reason)
		}
	}
}
