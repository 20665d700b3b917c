package tcpmon

import (
	"context"
	"strconv"
	"strings"

	"github.com/spoolhost/spoolhost/plugins/internal/printermib"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// SendRecvBidiData answers the bidi schema from what the printer says by SNMP now.
func (p *port) SendRecvBidiData(ctx context.Context, _ spool.BidiAccess, action string, requests []spool.BidiRequest) ([]spool.BidiResponse, error) {
	s, err := p.instance.settings(ctx, p.Slot.Name)
	switch {
	case err != nil:
		return nil, err
	case !s.snmp.enabled:
		return nil, spoolerr.New(spoolerr.Unsupported, 0,
			"port %s does not ask its printer: SNMP is off; configure the port with snmp=true", spool.Quote(p.Slot.Name))
	}
	if err := checkBidi(action, requests); err != nil {
		return nil, err
	}
	if action == spool.BidiSet {
		return readOnly(requests), nil
	}
	state, err := printermib.Query(ctx, s.snmpAgent())
	if err != nil {
		return nil, spoolerr.Wrap(err, "port %s", spool.Quote(p.Slot.Name))
	}
	return answerBidi(values(state), action, requests), nil
}

func checkBidi(action string, requests []spool.BidiRequest) error {
	switch action {
	case spool.BidiEnumSchema:
		return nil
	case spool.BidiGet, spool.BidiGetAll, spool.BidiSet:
		if len(requests) == 0 {
			return spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidParameter, `%s names nothing; ask for a schema such as \Printer.Status.Summary:State`, action)
		}
		return nil
	}
	return spoolerr.New(spoolerr.Unsupported, 0, "bidi action %s is not supported; use Get, GetAll or EnumSchema", spool.Quote(action))
}

// readOnly refuses each item of a Set: nothing of a printer is changed here.
func readOnly(requests []spool.BidiRequest) (out []spool.BidiResponse) {
	for _, r := range requests {
		out = append(out, spool.BidiResponse{Result: uint32(spoolerr.CodeBidiSchemaReadOnly), Number: r.Number, Schema: r.Schema, Data: r.Data})
	}
	return out
}

// bidiValue is a value of the schema.
type bidiValue struct {
	schema string
	data   spool.BidiData
}

func answerBidi(all []bidiValue, action string, requests []spool.BidiRequest) (out []spool.BidiResponse) {
	switch action {
	case spool.BidiEnumSchema:
		var text strings.Builder
		for _, v := range all {
			text.WriteString(v.schema + "\n")
		}
		return []spool.BidiResponse{{Data: spool.BidiTextOf(spool.BidiText, text.String())}}
	case spool.BidiGetAll:
		for _, r := range requests {
			out = append(out, below(all, r)...)
		}
		return out
	}
	for _, r := range requests {
		out = append(out, one(all, r))
	}
	return out
}

// one answers a request for one value.
func one(all []bidiValue, r spool.BidiRequest) spool.BidiResponse {
	for _, v := range all {
		if strings.EqualFold(v.schema, r.Schema) {
			return spool.BidiResponse{Number: r.Number, Schema: v.schema, Data: v.data}
		}
	}
	return missing(r)
}

// missing tells a schema that this printer does not have from one that is none at all.
func missing(r spool.BidiRequest) spool.BidiResponse {
	code := spoolerr.CodeNoData
	for _, root := range []string{rootDevice, rootConsumables, rootBins, rootStatus, rootExtension} {
		if len(r.Schema) >= len(root) && strings.EqualFold(r.Schema[:len(root)], root) {
			code = spoolerr.CodeBidiSchemaNotSupported
		}
	}
	return spool.BidiResponse{Result: uint32(code), Number: r.Number, Schema: r.Schema}
}

// below answers a request for a property with every value under it.
func below(all []bidiValue, r spool.BidiRequest) (out []spool.BidiResponse) {
	for _, v := range all {
		rest, ok := cutPrefixFold(v.schema, r.Schema)
		if ok && (rest == "" || rest[0] == '.' || rest[0] == ':') {
			out = append(out, spool.BidiResponse{Number: r.Number, Schema: v.schema, Data: v.data})
		}
	}
	if out == nil {
		out = []spool.BidiResponse{missing(r)}
	}
	return out
}

func cutPrefixFold(s, prefix string) (rest string, ok bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return "", false
	}
	return s[len(prefix):], true
}

