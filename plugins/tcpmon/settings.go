package tcpmon

import (
	"net"
	"strconv"
	"time"

	"github.com/spoolhost/spoolhost/plugins/internal/ports"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// settings is how to reach one printer.
type settings struct {
	host string
	port int
	// connectTimeout is how long StartDoc tries, over all of the host's addresses.
	connectTimeout time.Duration
	// writeTimeout is how long one Write waits before it says that nothing moves.
	writeTimeout time.Duration
	// closeTimeout is how long EndDoc waits for the printer to close; 0 is not at all.
	closeTimeout time.Duration
	// keepAlive is the time between TCP keep-alive probes; 0 is none.
	keepAlive time.Duration
}

// protocolRaw is PROTOCOL_RAWTCP_TYPE.
const protocolRaw = 1

// parse checks settings strictly and fills in the defaults.
func parse(c portconfig.Config) (settings, error) {
	r := portconfig.Read(c)
	s := settings{
		host:           r.Required("host"),
		port:           r.Int("port", 9100, 1, 65535),
		connectTimeout: r.Duration("connectTimeout", 10*time.Second, time.Millisecond, 10*time.Minute),
		writeTimeout:   r.Duration("writeTimeout", 30*time.Second, time.Millisecond, time.Hour),
		closeTimeout:   r.Duration("closeTimeout", 60*time.Second, 0, time.Hour),
		keepAlive:      r.Duration("keepAlive", 30*time.Second, 0, 2*time.Hour),
	}
	if s.keepAlive%time.Second != 0 {
		r.Problem("keepAlive", "give whole seconds, or 0 for none")
	}
	if host, remedy := checkHost(s.host); remedy != "" && s.host != "" {
		r.Problem("host", "%s", remedy)
	} else {
		s.host = host
	}
	return s, r.Err()
}

func (s settings) address() string { return net.JoinHostPort(s.host, strconv.Itoa(s.port)) }

// codec keeps settings in the registry under the names that Windows uses.
type codec struct{}

func (codec) Values(c portconfig.Config) ([]registry.Value, error) {
	s, err := parse(c)
	if err != nil {
		return nil, err
	}
	return []registry.Value{
		registry.Uint32("Protocol", protocolRaw),
		registry.String("HostName", s.host),
		registry.Uint32("PortNumber", uint32(s.port)),
		registry.Uint32("ConnectTimeout", uint32(s.connectTimeout.Milliseconds())),
		registry.Uint32("WriteTimeout", uint32(s.writeTimeout.Milliseconds())),
		registry.Uint32("CloseTimeout", uint32(s.closeTimeout.Milliseconds())),
		registry.Uint32("KeepAlive", uint32(s.keepAlive/time.Second)),
	}, nil
}

func (codec) Settings(s ports.Stored) (map[string]string, error) {
	if err := checkProtocol(s); err != nil {
		return nil, err
	}
	host, err := s.Text("HostName")
	if err != nil {
		return nil, err
	}
	out := map[string]string{"host": host}
	for _, v := range [...]struct {
		key, value string
		unit       time.Duration
	}{
		{"port", "PortNumber", 0},
		{"connectTimeout", "ConnectTimeout", time.Millisecond},
		{"writeTimeout", "WriteTimeout", time.Millisecond},
		{"closeTimeout", "CloseTimeout", time.Millisecond},
		{"keepAlive", "KeepAlive", time.Second},
	} {
		if err := setNumber(out, v.key, s, v.value, v.unit); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// setNumber writes a stored number as a person would: a plain one if unit is 0, else a
// time. A value that is not stored is left to its default.
func setNumber(out map[string]string, key string, s ports.Stored, value string, unit time.Duration) error {
	n, ok, err := s.Number(value)
	switch {
	case err != nil || !ok:
		return err
	case n > 1<<32-1:
		return spoolerr.New(spoolerr.Corrupt, 0, "registry value %s is %d, which is out of range", value, n)
	case unit == 0:
		out[key] = strconv.FormatUint(n, 10)
	default:
		out[key] = (time.Duration(n) * unit).String()
	}
	return nil
}

func checkProtocol(s ports.Stored) error {
	n, ok, err := s.Number("Protocol")
	if err != nil || !ok || n == protocolRaw {
		return err
	}
	return spoolerr.New(spoolerr.Unsupported, 0, "registry value Protocol is %d; this monitor speaks only 1 (raw)", n)
}

func (codec) Merge(current, changed map[string]string) map[string]string {
	return ports.Overlay(current, changed)
}

func (codec) Info(c portconfig.Config) spool.PortInfo {
	info := spool.PortInfo{Name: c.Name, Type: spool.PortTypeWrite | spool.PortTypeNetAttached}
	if s, err := parse(c); err != nil {
		info.Description = "damaged: " + err.Error()
	} else {
		info.Description = "raw " + s.address()
	}
	return info
}
