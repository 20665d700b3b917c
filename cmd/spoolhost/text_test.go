package main

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
)

func TestSize(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 kB", 786449: "786.4 kB", 999_949: "999.9 kB", 999_950: "1.0 MB",
		200_000_000: "200.0 MB", 4_000_000_000: "4.0 GB", 1<<64 - 1: "18.4 EB",
	} {
		if got := size(n); got != want {
			t.Errorf("%d bytes are %q, want %q", n, got, want)
		}
	}
}

func TestTimesOfDay(t *testing.T) {
	for in, want := range map[string]uint32{"00:00": 0, "8:05": 485, "08:05": 485, "23:59": 1439} {
		if got, err := parseTimeOfDay(in); err != nil || got != want {
			t.Errorf("%q is %d (%v), want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "24:00", "12:60", "12", "12:5", "-1:00", "8:00 ", "08:00:00"} {
		if got, err := parseTimeOfDay(in); err == nil {
			t.Errorf("%q was taken as %d", in, got)
		}
	}
	if got := timeRange(22*60, 6*60+5); got != "22:00 to 06:05 UTC" {
		t.Error(got)
	}
	if got := timeRange(480, 480); got != "always" {
		t.Error(got)
	}
}

func TestDurations(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 24 * time.Millisecond: "24ms", 3456 * time.Millisecond: "3.5s", 95*time.Second + 4e8: "1m35s", 50 * time.Hour: "2d2h",
	} {
		if got := duration(d); got != want {
			t.Errorf("%d is %q, want %q", d, got, want)
		}
	}
	from := timestamppb.New(time.Unix(100, 0))
	if got := took(from, nil, time.Unix(103, 0)); got != "3s so far" {
		t.Error(got)
	}
	if got := took(nil, nil, time.Unix(103, 0)); got != "" {
		t.Error(got)
	}
}

func TestCleanAndCut(t *testing.T) {
	if got := clean("a\nb\tc\x1b[31m\u009b\u202e\x7fü"); got != "a b c�[31m���ü" {
		t.Errorf("got %q", got)
	}
	for in, want := range map[string]string{"short": "short", "exactly8": "exactly8", "more than 8": "more th…", "日本語です": "日本語…"} {
		if got := cut(in, 8); got != want {
			t.Errorf("%q was cut to %q, want %q", in, got, want)
		}
	}
}

func TestTableAligns(t *testing.T) {
	tab := table{header: []string{"ID", "TITLE", "STATE"}}
	tab.add("1", "日本", "ok")
	tab.add("1000", "a\x1bb", "")
	var b strings.Builder
	tab.write(&b, "")
	want := "ID    TITLE  STATE\n1     日本   ok\n1000  a�b\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

func TestSheetLeavesEmptyValuesOut(t *testing.T) {
	var s sheet
	s.add("a", "1")
	s.add("long name", "")
	s.add("bb", "2\n3")
	var b strings.Builder
	s.write(&b)
	if b.String() != "a   1\nbb  2 3\n" {
		t.Errorf("got %q", b.String())
	}
}
