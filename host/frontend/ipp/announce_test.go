package ipp_test

import (
	"crypto/tls"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spoolhost/spoolhost/host/frontend/access"
	"github.com/spoolhost/spoolhost/host/frontend/ipp"
	"github.com/spoolhost/spoolhost/host/spooler"
)

// announced gives what is announced of a printer, with its TXT record by key.
func (b *bench) announced(printer string, adjust func(*ipp.Config)) (name string, subtypes []string, txt map[string]string) {
	b.Helper()
	cfg := ipp.Config{Spoolers: func() []*spooler.Spooler { return []*spooler.Spooler{b.host.Node()} }}
	if adjust != nil {
		adjust(&cfg)
	}
	for _, p := range ipp.New(cfg).Announced("print1.local", 8631) {
		if p.Key != "node/"+strings.ToLower(printer) {
			continue
		}
		if p.Secure != (cfg.TLS != nil) {
			b.Errorf("%s: secure is %v", printer, p.Secure)
		}
		txt = make(map[string]string)
		for _, entry := range p.Text {
			key, value, ok := strings.Cut(entry, "=")
			if _, twice := txt[key]; !ok || twice || len(entry) > 255 || !utf8.ValidString(entry) {
				b.Errorf("%s: entry %q", printer, entry)
			}
			txt[key] = value
		}
		return p.Name, p.Subtypes, txt
	}
	b.Fatalf("printer %s is not announced", printer)
	return "", nil, nil
}

func TestAnnounced(t *testing.T) {
	b := newBench(t, nil)
	name, subtypes, txt := b.announced("hall", nil)
	host, err := os.Hostname()
	b.ok(err)
	host, _, _ = strings.Cut(host, ".")
	if want := "hall @ " + host; name != want {
		t.Errorf("name %q, want %q", name, want)
	}
	if !slices.Equal(subtypes, []string{"_cups"}) {
		t.Errorf("subtypes %v: nobody declared that it takes rasters", subtypes)
	}
	for key, want := range map[string]string{
		"txtvers": "1", "qtotal": "1", "rp": "printers/hall", "ty": "spoolhost queue", "product": "(spoolhost queue)", "note": "",
		"adminurl": "http://print1.local:8631/", "air": "certificate", "Color": "T", "Duplex": "T",
	} {
		if got, has := txt[key]; !has || got != want {
			t.Errorf("%s=%q, want %q", key, got, want)
		}
	}
	for _, key := range []string{"URF", "TLS"} {
		if _, has := txt[key]; has {
			t.Errorf("%s is announced", key)
		}
	}
	b.wants(b.printerAttributes("printer-uuid"), "printer-uuid", "urn:uuid:"+txt["UUID"])
	b.wants(b.printerAttributes("printer-dns-sd-name"), "printer-dns-sd-name", name)
}

func TestAnnouncedAsDeclared(t *testing.T) {
	b := newBench(t, nil)
	long := strings.Repeat("Bür", 20)
	location := strings.Repeat("ü", 300)
	b.ok(b.host.Node().AddPrinter(t.Context(), long, spooler.Settings{
		Ports: []string{"P1"}, Location: &location, Formats: []string{"application/octet-stream", "image/urf", "image/pwg-raster"},
	}))
	users, err := access.OpenUsers(usersFile(t))
	b.ok(err)
	name, subtypes, txt := b.announced(long, func(c *ipp.Config) { c.TLS, c.Users = &tls.Config{MinVersion: tls.VersionTLS12}, users })
	if len(name) > 63 || !utf8.ValidString(name) || !strings.HasPrefix(name, "BürBür") || !strings.Contains(name, " @ ") {
		t.Errorf("name %q of %d bytes", name, len(name))
	}
	if !slices.Equal(subtypes, []string{"_cups", "_print", "_universal"}) {
		t.Errorf("subtypes %v", subtypes)
	}
	if txt["pdl"] != "image/urf,image/pwg-raster" || !strings.HasPrefix(txt["URF"], "V1.4,") || txt["TLS"] != "1.2" ||
		txt["air"] != "username,password" || txt["adminurl"] != "https://print1.local:8631/" || len(txt["note"]) != 250 {
		t.Errorf("%q", txt)
	}
	_, _, txt = b.announced("hall", func(c *ipp.Config) { c.Anonymous = ipp.AnonymousNetwork })
	if txt["air"] != "none" {
		t.Errorf("air=%s", txt["air"])
	}
}
