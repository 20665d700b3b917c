package ippmon

import (
	"encoding/hex"
	"net/url"
	"strings"
	"time"

	"github.com/spoolhost/spoolhost/plugins/internal/ports"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// settings is how to reach one printer.
type settings struct {
	// uri is the printer's, with the scheme ipp or ipps.
	uri *url.URL
	// pin is the SHA-256 of the printer's certificate, in hexadecimal; empty is to trust
	// the authorities of this machine.
	pin string
	// format is the media type of every document; empty is to look.
	format string
	// timeout bounds each request but the one that carries the document.
	timeout time.Duration
	// writeTimeout is how long one Write waits before it says that nothing moves.
	writeTimeout time.Duration
	// followTimeout is how long EndDoc waits for the paper once the printer has the
	// document; 0 is not at all.
	followTimeout time.Duration
	// statusInterval is how often the printer is asked for its state; 0 is never.
	statusInterval time.Duration
}

// parse checks settings strictly and fills in the defaults.
func parse(c portconfig.Config) (settings, error) {
	r := portconfig.Read(c)
	s := settings{
		pin:            strings.ToLower(strings.ReplaceAll(r.Text("pin", ""), ":", "")),
		format:         r.Text("format", ""),
		timeout:        r.Duration("timeout", 20*time.Second, time.Millisecond, time.Hour),
		writeTimeout:   r.Duration("writeTimeout", 30*time.Second, time.Millisecond, time.Hour),
		followTimeout:  r.Duration("followTimeout", 150*time.Second, 0, 24*time.Hour),
		statusInterval: r.Duration("statusInterval", time.Minute, 0, 24*time.Hour),
	}
	s.uri = readURI(r)
	const sha256 = 32
	if b, err := hex.DecodeString(s.pin); s.pin != "" && (err != nil || len(b) != sha256) {
		r.Problem("pin", "give the SHA-256 of the printer's certificate, 64 hexadecimal digits")
	}
	if s.format != "" && !strings.Contains(s.format, "/") || len(s.format) > 255 {
		r.Problem("format", "give a media type such as application/pdf")
	}
	return s, r.Err()
}

// readURI reads the printer's URI; http and https are as Windows writes them.
func readURI(r *portconfig.Reader) *url.URL {
	text := r.Required("uri")
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Opaque != "" || u.User != nil || len(text) > 1023 {
		if text != "" { // else Required has said so
			r.Problem("uri", "give ipp://HOST[:PORT]/PATH or ipps://HOST[:PORT]/PATH")
		}
		return &url.URL{}
	}
	port := ""
	switch u.Scheme {
	case "ipp", "ipps":
		return u
	case "http":
		u.Scheme, port = "ipp", ":80"
	case "https":
		u.Scheme, port = "ipps", ":443"
	default:
		r.Problem("uri", "give ipp://HOST[:PORT]/PATH or ipps://HOST[:PORT]/PATH")
	}
	if u.Port() == "" {
		u.Host += port
	}
	return u
}

// codec keeps settings in the registry.
type codec struct{}

func (codec) Values(c portconfig.Config) ([]registry.Value, error) {
	s, err := parse(c)
	if err != nil {
		return nil, err
	}
	return []registry.Value{
		registry.String("Uri", s.uri.String()), registry.String("CertificatePin", s.pin), registry.String("DocumentFormat", s.format),
		registry.Uint32("Timeout", ports.Milliseconds(s.timeout)), registry.Uint32("WriteTimeout", ports.Milliseconds(s.writeTimeout)),
		registry.Uint32("FollowTimeout", ports.Milliseconds(s.followTimeout)), registry.Uint32("StatusInterval", ports.Milliseconds(s.statusInterval)),
	}, nil
}

func (codec) Settings(s ports.Stored) (map[string]string, error) {
	f := ports.NewForm(s)
	f.Text("uri", "Uri")
	f.Text("pin", "CertificatePin")
	f.Text("format", "DocumentFormat")
	f.Time("timeout", "Timeout", time.Millisecond)
	f.Time("writeTimeout", "WriteTimeout", time.Millisecond)
	f.Time("followTimeout", "FollowTimeout", time.Millisecond)
	f.Time("statusInterval", "StatusInterval", time.Millisecond)
	return f.Settings, f.Err
}

func (codec) Merge(current, changed map[string]string) map[string]string {
	return ports.Overlay(current, changed)
}

func (codec) Info(c portconfig.Config) spool.PortInfo {
	info := spool.PortInfo{Name: c.Name, Type: spool.PortTypeWrite | spool.PortTypeNetAttached}
	if s, err := parse(c); err != nil {
		info.Description = "damaged: " + err.Error()
	} else {
		info.Description = s.uri.String()
	}
	return info
}
