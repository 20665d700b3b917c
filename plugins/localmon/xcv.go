package localmon

import (
	"context"
	"encoding/binary"
	"strings"

	"github.com/spoolhost/spoolhost/plugins/internal/ports"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// commands are the data names of Windows' local monitor that mean something here.
func (m *instance) commands() map[string]ports.Command {
	return map[string]ports.Command{
		"PortExists": {Run: m.portExists},
		// It looks at paths, so it is for those who may add ports to them.
		"PortIsValid": {Admin: true, Run: m.portIsValid},
	}
}

// portExists answers a DWORD: 1 or 0.
func (m *instance) portExists(ctx context.Context, ch *ports.Channel, in []byte) ([]byte, error) {
	name, err := ch.Name(in)
	if err != nil {
		return nil, err
	}
	exists, err := ch.Book.Exists(ctx, name)
	if err != nil {
		return nil, err
	}
	var answer uint32
	if exists {
		answer = 1
	}
	return binary.LittleEndian.AppendUint32(nil, answer), nil
}

// portIsValid succeeds if a port could print: the configuration given, the port named,
// or, as Windows asks, the path named. Unlike there, nothing is created to find out.
func (m *instance) portIsValid(ctx context.Context, ch *ports.Channel, in []byte) ([]byte, error) {
	c, err := m.candidate(ctx, ch, in)
	if err != nil {
		return nil, err
	}
	s, err := parse(c)
	if err != nil {
		return nil, err
	}
	_, err = s.check(m.fence)
	return nil, spoolerr.Wrap(err, "port %s", spool.Quote(c.Name))
}

func (m *instance) candidate(ctx context.Context, ch *ports.Channel, in []byte) (portconfig.Config, error) {
	if c, err := portconfig.Decode(in); err == nil && len(c.Settings) > 0 {
		return c, nil
	}
	name, err := ch.Name(in)
	if err != nil {
		return portconfig.Config{}, err
	}
	if exists, err := ch.Book.Exists(ctx, name); err == nil && !exists && strings.HasPrefix(name, "/") {
		return portconfig.Config{Name: name, Settings: map[string]string{"path": name}}, nil
	}
	return ch.Book.Config(ctx, name)
}
