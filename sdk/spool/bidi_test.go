package spool

import (
	"bytes"
	"testing"
)

func TestBidiValues(t *testing.T) {
	for _, tt := range []struct {
		data BidiData
		text string
	}{
		{BidiData{}, ""}, {BidiIntOf(-7), "-7"}, {BidiFloatOf(1.5), "1.5"}, {BidiBoolOf(true), "true"}, {BidiBoolOf(false), "false"},
		{BidiTextOf(BidiString, "a b"), "a b"}, {BidiTextOf(BidiEnum, "Idle"), "Idle"}, {BidiData{BidiBlob, []byte{0xca, 0xfe}}, "cafe"},
	} {
		if got := tt.data.String(); got != tt.text {
			t.Errorf("%v: %q, want %q", tt.data.Type, got, tt.text)
		}
		if d, ok := ParseBidi(tt.data.Type, tt.text); !ok || d.Type != tt.data.Type || !bytes.Equal(d.Data, tt.data.Data) {
			t.Errorf("%v: %v %v", tt.text, d, ok)
		}
	}
	for _, bad := range []struct {
		t    BidiType
		text string
	}{{BidiInt, "x"}, {BidiInt, "4294967296"}, {BidiFloat, ""}, {BidiBool, "perhaps"}, {BidiBlob, "0"}, {BidiType(8), ""}, {BidiNull, "x"}} {
		if d, ok := ParseBidi(bad.t, bad.text); ok {
			t.Errorf("%v %q gave %v", bad.t, bad.text, d)
		}
	}
	if got := (BidiData{BidiInt, []byte{1}}).String(); got != "01" {
		t.Errorf("a short number is %q", got)
	}
}
