package xcv

import (
	"encoding/binary"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Target is what an Xcv handle is opened on: a monitor or a port, the other is empty.
type Target struct {
	// Server is the spooler's name, empty for the node's own.
	Server        string
	Monitor, Port string
}

// ParseTarget reads the name that OpenPrinter takes for an Xcv handle: ",XcvMonitor NAME"
// or ",XcvPort NAME", with "\\SERVER\" before it or not.
func ParseTarget(name string) (Target, error) {
	var t Target
	rest := name
	if remote, ok := strings.CutPrefix(rest, `\\`); ok {
		t.Server, rest, ok = strings.Cut(remote, `\`)
		if !ok || t.Server == "" {
			return Target{}, badTarget(name)
		}
	}
	rest, ok := strings.CutPrefix(rest, ",")
	if !ok {
		return Target{}, badTarget(name)
	}
	word, object, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
	switch {
	case object == "":
		return Target{}, badTarget(name)
	case strings.EqualFold(word, "XcvMonitor"):
		t.Monitor = object
	case strings.EqualFold(word, "XcvPort"):
		t.Port = object
	default:
		return Target{}, badTarget(name)
	}
	return t, nil
}

func badTarget(name string) error {
	return spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidName,
		`%s names no Xcv object; use ",XcvMonitor NAME" or ",XcvPort NAME"`, spool.Quote(name))
}

// maxDataName bounds a data name, in bytes.
const maxDataName = 220

// CheckDataName refuses a data name that no monitor could have: it ends in logs.
func CheckDataName(name string) error {
	bad := func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }
	if name == "" || len(name) > maxDataName || !utf8.ValidString(name) || strings.ContainsFunc(name, bad) {
		return spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidParameter,
			"data name %s is empty, too long or not printable; AddPort, DeletePort and MonitorUI are known to every monitor", spool.Quote(name))
	}
	return nil
}

// NeedsAdminister says whether a data name is one of those that add, delete or configure
// ports: the host keeps them from callers without SERVER_ACCESS_ADMINISTER, should the
// monitor forget to. Of a vendor's own names only the monitor knows.
func NeedsAdminister(name string) bool {
	return slices.ContainsFunc([]string{
		portconfig.AddPort, portconfig.DeletePort, portconfig.ConfigPort,
		"ConfigurePort", "ConfigureLPTPortCommandOK", "SetDefaultCommConfig", "CleanupPort", "ResetCommunication", "AssocIppDirected",
	}, func(known string) bool { return Is(name, known) })
}

// Is says whether a data name is the one known as such. Case does not count: a monitor may
// compare as it likes, and must find no way around a check.
func Is(name, known string) bool { return strings.EqualFold(name, known) }

// PortName reads the name of the port that the input of AddPort, ConfigPort or DeletePort
// is about. All known layouts begin with it: the JSON of portconfig, a UTF-16 string,
// PORT_DATA_1 and its like. Empty input on a port's own handle means that port.
func PortName(in []byte, object string) (string, error) {
	name, err := leadingName(in)
	if name == "" && err == nil {
		name = object
	}
	if err == nil && name == "" {
		err = spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidData,
			"the input names no port; it begins with a NUL-terminated UTF-16 name, or is JSON with a name")
	}
	return name, err
}

func leadingName(in []byte) (string, error) {
	if len(in) == 0 {
		return "", nil
	}
	if text := strings.TrimLeft(string(in[:min(len(in), 16)]), " \t\r\n"); len(text) > 1 && text[0] == '{' && text[1] != 0 {
		c, err := portconfig.Decode(in)
		return c.Name, err
	}
	var units []uint16
	for ; len(in) >= 2 && len(units) <= spool.MaxNameLen; in = in[2:] {
		u := binary.LittleEndian.Uint16(in)
		if u == 0 {
			name := string(utf16.Decode(units))
			return name, checkName(name)
		}
		units = append(units, u)
	}
	return "", spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidData,
		"the input does not begin with the name of a port; send a NUL-terminated UTF-16 name of at most %d characters, or JSON with a name", spool.MaxNameLen)
}

func checkName(name string) error {
	if name == "" {
		return nil
	}
	return spool.CheckPortName(name)
}
