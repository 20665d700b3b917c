package localmon

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/plugins/internal/montest"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

const admin = spool.ServerAccessAdminister

// The data names of Windows' local monitor, with the errors that it gives.
func TestWindowsNames(t *testing.T) {
	b := newBench(t)
	text := portconfig.EncodeText
	name := b.path("lp")
	if _, err := b.xcv(admin, "", "AddPort", text(name)); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		what, name string
		granted    spool.Access
		in         []byte
		kind       spoolerr.Kind
		code       spoolerr.Code
	}{
		{"duplicate", "AddPort", admin, text(name), spoolerr.Exists, spoolerr.CodeAlreadyExists},
		{"not terminated", "AddPort", admin, text(b.path("x"))[:8], spoolerr.Invalid, spoolerr.CodeInvalidParameter},
		{"longer than its NUL", "AddPort", admin, append(text(b.path("x")), 'y', 0), spoolerr.Invalid, spoolerr.CodeInvalidParameter},
		{"no name", "AddPort", admin, text(""), spoolerr.Invalid, spoolerr.CodeInvalidData},
		{"long name", "AddPort", admin, text("/" + strings.Repeat("x", 247)), spoolerr.Invalid, spoolerr.CodeInvalidName},
		{"no path", "AddPort", admin, text("LPT1:"), spoolerr.Invalid, spoolerr.CodeInvalidName},
		{"not allowed", "AddPort", admin, text("/etc/passwd"), spoolerr.Denied, spoolerr.CodeAccessDenied},
		{"no right", "AddPort", 0, text(b.path("x")), spoolerr.Denied, spoolerr.CodeAccessDenied},
		{"delete unknown", "DeletePort", admin, text(b.path("x")), spoolerr.NotFound, spoolerr.CodeFileNotFound},
		{"set without right", "ConfigureLPTPortCommandOK", 0, text("30"), spoolerr.Denied, spoolerr.CodeAccessDenied},
		{"zero", "ConfigureLPTPortCommandOK", admin, text("0"), spoolerr.Invalid, spoolerr.CodeInvalidData},
		{"four digits", "ConfigureLPTPortCommandOK", admin, text("1000"), spoolerr.Invalid, spoolerr.CodeInvalidData},
		{"no number", "ConfigureLPTPortCommandOK", admin, text("soon"), spoolerr.Invalid, spoolerr.CodeInvalidData},
		{"no text", "ConfigureLPTPortCommandOK", admin, []byte("30"), spoolerr.Invalid, spoolerr.CodeInvalidData},
		{"serial line", "GetDefaultCommConfig", 0, text("COM1:"), spoolerr.Unsupported, spoolerr.CodeNotSupported},
		{"serial line, no right", "SetDefaultCommConfig", 0, make([]byte, 52), spoolerr.Denied, spoolerr.CodeAccessDenied},
		{"serial line", "SetDefaultCommConfig", admin, make([]byte, 52), spoolerr.Unsupported, spoolerr.CodeNotSupported},
		{"unknown", "ConfigurePort", admin, nil, spoolerr.Invalid, spoolerr.CodeInvalidParameter},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			_, err := b.xcv(tt.granted, "", tt.name, tt.in)
			montest.WantError(t, err, tt.kind, tt.code)
		})
	}
	if _, err := b.xcv(admin, "", "DeletePort", text(name)); err != nil {
		t.Error(err)
	}
}

func TestRetryTimeout(t *testing.T) {
	b := newBench(t)
	if out, err := b.xcv(0, "", "GetTransmissionRetryTimeout", nil); err != nil || !bytes.Equal(out, []byte{45, 0, 0, 0}) {
		t.Errorf("%x %v", out, err)
	}
	if _, err := b.xcv(admin, "", "ConfigureLPTPortCommandOK", portconfig.EncodeText("300")); err != nil {
		t.Fatal(err)
	}
	if out, err := b.xcv(0, "", "GetTransmissionRetryTimeout", nil); err != nil || !bytes.Equal(out, []byte{44, 1, 0, 0}) {
		t.Errorf("%x %v", out, err)
	}
}

// The time-out of a Write is the first that was set: by SetPortTimeOuts, of the port, of
// all devices.
func TestSetTimeOuts(t *testing.T) {
	b := newBench(t, "/dev")
	p := b.open("null", "/dev/null", "writeTimeout", "7s")
	q := b.open("zero", "/dev/zero")
	patience := func(p *port) time.Duration {
		t.Helper()
		if err := p.StartDoc(t.Context(), spool.Doc{JobID: 1}); err != nil {
			t.Fatal(err)
		}
		defer p.EndDoc(t.Context(), spool.JobStatusDeleting)
		job, err := p.Slot.Current()
		if err != nil {
			t.Fatal(err)
		}
		return job.Target.(*device).patience
	}
	if got, all := patience(p), patience(q); got != 7*time.Second || all != defaultRetry {
		t.Errorf("%v %v", got, all)
	}
	if err := p.SetTimeOuts(t.Context(), spool.TimeOuts{WriteTotalConstant: 250, ReadInterval: 1}); err != nil {
		t.Fatal(err)
	}
	if got := patience(p); got != 250*time.Millisecond {
		t.Errorf("%v", got)
	}
	if err := errors.Join(p.SetTimeOuts(t.Context(), spool.TimeOuts{}), p.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	f := b.open("file", b.path("out"))
	montest.WantError(t, f.SetTimeOuts(t.Context(), spool.TimeOuts{}), spoolerr.Invalid, spoolerr.CodeInvalidParameter, "file")
}
