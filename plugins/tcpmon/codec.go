package tcpmon

import (
	"slices"
	"time"

	"github.com/spoolhost/spoolhost/plugins/internal/ports"
	"github.com/spoolhost/spoolhost/plugins/internal/tcpxcv"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// codec keeps settings in the registry under the names that Windows uses.
type codec struct{}

func (codec) Values(c portconfig.Config) ([]registry.Value, error) {
	s, err := parse(c)
	if err != nil {
		return nil, err
	}
	return []registry.Value{
		registry.Uint32("Protocol", s.protocol),
		registry.String("HostName", s.Host),
		registry.Uint32("PortNumber", uint32(s.Port)),
		registry.String("Queue", s.queue),
		ports.Flag("Double Spool", s.byteCounting),
		registry.Uint32("ConnectTimeout", ports.Milliseconds(s.ConnectTimeout)),
		registry.Uint32("WriteTimeout", ports.Milliseconds(s.writeTimeout)),
		registry.Uint32("CloseTimeout", ports.Milliseconds(s.closeTimeout)),
		registry.Uint32("KeepAlive", uint32(s.KeepAlive/time.Second)),
		registry.String("DeviceType", s.deviceType),
		ports.Flag("SNMP Enabled", s.snmp.enabled),
		registry.String("SNMP Community", s.snmp.community),
		registry.Uint32("SNMP Index", uint32(s.snmp.index)),
		registry.Uint32("SNMP Port", uint32(s.snmp.port)),
		registry.String("SNMP Version", s.snmp.version),
		registry.Uint32("SNMP Interval", ports.Milliseconds(s.snmp.interval)),
	}, nil
}

func (codec) Settings(s ports.Stored) (map[string]string, error) {
	f := ports.NewForm(s)
	readStoredProtocol(f, s)
	f.Text("host", "HostName")
	f.Number("port", "PortNumber")
	f.Text("queue", "Queue")
	f.Flag("byteCounting", "Double Spool")
	f.Time("connectTimeout", "ConnectTimeout", time.Millisecond)
	f.Time("writeTimeout", "WriteTimeout", time.Millisecond)
	f.Time("closeTimeout", "CloseTimeout", time.Millisecond)
	f.Time("keepAlive", "KeepAlive", time.Second)
	f.Text("deviceType", "DeviceType")
	f.Flag("snmp", "SNMP Enabled")
	f.Text("snmpCommunity", "SNMP Community")
	f.Number("snmpIndex", "SNMP Index")
	f.Number("snmpPort", "SNMP Port")
	f.Text("snmpVersion", "SNMP Version")
	f.Time("snmpInterval", "SNMP Interval", time.Millisecond)
	if _, ours := f.Settings["protocol"]; ours { // else somebody wrote the key by hand: it shows what is in it
		fillUsual(f)
	}
	return f.Settings, f.Err
}

// fillUsual gives the settings that are not stored, see Usual.
func fillUsual(f *ports.Form) {
	f.Usual("byteCounting", "false")
	f.Usual("connectTimeout", "10s")
	f.Usual("writeTimeout", "30s")
	f.Usual("closeTimeout", "1m0s")
	f.Usual("keepAlive", "30s")
	f.Usual("snmp", "false")
	f.Usual("snmpCommunity", "public")
	f.Usual("snmpIndex", "1")
	f.Usual("snmpPort", "161")
	f.Usual("snmpVersion", snmpV2c)
	f.Usual("snmpInterval", "1m0s")
}

// Usual implements ports.Sparse: all but how the printer is reached.
func (c codec) Usual() []registry.Value {
	values, err := c.Values(portconfig.Config{Name: "p", Settings: map[string]string{"host": "usual"}})
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(values, func(v registry.Value) bool {
		return v.Name == "Protocol" || v.Name == "HostName" || v.Name == "PortNumber"
	})
}

func readStoredProtocol(f *ports.Form, s ports.Stored) {
	n, ok, err := s.Number("Protocol")
	switch {
	case f.Fail(err) || !ok:
	case n == uint64(tcpxcv.ProtocolRaw):
		f.Settings["protocol"] = raw
	case n == uint64(tcpxcv.ProtocolLPR):
		f.Settings["protocol"] = lprText
	default:
		f.Fail(spoolerr.New(spoolerr.Unsupported, 0, "registry value Protocol is %d; this monitor speaks 1 (raw) and 2 (LPR)", n))
	}
}

// Merge: with another protocol goes another port, unless one is given.
func (codec) Merge(current, changed map[string]string) map[string]string {
	merged := ports.Overlay(current, changed)
	_, given := changed["port"]
	if p, ok := changed["protocol"]; ok && p != current["protocol"] && !given {
		delete(merged, "port")
	}
	return merged
}
