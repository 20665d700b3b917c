package tcpxcv

import "encoding/binary"

// PortData is PORT_DATA_1 or PORT_DATA_2. Fields that a version does not have are empty.
type PortData struct {
	Version  uint32 // 1 or 2
	PortName string // at most 63 characters
	Protocol uint32
	// HostAddress is a name or an address: at most 48 characters in version 1, 127 in 2.
	HostAddress   string
	SNMPCommunity string // at most 32 characters
	// DoubleSpool is LPR byte counting.
	DoubleSpool     bool
	Queue           string // at most 32 characters; LPR only
	IPAddress       string // version 1 only, at most 15 characters
	HardwareAddress string // version 1 only, at most 12 characters
	DeviceType      string // at most 256 characters
	PortNumber      uint32
	SNMPEnabled     bool
	// SNMPDevIndex is the printer's hrDeviceIndex.
	SNMPDevIndex        uint32
	PortMonitorMibIndex uint32 // version 2 only
}

// DecodePortData reads a structure of exactly the size that its version has.
func DecodePortData(in []byte) (PortData, error) {
	if len(in) < PortNameSize+4 {
		return PortData{}, malformed("PORT_DATA has %d bytes; send %d for version 1, %d for version 2", len(in), PortData1Size, PortData2Size)
	}
	version := binary.LittleEndian.Uint32(in[PortNameSize:])
	l, err := layoutOf(version)
	if err != nil {
		return PortData{}, err
	}
	if len(in) != l.size {
		return PortData{}, malformed("PORT_DATA_%d has %d bytes; send %d", version, len(in), l.size)
	}
	r := &reader{what: "PORT_DATA", in: in}
	if n := r.number(l.structSize); n != uint32(l.size) {
		return PortData{}, malformed("PORT_DATA_%d: Size is %d; send %d", version, n, l.size)
	}
	if n := r.number(l.reserved); n != 0 {
		return PortData{}, malformed("PORT_DATA_%d: Reserved is %d; send 0", version, n)
	}
	d := PortData{
		Version: version, PortName: r.text(l.portName), Protocol: r.number(l.protocol),
		HostAddress: r.text(l.host), SNMPCommunity: r.text(l.community), DoubleSpool: r.flag(l.doubleSpool),
		Queue: r.text(l.queue), IPAddress: r.text(l.ip), HardwareAddress: r.text(l.hardware),
		DeviceType: r.text(l.deviceType), PortNumber: r.number(l.portNumber), SNMPEnabled: r.flag(l.snmpEnabled),
		SNMPDevIndex: r.number(l.snmpIndex), PortMonitorMibIndex: r.number(l.portMonMib),
	}
	return d, r.err
}

// Encode writes the structure of d.Version. It fails if a text does not fit.
func (d PortData) Encode() ([]byte, error) {
	l, err := layoutOf(d.Version)
	if err != nil {
		return nil, err
	}
	w := &writer{what: "PORT_DATA", out: make([]byte, l.size)}
	w.text(l.portName, d.PortName)
	w.number(l.versionField, d.Version)
	w.number(l.protocol, d.Protocol)
	w.number(l.structSize, uint32(l.size))
	w.text(l.host, d.HostAddress)
	w.text(l.community, d.SNMPCommunity)
	w.flag(l.doubleSpool, d.DoubleSpool)
	w.text(l.queue, d.Queue)
	w.text(l.ip, d.IPAddress)
	w.text(l.hardware, d.HardwareAddress)
	w.text(l.deviceType, d.DeviceType)
	w.number(l.portNumber, d.PortNumber)
	w.flag(l.snmpEnabled, d.SNMPEnabled)
	w.number(l.snmpIndex, d.SNMPDevIndex)
	w.number(l.portMonMib, d.PortMonitorMibIndex)
	return w.out, w.err
}

// DeletePort is DELETE_PORT_DATA_1.
type DeletePort struct {
	PortName string
	Server   string // the member Name, at most 48 characters
}

func deleteFields() (name, server, version, reserved field) {
	return field{"PortName", 0, PortNameSize}, field{"Name", 128, 98}, number("Version", 228), number("Reserved", 232)
}

// DecodeDeletePort reads a structure.
func DecodeDeletePort(in []byte) (DeletePort, error) {
	if len(in) != DeletePortSize {
		return DeletePort{}, malformed("DELETE_PORT_DATA_1 has %d bytes; send %d", len(in), DeletePortSize)
	}
	name, server, version, _ := deleteFields()
	r := &reader{what: "DELETE_PORT_DATA_1", in: in}
	if v := r.number(version); v != 1 {
		return DeletePort{}, badVersion(r.what, v, "1")
	}
	return DeletePort{PortName: r.text(name), Server: r.text(server)}, r.err
}

// Encode writes the structure.
func (d DeletePort) Encode() ([]byte, error) {
	name, server, version, _ := deleteFields()
	w := &writer{what: "DELETE_PORT_DATA_1", out: make([]byte, DeletePortSize)}
	w.text(name, d.PortName)
	w.text(server, d.Server)
	w.number(version, 1)
	return w.out, w.err
}

// ConfigInfo is CONFIG_INFO_DATA_1: it asks GetConfigInfo for PORT_DATA of a version.
type ConfigInfo struct {
	// PortName is reserved: the channel is open on the port.
	PortName string
	Version  uint32
}

// DecodeConfigInfo reads a structure.
func DecodeConfigInfo(in []byte) (ConfigInfo, error) {
	if len(in) != ConfigInfoSize {
		return ConfigInfo{}, malformed("CONFIG_INFO_DATA_1 has %d bytes; send %d", len(in), ConfigInfoSize)
	}
	r := &reader{what: "CONFIG_INFO_DATA_1", in: in}
	c := ConfigInfo{Version: r.number(number("Version", PortNameSize))}
	if _, err := layoutOf(c.Version); err != nil {
		return ConfigInfo{}, badVersion(r.what, c.Version, "1 or 2")
	}
	c.PortName = r.text(field{"PortName", 0, PortNameSize})
	return c, r.err
}

// Encode writes the structure.
func (c ConfigInfo) Encode() ([]byte, error) {
	w := &writer{what: "CONFIG_INFO_DATA_1", out: make([]byte, ConfigInfoSize)}
	w.text(field{"PortName", 0, PortNameSize}, c.PortName)
	w.number(number("Version", PortNameSize), c.Version)
	return w.out, w.err
}
