package main

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// clean makes text from anywhere fit for one line of a terminal: tabs and line ends
// become spaces, and whatever else does not print the replacement character.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return utf8.RuneError
		}
		return r
	}, s)
}

// cut shortens s to n columns.
func cut(s string, n int) string {
	if uniseg.StringWidth(s) <= n {
		return s
	}
	var b strings.Builder
	width := 0
	for g := uniseg.NewGraphemes(s); g.Next(); {
		if width += g.Width(); width > n-1 {
			break
		}
		b.WriteString(g.Str())
	}
	return b.String() + "…"
}

// size gives bytes as people read them, in decimal units.
func size(n uint64) string {
	if n < 1000 {
		return strconv.FormatUint(n, 10) + " B"
	}
	value, unit := float64(n), 0
	for value >= 999.95 && unit < 6 {
		value /= 1000
		unit++
	}
	return strconv.FormatFloat(value, 'f', 1, 64) + " " + string(" kMGTPE"[unit]) + "B"
}

// exactSize adds the number of bytes where size rounds.
func exactSize(n uint64) string {
	if n < 1000 {
		return size(n)
	}
	return fmt.Sprintf("%s (%d bytes)", size(n), n)
}

// localTime gives a time in the person's time zone; "" for none.
func localTime(ts *timestamppb.Timestamp) string {
	if ts == nil {
		return ""
	}
	return ts.AsTime().Local().Format("2006-01-02 15:04:05")
}

// took gives how long something ran; "" if it did not begin, "so far" if it did not end.
func took(from, to *timestamppb.Timestamp, now time.Time) string {
	switch {
	case from == nil:
		return ""
	case to == nil:
		return duration(now.Sub(from.AsTime())) + " so far"
	}
	return duration(to.AsTime().Sub(from.AsTime()))
}

// duration gives d to about three digits.
func duration(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	case d < 24*time.Hour:
		return d.Round(time.Second).String()
	}
	return fmt.Sprintf("%dd%dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}

// minutesPerDay ends the range of the API's times of day.
const minutesPerDay = 24 * 60

// parseTimeOfDay reads HH:MM as minutes after 00:00 UTC.
func parseTimeOfDay(s string) (uint32, error) {
	t, err := time.Parse("15:04", s)
	if err != nil {
		return 0, usagef("time %q is not HH:MM from 00:00 to 23:59 (UTC)", s)
	}
	return uint32(t.Hour()*60 + t.Minute()), nil
}

// timeOfDay is the reverse of parseTimeOfDay.
func timeOfDay(minutes uint32) string {
	minutes %= minutesPerDay
	return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60)
}

// timeRange gives the hours in which something prints.
func timeRange(start, until uint32) string {
	if start == until {
		return "always"
	}
	return timeOfDay(start) + " to " + timeOfDay(until) + " UTC"
}

// plural counts things.
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + one + "s"
}

// orDash shows that a cell has no value.
func orDash(s string) string { return cmp.Or(s, "-") }

// yesNo says a flag.
func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
