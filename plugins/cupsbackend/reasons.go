package cupsbackend

import (
	"maps"
	"slices"
	"strings"

	"github.com/spoolhost/spoolhost/sdk/spool"
)

// keywords pairs printer-state-reasons (RFC 8011, section 5.4.12, and PWG 5100.9) with
// winspool's conditions, the gravest first.
func keywords() []struct {
	word string
	code spool.PortStatusCode
} {
	return []struct {
		word string
		code spool.PortStatusCode
	}{
		{"media-jam", spool.PortStatusPaperJam},
		{"door-open", spool.PortStatusDoorOpen}, {"cover-open", spool.PortStatusDoorOpen}, {"interlock-open", spool.PortStatusDoorOpen},
		{"media-empty", spool.PortStatusPaperOut}, {"media-needed", spool.PortStatusPaperOut},
		{"toner-empty", spool.PortStatusNoToner}, {"marker-supply-empty", spool.PortStatusNoToner},
		{"output-area-full", spool.PortStatusOutputBinFull},
		{"input-tray-missing", spool.PortStatusPaperProblem}, {"output-tray-missing", spool.PortStatusPaperProblem},
		{"offline", spool.PortStatusOffline}, {"shutdown", spool.PortStatusOffline}, {"connecting-to-device", spool.PortStatusOffline},
		{"paused", spool.PortStatusUserIntervention}, {"spool-area-full", spool.PortStatusOutOfMemory},
		{"toner-low", spool.PortStatusTonerLow}, {"marker-supply-low", spool.PortStatusTonerLow},
		{"media-low", spool.PortStatusPaperProblem}, {"output-area-almost-full", spool.PortStatusOutputBinFull},
	}
}

// status gives the condition that a set of reasons comes to: the gravest severity, the
// code of the gravest reason that has one, and the reasons as text.
func (r reasons) status() spool.PortStatus {
	if len(r) == 0 {
		return spool.PortStatus{}
	}
	words := slices.Sorted(maps.Keys(r))
	s := spool.PortStatus{Severity: spool.SeverityInfo, Text: "the printer reports " + strings.Join(words, ", ")}
	for _, w := range words {
		_, severity := split(w)
		s.Severity = min(s.Severity, severity) // the graver is the smaller
	}
	for _, k := range keywords() {
		if slices.ContainsFunc(words, func(w string) bool { word, _ := split(w); return word == k.word }) {
			s.Code = k.code
			break
		}
	}
	return s
}

// split takes the severity off a reason. One without a suffix is an error by RFC 8011;
// those of CUPS that only say what goes on are not.
func split(reason string) (word string, severity spool.Severity) {
	for suffix, s := range map[string]spool.Severity{
		"-error": spool.SeverityError, "-warning": spool.SeverityWarning, "-report": spool.SeverityInfo,
	} {
		if w, ok := strings.CutSuffix(reason, suffix); ok {
			return w, s
		}
	}
	if reason == "connecting-to-device" || strings.HasPrefix(reason, "com.") || strings.HasPrefix(reason, "cups-") {
		return reason, spool.SeverityInfo
	}
	return reason, spool.SeverityError
}
