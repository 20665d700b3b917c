package tcpmon

import (
	"bytes"
	"context"
	"encoding/binary"
	"net/netip"
	"strconv"

	"github.com/spoolhost/spoolhost/plugins/internal/ports"
	"github.com/spoolhost/spoolhost/plugins/internal/tcpxcv"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// commands are the data names that Windows documents for its monitor of this name, beyond
// the common ones. Each takes its structures, and the JSON and plain names of
// portconfig too: JSON holds no NUL and a name one, at its end; every structure holds
// NULs before that, after the name that it begins with.
func (m *instance) commands() map[string]ports.Command {
	return map[string]ports.Command{
		portconfig.ConfigPort:    {Admin: true, Run: m.configPort},
		portconfig.DeletePort:    {Admin: true, Run: deletePort},
		portconfig.GetConfigInfo: {Run: getConfigInfo},
		"TestConnection":         {Admin: true, Run: testConnection},
		"HostAddress":            {Run: about(func(_ context.Context, s settings) ([]byte, error) { return text(s.Host), nil })},
		"IPAddress":              {Run: about(ipAddress)},
		"SNMPCommunity":          {Run: about(func(_ context.Context, s settings) ([]byte, error) { return text(s.snmp.community), nil })},
		"SNMPDeviceIndex":        {Run: about(func(_ context.Context, s settings) ([]byte, error) { return dword(s.snmp.index), nil })},
		"SNMPEnabled":            {Run: about(func(_ context.Context, s settings) ([]byte, error) { return dword(bit(s.snmp.enabled)), nil })},
	}
}

func text(s string) []byte { return portconfig.EncodeText(s) }

func dword(n int) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(n)) }

func bit(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// about is a command that answers from the settings of the channel's port.
func about(answer func(context.Context, settings) ([]byte, error)) func(context.Context, *ports.Channel, []byte) ([]byte, error) {
	return func(ctx context.Context, ch *ports.Channel, in []byte) ([]byte, error) {
		name, err := ch.Name(in)
		if err != nil {
			return nil, err
		}
		c, err := ch.Book.Config(ctx, name)
		if err != nil {
			return nil, err
		}
		s, err := parse(c)
		if err != nil {
			return nil, err
		}
		return answer(ctx, s)
	}
}

// ipAddress looks a name up.
func ipAddress(ctx context.Context, s settings) ([]byte, error) {
	address, err := s.Resolve(ctx)
	if err != nil {
		return nil, err
	}
	return text(address.String()), nil
}

// isStructure tells a structure from JSON and from a plain name.
func isStructure(in []byte) bool {
	if bytes.IndexByte(in, 0) < 0 {
		return false
	}
	_, err := portconfig.DecodeText(in)
	return err != nil
}

// decodePort reads the input of AddPort and ConfigPort.
func decodePort(in []byte) (portconfig.Config, error) {
	if !isStructure(in) {
		return portconfig.Decode(in)
	}
	d, err := tcpxcv.DecodePortData(in)
	if err != nil {
		return portconfig.Config{}, err
	}
	return fromPortData(d)
}

// fromPortData gives the settings that a structure names. An empty or zero field is not
// given: then a new port has the default, and a port that is there keeps what it has.
func fromPortData(d tcpxcv.PortData) (portconfig.Config, error) {
	c := portconfig.Config{Name: d.PortName, Settings: map[string]string{}}
	put := func(key, value string, given bool) {
		if given {
			c.Settings[key] = value
		}
	}
	switch d.Protocol {
	case tcpxcv.ProtocolRaw:
		c.Settings["protocol"] = raw
	case tcpxcv.ProtocolLPR:
		c.Settings["protocol"] = lprText
	default:
		return c, spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidData, "port %s: Protocol is %d; send 1 (raw) or 2 (LPR)", spool.Quote(d.PortName), d.Protocol)
	}
	host := d.HostAddress
	if host == "" {
		host = d.IPAddress
	}
	put("host", host, host != "")
	put("port", number(d.PortNumber), d.PortNumber != 0)
	put("queue", d.Queue, d.Queue != "")
	put("byteCounting", strconv.FormatBool(d.DoubleSpool), true)
	put("deviceType", d.DeviceType, d.DeviceType != "")
	put("snmp", strconv.FormatBool(d.SNMPEnabled), true)
	put("snmpCommunity", d.SNMPCommunity, d.SNMPCommunity != "")
	put("snmpIndex", number(d.SNMPDevIndex), d.SNMPDevIndex != 0)
	return c, nil
}

func number(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// configPort also tells who watches the port.
func (m *instance) configPort(ctx context.Context, ch *ports.Channel, in []byte) ([]byte, error) {
	name, err := ports.ConfigPort(ctx, ch, in)
	if err == nil {
		m.watchers.configured(name)
	}
	return nil, err
}

// deletePort takes DELETE_PORT_DATA_1 too.
func deletePort(ctx context.Context, ch *ports.Channel, in []byte) ([]byte, error) {
	if !isStructure(in) {
		return ports.DeletePort(ctx, ch, in)
	}
	d, err := tcpxcv.DecodeDeletePort(in)
	if err != nil {
		return nil, err
	}
	name, err := ch.Only(d.PortName)
	if err != nil {
		return nil, err
	}
	return nil, ch.Book.Delete(ctx, name)
}

// getConfigInfo answers CONFIG_INFO_DATA_1 with a PORT_DATA of the version asked for, and
// all else with JSON.
func getConfigInfo(ctx context.Context, ch *ports.Channel, in []byte) ([]byte, error) {
	if !isStructure(in) {
		return ports.GetConfigInfo(ctx, ch, in)
	}
	asked, err := tcpxcv.DecodeConfigInfo(in)
	if err != nil {
		return nil, err
	}
	name, err := ch.Only(asked.PortName)
	switch {
	case err != nil:
		return nil, err
	case name == "":
		return nil, spoolerr.New(spoolerr.BadHandle, 0, "GetConfigInfo with CONFIG_INFO_DATA_1 needs a channel on a port; open ,XcvPort NAME")
	}
	c, err := ch.Book.Config(ctx, name)
	if err != nil {
		return nil, err
	}
	s, err := parse(c)
	if err != nil {
		return nil, err
	}
	return s.portData(name, asked.Version).Encode()
}

func (s settings) portData(name string, version uint32) tcpxcv.PortData {
	d := tcpxcv.PortData{
		Version: version, PortName: name, Protocol: s.protocol, HostAddress: s.Host, SNMPCommunity: s.snmp.community,
		DoubleSpool: s.byteCounting, Queue: s.queue, DeviceType: s.deviceType, PortNumber: uint32(s.Port),
		SNMPEnabled: s.snmp.enabled, SNMPDevIndex: uint32(s.snmp.index),
	}
	if a, err := netip.ParseAddr(s.Host); err == nil && a.Is4() {
		d.IPAddress = s.Host
	}
	return d
}
