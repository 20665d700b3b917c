package cupsbackend

import (
	"net/url"
	"strings"
	"time"

	"github.com/spoolhost/spoolhost/plugins/internal/ports"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// settings is what a backend is told of a printer.
type settings struct {
	uri string
	// options is the argument of that name: KEY=VALUE, separated by blanks.
	options string
	// contentType is what documents are called to the backend.
	contentType string
	// username and password are for printers that ask who prints.
	username, password string
	// writeTimeout is how long one Write waits before it says that nothing moves.
	writeTimeout time.Duration
}

// parse checks what can be told from the settings alone.
func parse(c portconfig.Config) (settings, error) {
	r := portconfig.Read(c)
	s := settings{
		uri:          r.Required("uri"),
		options:      r.Text("options", ""),
		contentType:  r.Text("contentType", "application/octet-stream"),
		username:     r.Text("username", ""),
		password:     r.Text("password", ""),
		writeTimeout: r.Duration("writeTimeout", 30*time.Second, time.Millisecond, time.Hour),
	}
	if s.uri != "" && !isURI(s.uri) {
		r.Problem("uri", "give a device URI such as ipp://10.0.0.5/ipp/print; spoolhost xcv \",XcvMonitor %s\" Discover lists what is there", Name)
	}
	for key, text := range map[string]string{
		"options": s.options, "contentType": s.contentType, "username": s.username, "password": s.password,
	} {
		if !isPlain(text) {
			r.Problem(key, "give at most 1023 printable characters")
		}
	}
	return s, r.Err()
}

func isPlain(text string) bool {
	const most = 1023
	return len(text) <= most && !strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c == 0x7f || c == 0xfffd })
}

func isURI(uri string) bool {
	scheme, rest, ok := strings.Cut(uri, ":")
	return ok && isScheme(scheme) && rest != "" && isPlain(uri) && !strings.ContainsRune(uri, ' ')
}

func (s settings) scheme() string {
	scheme, _, _ := strings.Cut(s.uri, ":")
	return scheme
}

// shown is the URI without its password, for arguments and descriptions that all can see.
func (s settings) shown() string {
	before, rest, ok := strings.Cut(s.uri, "://")
	authority, path, _ := strings.Cut(rest, "/")
	at := strings.LastIndex(authority, "@")
	if !ok || at < 0 {
		return s.uri
	}
	return before + "://" + authority[at+1:] + strings.TrimPrefix("/"+path, "//")
}

// codec keeps settings in the registry.
type codec struct{ backends backends }

func (k codec) Values(c portconfig.Config) ([]registry.Value, error) {
	s, err := parse(c)
	if err != nil {
		return nil, err
	}
	if _, err := k.backends.find(s.scheme()); err != nil {
		return nil, err
	}
	return []registry.Value{
		registry.String("DeviceURI", s.uri),
		registry.String("Options", s.options),
		registry.String("ContentType", s.contentType),
		registry.String("UserName", s.username),
		registry.String("Password", s.password),
		registry.Uint32("WriteTimeout", ports.Milliseconds(s.writeTimeout)),
	}, nil
}

func (codec) Settings(s ports.Stored) (map[string]string, error) {
	f := ports.NewForm(s)
	f.Text("uri", "DeviceURI")
	f.Text("options", "Options")
	f.Text("contentType", "ContentType")
	f.Text("username", "UserName")
	f.Text("password", "Password")
	f.Time("writeTimeout", "WriteTimeout", time.Millisecond)
	return f.Settings, f.Err
}

func (codec) Merge(current, changed map[string]string) map[string]string {
	return ports.Overlay(current, changed)
}

func (codec) Info(c portconfig.Config) spool.PortInfo {
	info := spool.PortInfo{Name: c.Name, Type: spool.PortTypeWrite}
	s, err := parse(c)
	if err != nil {
		info.Description = "damaged: " + err.Error()
		return info
	}
	info.Description = s.shown()
	if u, err := url.Parse(s.uri); err == nil && u.Host != "" {
		info.Type |= spool.PortTypeNetAttached
	}
	return info
}