// The parts of the bidi schema that the Printer MIB can fill. What the schema has no
// place for is below its Extension.
const (
	rootDevice      = `\Printer.DeviceInfo`
	rootConsumables = `\Printer.Consumables`
	rootBins        = `\Printer.Layout.InputBins`
	rootStatus      = `\Printer.Status`
	rootExtension   = `\Printer.Extension`
)

// list collects values; those that the printer does not tell are left out.
type list struct{ values []bidiValue }

func (l *list) text(schema, text string) {
	if text != "" {
		l.values = append(l.values, bidiValue{schema, spool.BidiTextOf(spool.BidiString, text)})
	}
}

func (l *list) number(schema string, n int) {
	if n >= 0 {
		l.values = append(l.values, bidiValue{schema, spool.BidiIntOf(int32(n))})
	}
}

func (l *list) yes(schema string) {
	l.values = append(l.values, bidiValue{schema, spool.BidiBoolOf(true)})
}

// values is a printer's state in the bidi schema.
func values(s printermib.State) []bidiValue {
	var l list
	l.text(rootDevice+":FriendlyName", s.Name)
	l.text(rootDevice+":ModelName", s.Model)
	l.text(rootDevice+":Location", s.Location)
	l.consumables(s.Supplies)
	l.bins(s.Inputs)
	l.status(s)
	l.text(rootExtension+".Device:SerialNumber", s.Serial)
	l.number(rootExtension+".Device:Impressions", s.Impressions)
	l.text(rootExtension+".Console:Text", strings.Join(s.Console, "\n"))
	return l.values
}

func (l *list) consumables(supplies []printermib.Supply) {
	seen := map[string]int{}
	for _, s := range supplies {
		kind := supplyKind(s.Type)
		at := rootConsumables + "." + unique(seen, word(s.Color)+kind)
		l.yes(at + ":Installed")
		l.text(at+":Type", kind)
		l.text(at+":Color", s.Color)
		l.number(at+":Level", s.Level)
		l.text(at+":Model", s.Description)
	}
}

// supplyKind names a PrtMarkerSuppliesTypeTC.
func supplyKind(kind int) string {
	names := map[int]string{
		3: "Toner", 4: "WasteToner", 5: "Ink", 6: "InkCartridge", 7: "InkRibbon", 8: "WasteInk", 9: "Opc", 10: "Developer",
		11: "FuserOil", 12: "SolidWax", 13: "RibbonWax", 14: "WasteWax", 15: "Fuser", 16: "CoronaWire", 17: "FuserOilWick",
		18: "CleanerUnit", 19: "FuserCleaningPad", 20: "TransferUnit", 21: "TonerCartridge", 22: "FuserOiler",
		32: "Staples",
	}
	if name, ok := names[kind]; ok {
		return name
	}
	return "Supply"
}

func (l *list) bins(inputs []printermib.Input) {
	seen := map[string]int{}
	for _, in := range inputs {
		name := word(in.Name)
		if name == "" {
			name = "Tray"
		}
		at := rootBins + "." + unique(seen, name)
		l.yes(at + ":Installed")
		l.text(at+":MediaType", in.Media)
		l.number(at+":Capacity", in.Capacity)
		l.number(at+":Level", in.Level)
	}
}

func (l *list) status(s printermib.State) {
	reasons := s.Reasons()
	l.text(rootStatus+".Summary:State", s.Printer.String())
	l.text(rootStatus+".Summary:StateReason", strings.Join(reasons, ", "))
	for i, a := range s.Alerts {
		at := rootStatus + ".Detailed.Event" + strconv.Itoa(i+1)
		l.text(at+":Name", a.Description)
		severity := "Warning"
		if a.Critical {
			severity = "Critical"
		}
		l.text(at+":Severity", severity)
	}
}

// word makes a printer's text fit for a schema: letters and digits, each word begun by a
// capital.
func word(text string) string {
	var b strings.Builder
	start := true
	for _, r := range text {
		switch {
		case r >= '0' && r <= '9', r >= 'A' && r <= 'Z':
			b.WriteRune(r)
			start = false
		case r >= 'a' && r <= 'z':
			if start {
				r -= 'a' - 'A'
			}
			b.WriteRune(r)
			start = false
		default:
			start = true
		}
	}
	return b.String()
}

// unique numbers the second and later of a name.
func unique(seen map[string]int, name string) string {
	seen[name]++
	if n := seen[name]; n > 1 {
		return name + strconv.Itoa(n)
	}
	return name
}
