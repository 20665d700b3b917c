package monitortest

import (
	"net"
	"strings"
	"time"
)

// usesSink says that ports print to an address.
func (o Options) usesSink() bool {
	for _, v := range o.Settings {
		if strings.Contains(v, "{{sink") {
			return true
		}
	}
	return false
}

// blackHole is a device at which connections neither succeed nor fail: its queue of
// connections is full.
type blackHole struct {
	address string
	filling []net.Conn
	close   func() error
}

// fill connects until a connection no longer succeeds.
func (b *blackHole) fill() {
	const most = 16
	for range most {
		conn, err := net.DialTimeout("tcp", b.address, 300*time.Millisecond)
		if err != nil {
			break
		}
		b.filling = append(b.filling, conn)
	}
}

func (b *blackHole) Vars() map[string]string { return addressVars(b.address) }

func (b *blackHole) Take() ([]byte, error) { return nil, nil }

func (b *blackHole) Stall(bool) bool { return false }

func (b *blackHole) Close() error {
	for _, conn := range b.filling {
		_ = conn.Close()
	}
	return b.close()
}
