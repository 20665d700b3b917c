package spool

import "strconv"

// PortType is a set of winspool PORT_TYPE_* bits.
type PortType uint32

// What a port can do and how it is attached.
const (
	PortTypeWrite       PortType = 1
	PortTypeRead        PortType = 2
	PortTypeRedirected  PortType = 4
	PortTypeNetAttached PortType = 8
)

// PortInfo is PORT_INFO_2: what EnumPorts says of one port.
type PortInfo struct {
	Name        string
	Description string
	Type        PortType
}

// PortStatusCode is PORT_INFO_3.dwStatus.
type PortStatusCode uint32

// The conditions a port can report.
const (
	PortStatusClear PortStatusCode = iota
	PortStatusOffline
	PortStatusPaperJam
	PortStatusPaperOut
	PortStatusOutputBinFull
	PortStatusPaperProblem
	PortStatusNoToner
	PortStatusDoorOpen
	PortStatusUserIntervention
	PortStatusOutOfMemory
	PortStatusTonerLow
	PortStatusWarmingUp
	PortStatusPowerSave
)

// String gives the condition in words, as shown to operators.
func (c PortStatusCode) String() string {
	names := [...]string{
		"ready", "offline", "paper jam", "paper out", "output bin full", "paper problem", "no toner",
		"door open", "user intervention", "out of memory", "toner low", "warming up", "power save",
	}
	if int(c) < len(names) {
		return names[c]
	}
	return "status " + strconv.FormatUint(uint64(c), 10)
}

// Severity is PORT_INFO_3.dwSeverity.
type Severity uint32

// SeverityError stops scheduling to the port until another SetPort clears it;
// the other two only inform.
const (
	SeverityNone Severity = iota
	SeverityError
	SeverityWarning
	SeverityInfo
)

// PortStatus is PORT_INFO_3. Code counts only when Text is empty.
type PortStatus struct {
	Code     PortStatusCode
	Text     string
	Severity Severity
}

// String is what an operator reads: the text if there is one, else the code's words.
func (s PortStatus) String() string {
	if s.Text != "" {
		return s.Text
	}
	return s.Code.String()
}

// Clear says that the status reports no condition at all.
func (s PortStatus) Clear() bool { return s.Code == PortStatusClear && s.Text == "" }

// TimeOuts is COMMTIMEOUTS; all values are milliseconds.
type TimeOuts struct {
	ReadInterval, ReadTotalMultiplier, ReadTotalConstant uint32
	WriteTotalMultiplier, WriteTotalConstant             uint32
}

// PowerEvent tells a monitor of a change of the node's power state (PBT_* of winuser).
type PowerEvent uint32

// The power events a host sends.
const (
	PowerSuspend PowerEvent = 0x4
	PowerResume  PowerEvent = 0x7
)
