package printermib

import (
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/gosnmp/gosnmp"
)

// State is what a printer says of itself. Fields that it does not tell are zero.
type State struct {
	Name, Model, Serial, Location string
	Device                        DeviceStatus
	Printer                       PrinterStatus
	// Errors is hrPrinterDetectedErrorState.
	Errors      ErrorState
	Supplies    []Supply
	Inputs      []Input
	Console     []string
	Alerts      []Alert
	Impressions int
}

// DeviceStatus is hrDeviceStatus.
type DeviceStatus int

// The device's states: of a warning it still works, when it is down it does not.
const (
	DeviceUnknown DeviceStatus = 1 + iota
	DeviceRunning
	DeviceWarning
	DeviceTesting
	DeviceDown
)

// PrinterStatus is hrPrinterStatus.
type PrinterStatus int

// The printer's states.
const (
	PrinterOther PrinterStatus = 1 + iota
	PrinterUnknown
	PrinterIdle
	PrinterPrinting
	PrinterWarmup
)

// String gives the state as the bidi schema words it.
func (p PrinterStatus) String() string {
	names := [...]string{PrinterOther: "Other", PrinterIdle: "Idle", PrinterPrinting: "Printing", PrinterWarmup: "WarmingUp"}
	if p > 0 && int(p) < len(names) && names[p] != "" {
		return names[p]
	}
	return "Unknown"
}

// Supply is a row of prtMarkerSuppliesTable.
type Supply struct {
	Description, Color string
	// Type is PrtMarkerSuppliesTypeTC; Waste says that it fills up rather than being used.
	Type  int
	Waste bool
	// Level is in percent; -1 is not known.
	Level int
}

// Input is a row of prtInputTable.
type Input struct {
	Name, Media string
	// Capacity and Level are in sheets or the like; -1 is not known.
	Capacity, Level int
}

// Alert is a row of prtAlertTable.
type Alert struct {
	Description string
	Critical    bool
}

// cells are the values of a table by row and column.
type cells map[int]map[int]gosnmp.SnmpPDU

// builder collects what an agent answers about one device.
type builder struct {
	index     int
	s         State
	supplies  cells
	inputs    cells
	alerts    cells
	colorants map[int]string
}

func newBuilder(index int) *builder {
	return &builder{index: index, supplies: cells{}, inputs: cells{}, alerts: cells{}, colorants: map[int]string{}}
}

// take takes one value of a subtree; what is not of this device, or of no use, is left.
func (b *builder) take(subtree string, v gosnmp.SnmpPDU) {
	at := row(subtree, v.Name)
	switch subtree {
	case oidSysName, oidSysLocation:
		b.system(subtree, v)
		return
	case oidSupplies, oidInput, oidAlert:
		if len(at) >= 3 && at[1] == b.index {
			b.table(subtree).put(at[2], at[0], v)
		}
		return
	}
	if len(at) > 0 && at[0] == b.index {
		b.device(subtree, at, v)
	}
}

// device takes a value of the device itself.
func (b *builder) device(subtree string, at []int, v gosnmp.SnmpPDU) {
	switch subtree {
	case oidPrinterStatus:
		b.s.Printer = PrinterStatus(number(v, 0))
	case oidDeviceStatus:
		b.s.Device = DeviceStatus(number(v, 0))
	case oidErrorState:
		b.s.Errors = errorState(v)
	case oidDeviceDescr:
		b.s.Model = text(v)
	case oidGeneralSerial:
		b.s.Serial = text(v)
	case oidGeneralName:
		if name := text(v); name != "" {
			b.s.Name = name
		}
	case oidLifeCount:
		b.s.Impressions += max(0, number(v, 0))
	case oidColorant:
		b.colorants[at[len(at)-1]] = text(v)
	case oidConsole:
		if line := text(v); line != "" {
			b.s.Console = append(b.s.Console, line)
		}
	}
}

func (b *builder) system(subtree string, v gosnmp.SnmpPDU) {
	if subtree == oidSysLocation {
		b.s.Location = text(v)
	} else if b.s.Name == "" {
		b.s.Name = text(v)
	}
}

func (b *builder) table(subtree string) cells {
	switch subtree {
	case oidSupplies:
		return b.supplies
	case oidInput:
		return b.inputs
	}
	return b.alerts
}

func (c cells) put(row, column int, v gosnmp.SnmpPDU) {
	if c[row] == nil {
		c[row] = map[int]gosnmp.SnmpPDU{}
	}
	c[row][column] = v
}

// The columns of prtMarkerSuppliesTable, prtInputTable and prtAlertTable.
const (
	supplyColorant = 3
	supplyClass    = 4
	supplyType     = 5
	supplyDescr    = 6
	supplyMost     = 8
	supplyLevel    = 9

	inputMost  = 9
	inputLevel = 10
	inputMedia = 12
	inputName  = 13
	inputDescr = 18

	alertSeverity = 2
	alertDescr    = 8
)

func (b *builder) state() State {
	for _, i := range slices.Sorted(maps.Keys(b.supplies)) {
		b.s.Supplies = append(b.s.Supplies, b.supply(b.supplies[i]))
	}
	for _, i := range slices.Sorted(maps.Keys(b.inputs)) {
		r := b.inputs[i]
		name := text(r[inputName])
		if name == "" {
			name = text(r[inputDescr])
		}
		b.s.Inputs = append(b.s.Inputs, Input{
			Name: name, Media: text(r[inputMedia]), Capacity: max(-1, number(r[inputMost], -1)), Level: max(-1, number(r[inputLevel], -1)),
		})
	}
	for _, i := range slices.Sorted(maps.Keys(b.alerts)) {
		const critical = 3
		r := b.alerts[i]
		if d := text(r[alertDescr]); d != "" {
			b.s.Alerts = append(b.s.Alerts, Alert{Description: d, Critical: number(r[alertSeverity], 0) == critical})
		}
	}
	return b.s
}

func (b *builder) supply(r map[int]gosnmp.SnmpPDU) Supply {
	const filled = 4 // receptacleThatIsFilled
	return Supply{
		Description: text(r[supplyDescr]), Color: b.colorants[number(r[supplyColorant], 0)], Type: number(r[supplyType], 0),
		Waste: number(r[supplyClass], 0) == filled, Level: percent(number(r[supplyLevel], -1), number(r[supplyMost], -1)),
	}
}

// percent gives a level of a capacity; negative values have meanings of their own, none
// of which is a number.
func percent(level, most int) int {
	if level < 0 || most <= 0 {
		return -1
	}
	return min(100, int(int64(level)*100/int64(most)))
}

// number gives an integer, or def for what is none.
func number(v gosnmp.SnmpPDU, def int) int {
	switch v.Type {
	case gosnmp.Integer, gosnmp.Counter32, gosnmp.Gauge32, gosnmp.TimeTicks:
		if n := gosnmp.ToBigInt(v.Value); n.IsInt64() && n.Int64() >= -1<<31 && n.Int64() < 1<<32 {
			return int(n.Int64())
		}
	}
	return def
}

// text gives a short printable string.
func text(v gosnmp.SnmpPDU) string {
	raw, ok := v.Value.([]byte)
	if !ok || v.Type != gosnmp.OctetString {
		return ""
	}
	const most = 127
	s := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(raw[:min(len(raw), 4*most)]), "?"))
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most])
	}
	return strings.TrimSpace(s)
}
