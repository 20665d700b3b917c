// Package snmptest is an SNMP agent (v1 and v2c) for tests, with the values of a printer.
//
// Only tests below plugins import it.
package snmptest

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gosnmp/gosnmp"
)

// Community is what the agent wants to hear.
const Community = "public"

// Agent answers on a UDP port of the loopback.
type Agent struct {
	conn *net.UDPConn
	done chan struct{}

	mu     sync.Mutex
	values map[string]any
	order  [][]int
	deaf   bool
	asked  int
}

// Printer is the values of a laser printer that is idle: device 1.
func Printer() map[string]any {
	return map[string]any{
		"1.3.6.1.2.1.1.5.0":             "printer7",
		"1.3.6.1.2.1.1.6.0":             "Hall",
		"1.3.6.1.2.1.25.3.2.1.3.1":      "Acme LaserMatic 9",
		"1.3.6.1.2.1.25.3.2.1.5.1":      2,
		"1.3.6.1.2.1.25.3.2.1.5.7":      5, // another device of the same agent
		"1.3.6.1.2.1.25.3.5.1.1.1":      3,
		"1.3.6.1.2.1.25.3.5.1.2.1":      "\x00\x00",
		"1.3.6.1.2.1.43.5.1.1.16.1":     "Office",
		"1.3.6.1.2.1.43.5.1.1.17.1":     "SN-42",
		"1.3.6.1.2.1.43.8.2.1.9.1.1":    250,
		"1.3.6.1.2.1.43.8.2.1.10.1.1":   125,
		"1.3.6.1.2.1.43.8.2.1.12.1.1":   "iso-a4-white",
		"1.3.6.1.2.1.43.8.2.1.13.1.1":   "Tray 1",
		"1.3.6.1.2.1.43.8.2.1.9.1.2":    500,
		"1.3.6.1.2.1.43.8.2.1.10.1.2":   -3,
		"1.3.6.1.2.1.43.8.2.1.18.1.2":   "Tray 2",
		"1.3.6.1.2.1.43.10.2.1.4.1.1":   12345,
		"1.3.6.1.2.1.43.11.1.1.3.1.1":   1,
		"1.3.6.1.2.1.43.11.1.1.4.1.1":   3,
		"1.3.6.1.2.1.43.11.1.1.5.1.1":   3,
		"1.3.6.1.2.1.43.11.1.1.6.1.1":   "Black Cartridge X42",
		"1.3.6.1.2.1.43.11.1.1.8.1.1":   8000,
		"1.3.6.1.2.1.43.11.1.1.9.1.1":   2000,
		"1.3.6.1.2.1.43.11.1.1.4.1.2":   4,
		"1.3.6.1.2.1.43.11.1.1.5.1.2":   4,
		"1.3.6.1.2.1.43.11.1.1.6.1.2":   "Waste Toner Bottle",
		"1.3.6.1.2.1.43.11.1.1.8.1.2":   100,
		"1.3.6.1.2.1.43.11.1.1.9.1.2":   -3,
		"1.3.6.1.2.1.43.12.1.1.4.1.1":   "black",
		"1.3.6.1.2.1.43.16.5.1.2.1.1.1": "Ready",
	}
}

// The names that tests change.
const (
	DeviceStatus  = "1.3.6.1.2.1.25.3.2.1.5.1"
	PrinterStatus = "1.3.6.1.2.1.25.3.5.1.1.1"
	ErrorState    = "1.3.6.1.2.1.25.3.5.1.2.1"
	Panel         = "1.3.6.1.2.1.43.16.5.1.2.1.1.1"
)

// New starts an agent; the test's end stops it.
func New(t *testing.T, values map[string]any) *Agent {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	a := &Agent{conn: conn, done: make(chan struct{}), values: map[string]any{}}
	for name, v := range values {
		a.Set(name, v)
	}
	go a.run()
	t.Cleanup(func() {
		_ = conn.Close()
		<-a.done
	})
	return a
}

// Port is the UDP port.
func (a *Agent) Port() int { return a.conn.LocalAddr().(*net.UDPAddr).Port }

// Set changes a value: an int, a string or nil, which removes it.
func (a *Agent) Set(name string, v any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, have := a.values[name]; !have {
		a.order = append(a.order, numbers(name))
		slices.SortFunc(a.order, slices.Compare[[]int])
	}
	a.values[name] = v
}

// Deaf makes the agent answer nothing, or answer again.
func (a *Agent) Deaf(yes bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.deaf = yes
}

// Asked counts the questions so far.
func (a *Agent) Asked() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.asked
}

func (a *Agent) run() {
	defer close(a.done)
	buf := make([]byte, 64<<10)
	for {
		n, from, err := a.conn.ReadFromUDP(buf)
		if err != nil {
			return
		}
		if out := a.answer(buf[:n]); out != nil {
			_, _ = a.conn.WriteToUDP(out, from)
		}
	}
}

func (a *Agent) answer(in []byte) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked++
	q, err := (&gosnmp.GoSNMP{Logger: gosnmp.Logger{}}).SnmpDecodePacket(in)
	if err != nil || a.deaf || q.Community != Community {
		return nil
	}
	r := gosnmp.SnmpPacket{Version: q.Version, Community: q.Community, PDUType: gosnmp.GetResponse, RequestID: q.RequestID}
	repeat := 1
	if q.PDUType == gosnmp.GetBulkRequest {
		repeat = int(q.MaxRepetitions)
	}
	for i, v := range q.Variables {
		at := numbers(v.Name)
		for range repeat {
			next, ok := a.next(at)
			if !ok {
				if q.Version == gosnmp.Version1 {
					r.Error, r.ErrorIndex, r.Variables = gosnmp.NoSuchName, uint8(i+1), q.Variables
				} else {
					r.Variables = append(r.Variables, gosnmp.SnmpPDU{Name: v.Name, Type: gosnmp.EndOfMibView})
				}
				break
			}
			r.Variables = append(r.Variables, a.pdu(next))
			at = next
		}
	}
	out, err := r.MarshalMsg()
	if err != nil {
		return nil
	}
	return out
}

// next is the first name after at that has a value.
func (a *Agent) next(at []int) ([]int, bool) {
	for _, name := range a.order {
		if slices.Compare(name, at) > 0 && a.values[text(name)] != nil {
			return name, true
		}
	}
	return nil, false
}

func (a *Agent) pdu(name []int) gosnmp.SnmpPDU {
	switch v := a.values[text(name)].(type) {
	case int:
		return gosnmp.SnmpPDU{Name: "." + text(name), Type: gosnmp.Integer, Value: v}
	case string:
		return gosnmp.SnmpPDU{Name: "." + text(name), Type: gosnmp.OctetString, Value: v}
	}
	return gosnmp.SnmpPDU{Name: "." + text(name), Type: gosnmp.Null}
}

func numbers(name string) (out []int) {
	for part := range strings.SplitSeq(strings.Trim(name, "."), ".") {
		n, _ := strconv.Atoi(part)
		out = append(out, n)
	}
	return out
}

func text(name []int) string {
	parts := make([]string, len(name))
	for i, n := range name {
		parts[i] = strconv.Itoa(n)
	}
	return strings.Join(parts, ".")
}
