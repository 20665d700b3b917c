package netport

import (
	"time"

	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
)

// ReadRemote reads the settings that every network port has: host, port, connectTimeout
// and keepAlive.
func ReadRemote(r *portconfig.Reader, port int) Remote {
	m := Remote{
		Host:           r.Required("host"),
		Port:           r.Int("port", port, 1, 65535),
		ConnectTimeout: r.Duration("connectTimeout", 10*time.Second, time.Millisecond, 10*time.Minute),
		KeepAlive:      r.Duration("keepAlive", 30*time.Second, 0, 2*time.Hour),
	}
	if m.KeepAlive%time.Second != 0 {
		r.Problem("keepAlive", "give whole seconds, or 0 for none")
	}
	if host, remedy := CheckHost(m.Host); remedy != "" && m.Host != "" {
		r.Problem("host", "%s", remedy)
	} else {
		m.Host = host
	}
	return m
}
