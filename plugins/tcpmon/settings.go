package tcpmon

import (
	"strconv"
	"strings"
	"time"

	"github.com/spoolhost/spoolhost/plugins/internal/lpr"
	"github.com/spoolhost/spoolhost/plugins/internal/netport"
	"github.com/spoolhost/spoolhost/plugins/internal/tcpxcv"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// settings is how to reach one printer.
type settings struct {
	netport.Remote
	// protocol is PROTOCOL_RAWTCP_TYPE or PROTOCOL_LPR_TYPE.
	protocol uint32
	// queue and byteCounting are for LPR. Every document is counted before it is sent
	// anyway; byteCounting is kept because Windows' tools ask for it.
	queue        string
	byteCounting bool
	// writeTimeout is how long one Write waits before it says that nothing moves.
	writeTimeout time.Duration
	// closeTimeout is how long EndDoc waits for the printer to close once it has every
	// byte, or to confirm a job by LPR; 0 is not at all, which also gives up knowing that
	// the bytes have arrived.
	closeTimeout time.Duration
	// deviceType is a description that Windows' tools keep with a port.
	deviceType string
	snmp       snmpSettings
}

// snmpSettings is how to ask for the printer's state.
type snmpSettings struct {
	enabled   bool
	community string
	// index is the printer's hrDeviceIndex.
	index    int
	port     int
	version  string
	interval time.Duration
}

// The settings' texts for protocols and versions.
const (
	raw     = "raw"
	lprText = "lpr"

	snmpV1  = "1"
	snmpV2c = "2c"
)

const defaultRawPort = 9100

// parse checks settings strictly and fills in the defaults.
func parse(c portconfig.Config) (settings, error) {
	r := portconfig.Read(c)
	s := settings{protocol: readProtocol(r)}
	port := defaultRawPort
	if s.protocol == tcpxcv.ProtocolLPR {
		port = lpr.DefaultPort
	}
	s.Remote = netport.ReadRemote(r, port)
	s.queue = r.Text("queue", "")
	s.byteCounting = r.Bool("byteCounting", false)
	s.writeTimeout = r.Duration("writeTimeout", 30*time.Second, time.Millisecond, time.Hour)
	s.closeTimeout = r.Duration("closeTimeout", 60*time.Second, 0, time.Hour)
	s.deviceType = r.Text("deviceType", "")
	s.snmp = readSNMP(r)
	if remedy := lpr.CheckQueue(s.queue); remedy != "" && (s.queue != "" || s.protocol == tcpxcv.ProtocolLPR) {
		r.Problem("queue", "%s", remedy)
	}
	if remedy := checkText(s.deviceType, 256); remedy != "" {
		r.Problem("deviceType", "%s", remedy)
	}
	return s, r.Err()
}

func readProtocol(r *portconfig.Reader) uint32 {
	switch r.Text("protocol", raw) {
	case raw:
		return tcpxcv.ProtocolRaw
	case lprText:
		return tcpxcv.ProtocolLPR
	}
	r.Problem("protocol", "give raw or lpr")
	return tcpxcv.ProtocolRaw
}

func readSNMP(r *portconfig.Reader) snmpSettings {
	s := snmpSettings{
		enabled:   r.Bool("snmp", false),
		community: r.Text("snmpCommunity", "public"),
		index:     r.Int("snmpIndex", 1, 1, 1<<31-1),
		port:      r.Int("snmpPort", 161, 1, 65535),
		version:   r.Text("snmpVersion", snmpV2c),
		interval:  r.Duration("snmpInterval", time.Minute, time.Second, 24*time.Hour),
	}
	if s.version != snmpV1 && s.version != snmpV2c {
		r.Problem("snmpVersion", "give 1 or 2c")
	}
	if remedy := checkText(s.community, 32); remedy != "" {
		r.Problem("snmpCommunity", "%s", remedy)
	}
	return s
}

// checkText wants a text that fits into a PORT_DATA of Windows.
func checkText(text string, most int) (remedy string) {
	if len(text) > most || strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c > '~' }) {
		return "give at most " + strconv.Itoa(most) + " printable characters of ASCII"
	}
	return ""
}

// lpr gives what the client of the other protocol wants.
func (s settings) lpr(sender string) lpr.Settings {
	return lpr.Settings{
		Remote: s.Remote, Queue: s.queue, Sender: sender, Format: 'l',
		WriteTimeout: s.writeTimeout, AnswerTimeout: max(s.closeTimeout, time.Second),
	}
}

func (s settings) describe() string {
	if s.protocol == tcpxcv.ProtocolLPR {
		return "lpr " + s.Address() + " queue " + s.queue
	}
	return "raw " + s.Address()
}

func (codec) Info(c portconfig.Config) spool.PortInfo {
	info := spool.PortInfo{Name: c.Name, Type: spool.PortTypeWrite | spool.PortTypeNetAttached}
	if s, err := parse(c); err != nil {
		info.Description = "damaged: " + err.Error()
	} else {
		info.Description = s.describe()
	}
	return info
}
