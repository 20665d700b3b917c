package tcpmonui

import (
	"cmp"

	"github.com/spoolhost/spoolhost/plugins/internal/portui"
	"github.com/spoolhost/spoolhost/sdk/monitorui/form"
)

// The protocols, as the monitor names them.
const (
	raw = "raw"
	lpr = "lpr"
)

// printerPage asks where the printer is.
func printerPage(title string, current map[string]string) form.Page {
	return form.Page{Title: title, Fields: []form.Field{
		{
			Name: "host", Label: "Address of the printer", Required: true, Default: current["host"], MaxLength: 253,
			Help: "A host name or an IP address.",
		},
		{
			Name: "protocol", Label: "Protocol", Type: form.OneOf, Required: true, Default: cmp.Or(current["protocol"], raw),
			Help:    "Raw is what nearly every network printer speaks.",
			Choices: []form.Choice{{Value: raw, Label: "Raw (AppSocket, usually port 9100)"}, {Value: lpr, Label: "LPR (usually port 515)"}},
		},
	}}
}

// connectionPage asks how to talk to it.
func connectionPage(protocol string, current map[string]string) form.Page {
	p := form.Page{Title: "Connection", Text: "The defaults fit most printers."}
	port := "9100"
	if protocol == lpr {
		port = "515"
		p.Fields = append(p.Fields, form.Field{
			Name: "queue", Label: "Name of the printer's queue", Required: true, Default: current["queue"], MaxLength: 32,
			Help: "Print servers often call it lp, raw or auto.",
		})
	}
	if current["protocol"] == protocol {
		port = cmp.Or(current["port"], port)
	}
	p.Fields = append(p.Fields,
		form.Field{Name: "port", Label: "Port number", Type: form.Number, Min: 1, Max: 65535, Default: port, Required: true},
		portui.Duration("connectTimeout", "Longest time to connect", "", cmp.Or(current["connectTimeout"], "10s")),
		portui.Duration("writeTimeout", "Longest wait for the printer to take data", "After it the printer shows as waiting; nothing is lost.",
			cmp.Or(current["writeTimeout"], "30s")),
		portui.Duration("closeTimeout", "Longest wait for the end of a document", "0: do not wait.", cmp.Or(current["closeTimeout"], "1m")),
	)
	return addSNMP(p, current)
}

func addSNMP(p form.Page, current map[string]string) form.Page {
	p.Fields = append(p.Fields,
		form.Field{Name: "snmp", Label: "Ask the printer for its state (SNMP)?", Type: form.Check, Default: cmp.Or(current["snmp"], "false")},
		form.Field{
			Name: "snmpCommunity", Label: "SNMP community", Type: form.Secret, MaxLength: 32,
			Help: "Empty: as it is, public for a new port.",
		},
		form.Field{
			Name: "snmpIndex", Label: "SNMP device index", Type: form.Number, Min: 1, Max: 1<<31 - 1, Default: cmp.Or(current["snmpIndex"], "1"),
		},
		form.Field{
			Name: "test", Label: "Test the connection now?", Type: form.Check, Default: "true",
			Help: "The host connects to the printer and sends nothing.",
		},
	)
	return p
}
