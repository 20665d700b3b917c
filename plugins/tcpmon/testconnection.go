package tcpmon

import (
	"context"
	"time"

	"github.com/spoolhost/spoolhost/plugins/internal/ports"
)

// testConnection connects to the printer of the settings given, which need not be those of
// a port, and answers with the address that it reached. It is for those who may add such a
// port: others could look around in the network with it.
func testConnection(ctx context.Context, ch *ports.Channel, in []byte) ([]byte, error) {
	c, err := decodePort(in)
	if err != nil {
		return nil, err
	}
	if c.Name == "" {
		c.Name = ch.Object
	}
	s, err := parse(c)
	if err != nil {
		return nil, err
	}
	const patience = 10 * time.Second // somebody waits before a terminal
	s.ConnectTimeout = min(s.ConnectTimeout, patience)
	conn, err := s.Dial(ctx)
	if err != nil {
		return nil, err
	}
	reached := conn.RemoteAddr().String()
	return text(reached), conn.Close()
}
