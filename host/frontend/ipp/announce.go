package ipp

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spoolhost/spoolhost/host/frontend/ipp/attr"
	"github.com/spoolhost/spoolhost/host/frontend/ipp/discovery"
	"github.com/spoolhost/spoolhost/host/frontend/ipp/format"
	"github.com/spoolhost/spoolhost/host/spooler"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// Announced gives every printer as DNS-SD announces it at a port of a machine that others
// call by host. From now on requests may call it so too.
func (s *Server) Announced(host string, port uint16) []discovery.Printer {
	s.called.Store(strings.ToLower(strings.TrimSuffix(host, ".")))
	var list []discovery.Printer
	for _, sp := range s.cfg.Spoolers() {
		for _, p := range sp.Printers() {
			r := &request{spooler: sp, base: base{host: fmt.Sprintf("%s:%d", host, port), secure: s.cfg.TLS != nil}}
			list = append(list, s.announce(&shown{Server: s, request: r, p: p}))
		}
	}
	return list
}

func (s *Server) announce(v *shown) discovery.Printer {
	return discovery.Printer{
		Key: spool.Fold(v.spooler.Name()) + "/" + spool.Fold(v.p.Name), Name: serviceName(v.p.Name),
		Secure: s.cfg.TLS != nil, Subtypes: subtypes(v.p), Text: v.txt(),
	}
}

// serviceName is the name by which people find a printer, as CUPS makes it: several hosts
// may have a printer "Office". It is a label of DNS, of at most 63 bytes.
func serviceName(printer string) string {
	const most, leastOfPrinter = 63, 20
	host, err := os.Hostname()
	if err != nil {
		return attr.Cut(printer, most)
	}
	host, _, _ = strings.Cut(host, ".")
	at := " @ " + attr.Cut(host, most-leastOfPrinter-3)
	return attr.Cut(printer, most-len(at)) + at
}

// subtypes: phones print rasters, so those find only printers that are declared to take
// them. What nobody described may be a device that would print them as letters.
func subtypes(p spooler.PrinterView) []string {
	list := []string{"_cups"}
	if declared(p, format.PWGRaster) {
		list = append(list, "_print") // Mopria
	}
	if declared(p, format.URF) {
		list = append(list, "_universal") // AirPrint
	}
	return list
}

func declared(p spooler.PrinterView, mime string) bool {
	return len(p.Formats) > 0 && takes(p, mime)
}

// txt gives the TXT record of the Bonjour Printing Specification 1.2.1 and IPP Everywhere
// (PWG 5100.14), and what clients of CUPS look for.
func (v *shown) txt() []string {
	model, _, _ := attr.ReadText(v.description(), "printer-make-and-model")
	colour, _, _ := attr.ReadBool(v.description(), "color-supported")
	sides, _, _ := attr.ReadTexts(v.description(), "sides-supported")
	entries := []string{
		"txtvers=1", "qtotal=1",
		"rp=" + strings.TrimPrefix(v.printerPath(v.p.Name), "/"),
		"ty=" + model, "product=(" + model + ")",
		"note=" + v.p.Location,
		"adminurl=" + strings.Replace(v.base.uri("/"), "ipp", "http", 1),
		"priority=50",
		"pdl=" + pdl(v.p),
		"UUID=" + strings.TrimPrefix(v.uuid(), "urn:uuid:"),
		"Color=" + letter(colour), "Duplex=" + letter(len(sides) > 1),
		fmt.Sprintf("printer-type=0x%X", v.kinds()),
		"air=" + v.air(),
	}
	if declared(v.p, format.URF) {
		urf, _, _ := attr.ReadTexts(v.description(), "urf-supported")
		entries = append(entries, "URF="+strings.Join(urf, ","))
	}
	if v.cfg.TLS != nil {
		entries = append(entries, "TLS=1.2")
	}
	const most = 255
	for i, e := range entries {
		entries[i] = attr.Cut(e, most)
	}
	return entries
}

// pdl lists the formats of a printer, as many as an entry holds.
func pdl(p spooler.PrinterView) string {
	const most = 255 - len("pdl=")
	types := slices.DeleteFunc(slices.Clone(formats(p)), func(f string) bool { return f == format.OctetStream })
	text := strings.Join(types, ",")
	for len(text) > most {
		types = types[:len(types)-1]
		text = strings.Join(types, ",")
	}
	return text
}

// air says what a client from another machine must prove.
func (v *shown) air() string {
	switch {
	case v.cfg.Anonymous == AnonymousNetwork:
		return "none"
	case v.cfg.Users != nil:
		return "username,password"
	}
	return "certificate"
}

func letter(b bool) string {
	if b {
		return "T"
	}
	return "F"
}
