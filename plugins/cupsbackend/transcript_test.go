package cupsbackend

import (
	"log/slog"
	"maps"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spoolhost/spoolhost/sdk/spool"
)

func TestReasons(t *testing.T) {
	tests := []struct {
		lines []string
		want  spool.PortStatus
	}{
		{[]string{"+none"}, spool.PortStatus{}},
		{[]string{"+media-low-report"}, spool.PortStatus{Code: spool.PortStatusPaperProblem, Severity: spool.SeverityInfo, Text: "the printer reports media-low-report"}},
		{[]string{"+toner-low-warning", "+media-jam"}, spool.PortStatus{Code: spool.PortStatusPaperJam, Severity: spool.SeverityError, Text: "the printer reports media-jam, toner-low-warning"}},
		{[]string{"door-open-error", "-door-open-error"}, spool.PortStatus{}},
		{[]string{"+a-error", "b-warning"}, spool.PortStatus{Severity: spool.SeverityWarning, Text: "the printer reports b-warning"}},
		{[]string{"+connecting-to-device"}, spool.PortStatus{Code: spool.PortStatusOffline, Severity: spool.SeverityInfo, Text: "the printer reports connecting-to-device"}},
	}
	for _, tt := range tests {
		m := newMemory()
		var got spool.PortStatus
		for _, l := range tt.lines {
			got = m.state(l)
		}
		if got != tt.want {
			t.Errorf("%v: %+v, want %+v", tt.lines, got, tt.want)
		}
	}
}

func TestAttributes(t *testing.T) {
	got := attributes(`a=1 b='two words' c="say \"x\"" d= e=x,y f`)
	want := map[string]string{"a": "1", "b": "two words", "c": `say "x"`, "d": "", "e": "x,y"}
	if !maps.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// Whatever a backend writes, what is kept and logged is bounded.
func TestFlood(t *testing.T) {
	var log strings.Builder
	said := &transcript{log: slog.New(slog.NewTextHandler(&log, nil)), memory: newMemory(), tell: func(spool.PortStatus) {}}
	said.follow(strings.NewReader(strings.Repeat("ERROR: "+strings.Repeat("x", 10_000)+"\n", 1000) + "INFO: last"))
	if log.Len() > mostLogged*(mostLine+200) || strings.Count(log.String(), "\n") > mostLogged {
		t.Errorf("%d bytes logged", log.Len())
	}
	if failed, doing := said.words(); len(failed) > mostLine || doing != "last" {
		t.Errorf("%d bytes, %q", len(failed), doing)
	}
}

func FuzzTranscript(f *testing.F) {
	f.Add("STATE: +media-empty-error\nATTR: a=b c='d'\nINFO: x\n\xff\x00\n")
	f.Add("STATE:-\nATTR:=\nPAGE: 1 1\n" + strings.Repeat("STATE: +a\n", 50))
	f.Fuzz(func(t *testing.T, text string) {
		m := newMemory()
		said := &transcript{log: slog.New(slog.DiscardHandler), memory: m, tell: func(s spool.PortStatus) {
			if s.Severity > spool.SeverityInfo || s.Clear() != (s == spool.PortStatus{}) {
				t.Errorf("%+v", s)
			}
		}}
		said.follow(strings.NewReader(text))
		failed, doing := said.words()
		if !utf8.ValidString(failed+doing) || strings.ContainsAny(failed+doing, "\n\x1b\x00") {
			t.Errorf("%q %q", failed, doing)
		}
		if len(m.attrs) > mostAttrs || len(m.reasons) > mostReasons {
			t.Error("too much is kept")
		}
	})
}

func FuzzDevices(f *testing.F) {
	f.Add(`direct usb://a/b "M" "I" "D" "L"`)
	f.Add(`network ipp "Unknown" "Internet Printing Protocol (ipp)"` + "\n\"")
	f.Fuzz(func(t *testing.T, text string) {
		for _, d := range parseDevices(strings.NewReader(text)) {
			if d.Class == "" || d.URI == "" || !utf8.ValidString(d.Info+d.MakeModel+d.URI) {
				t.Errorf("%+v", d)
			}
		}
	})
}
