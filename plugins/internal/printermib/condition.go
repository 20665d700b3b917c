package printermib

import (
	"strings"

	"github.com/gosnmp/gosnmp"

	"github.com/spoolhost/spoolhost/sdk/spool"
)

// ErrorState is hrPrinterDetectedErrorState: bit n of the MIB is 1<<n here.
type ErrorState uint16

// The conditions that a printer detects.
const (
	LowPaper ErrorState = 1 << iota
	NoPaper
	LowToner
	NoToner
	DoorOpen
	Jammed
	Offline
	ServiceRequested
	InputTrayMissing
	OutputTrayMissing
	MarkerSupplyMissing
	OutputNearFull
	OutputFull
	InputTrayEmpty
	OverduePreventMaint
)

// errorState reads a string of bits, of which the first is the highest of the first octet.
func errorState(v gosnmp.SnmpPDU) (e ErrorState) {
	octets, ok := v.Value.([]byte)
	if !ok {
		return 0
	}
	for i, octet := range octets[:min(len(octets), 2)] {
		for bit := range 8 {
			if octet&(0x80>>bit) != 0 {
				e |= 1 << (8*i + bit)
			}
		}
	}
	return e
}

// trouble is a condition as winspool has it.
type trouble struct {
	bit  ErrorState
	word string
	code spool.PortStatusCode
	// stops: nothing is printed as long as it lasts, unless the device says that it works.
	stops bool
}

// troubles are all conditions, the gravest first.
func troubles() []trouble {
	return []trouble{
		{Jammed, "paper jam", spool.PortStatusPaperJam, true},
		{DoorOpen, "door open", spool.PortStatusDoorOpen, true},
		{NoPaper, "out of paper", spool.PortStatusPaperOut, true},
		{NoToner, "no toner", spool.PortStatusNoToner, true},
		{MarkerSupplyMissing, "toner or ink is missing", spool.PortStatusNoToner, true},
		{OutputFull, "output bin full", spool.PortStatusOutputBinFull, true},
		{OutputTrayMissing, "output tray missing", spool.PortStatusPaperProblem, true},
		{Offline, "offline", spool.PortStatusOffline, true},
		{ServiceRequested, "needs service", spool.PortStatusUserIntervention, true},
		{InputTrayMissing, "paper tray missing", spool.PortStatusPaperProblem, false},
		{InputTrayEmpty, "a paper tray is empty", spool.PortStatusPaperProblem, false},
		{LowToner, "toner low", spool.PortStatusTonerLow, false},
		{LowPaper, "paper low", spool.PortStatusPaperProblem, false},
		{OutputNearFull, "output bin nearly full", spool.PortStatusOutputBinFull, false},
		{OverduePreventMaint, "maintenance is due", spool.PortStatusUserIntervention, false},
	}
}

// Condition is the state as a port reports it: clear, or the gravest trouble with all of
// them in words, and what the printer's panel shows. A trouble is an error if the device
// says that it is down, or says nothing; a device that says it works with it is believed.
func (s State) Condition() spool.PortStatus {
	status := spool.PortStatus{}
	var words []string
	for _, t := range troubles() {
		if s.Errors&t.bit == 0 {
			continue
		}
		severity := spool.SeverityWarning
		if t.stops && s.Device != DeviceRunning && s.Device != DeviceWarning {
			severity = spool.SeverityError
		}
		if len(words) == 0 {
			status.Code, status.Severity = t.code, severity
		}
		status.Severity = min(status.Severity, severity) // the graver is the smaller
		words = append(words, t.word)
	}
	if len(words) == 0 {
		return s.quiet()
	}
	status.Text = strings.Join(words, ", ")
	if panel := strings.Join(s.Console, " "); panel != "" {
		status.Text += ` (the panel shows "` + panel + `")`
	}
	return status
}

// quiet is a printer without trouble: nothing is reported but that it warms up.
func (s State) quiet() spool.PortStatus {
	if s.Printer == PrinterWarmup {
		return spool.PortStatus{Code: spool.PortStatusWarmingUp, Severity: spool.SeverityInfo, Text: "warming up"}
	}
	return spool.PortStatus{}
}

// Reasons are the troubles in words.
func (s State) Reasons() []string {
	var words []string
	for _, t := range troubles() {
		if s.Errors&t.bit != 0 {
			words = append(words, t.word)
		}
	}
	return words
}
