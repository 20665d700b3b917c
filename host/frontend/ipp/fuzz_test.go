package ipp

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/OpenPrinting/goipp"

	"github.com/spoolhost/spoolhost/host/frontend/ipp/attr"
	"github.com/spoolhost/spoolhost/host/spooler"
)

func seed(op goipp.Op, more ...goipp.Attribute) []byte {
	m := goipp.NewRequest(goipp.DefaultVersion, op, 1)
	m.Operation = append(goipp.Attributes{
		attr.Charset("attributes-charset", "utf-8"), attr.Language("attributes-natural-language", "en"),
		attr.URI("printer-uri", "ipp://localhost/printers/hall"),
	}, more...)
	m.Job = goipp.Attributes{attr.Int("copies", 2), attr.Collections("media-col", mediaCols([]string{"iso_a4_210x297mm"})...)}
	data, _ := m.EncodeBytes()
	return data
}

// Whatever comes, decoding and weighing it ends, with an answer that can be read.
func FuzzRequest(f *testing.F) {
	f.Add(seed(goipp.OpPrintJob, attr.Bool("ipp-attribute-fidelity", true)))
	f.Add(seed(goipp.OpGetJobs, attr.Int("limit", 1), attr.Keyword("requested-attributes", "all")))
	f.Add(seed(goipp.OpSendDocument, attr.Int("job-id", 1), attr.Bool("last-document", true)))
	f.Add([]byte("\x02\x00\x00\x02\x00\x00\x00\x01\x01\x7f\x00\x01a\x00\x04\x00\x00\x00\x01\x03"))
	f.Add(append([]byte("\x02\x00\x00\x02\x00\x00\x00\x01\x01"), bytes.Repeat([]byte("\x34\x00\x01a\x00\x00\x4a\x00\x00\x00\x01b"), 500)...))
	s := New(Config{Spoolers: func() []*spooler.Spooler { return nil }, Now: func() time.Time { return time.Unix(1e9, 0) }})
	f.Fuzz(func(t *testing.T, data []byte) {
		hr := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", bytes.NewReader(data))
		r, err := s.decode(hr, hr.Body)
		var out *reply
		if err == nil {
			tk, werr := s.weigh(r, s.wishes(r))
			if out, err = ok(), werr; werr == nil {
				tk.report(out)
			}
			_ = readTarget(r)
		}
		w := httptest.NewRecorder()
		s.answer(w, hr, r, out, err)
		var answer goipp.Message
		if err := answer.DecodeBytes(w.Body.Bytes()); err != nil {
			t.Errorf("the answer cannot be read: %v", err)
		}
	})
}

func FuzzTarget(f *testing.F) {
	for _, uri := range []string{"ipp://localhost/printers/hall", "ipp://x/spoolers/a/jobs/1", "ipp:", "ipp://x/%2e%2e/%00", "ipp://[::1/printers"} {
		f.Add(uri)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		target, err := parseTarget(uri)
		if err == nil && !target.system && target.printer == "" && target.job == 0 {
			t.Errorf("%q names %+v", uri, target)
		}
	})
}

func FuzzHoldUntil(f *testing.F) {
	for _, text := range append(holds(), "12:30:00", "1:2", "25:00", "") {
		f.Add(text)
	}
	now := time.Date(2026, 3, 4, 12, 30, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		_, at, known := holdUntil(text, now)
		if known && !at.IsZero() && (at.Before(now) || at.Sub(now) > 7*24*time.Hour) {
			t.Errorf("%q is %v", text, at)
		}
	})
}

func FuzzMediaSize(f *testing.F) {
	f.Add("iso_a4_210x297mm")
	f.Add("na_letter_8.5x11in")
	f.Fuzz(func(t *testing.T, name string) {
		if size, ok := mediaSize(name); ok && (size[0] < 0 || size[1] < 0 || !strings.Contains(name, "x")) {
			t.Errorf("%q is %v", name, size)
		}
	})
}
