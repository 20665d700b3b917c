package lprmon

import (
	"context"
	"strings"

	"github.com/spoolhost/spoolhost/plugins/internal/lpr"
	"github.com/spoolhost/spoolhost/plugins/internal/ports"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// channels are the data names of this monitor: Windows' CheckPrinter, and QueueStatus of
// our own, which answers what the daemon says of its queue.
func (m *instance) channels() ports.Config {
	return ports.Config{
		DecodePort: decodePort, DecodeName: portconfig.DecodeName,
		More: map[string]ports.Command{
			"CheckPrinter": {Run: m.checkPrinter},
			"QueueStatus":  {Run: m.queueStatus},
		},
	}
}

// decodePort reads the input of AddPort and ConfigPort: JSON, or what Windows sends, the
// port's name alone, which there is HOST:QUEUE.
func decodePort(in []byte) (portconfig.Config, error) {
	name, err := portconfig.DecodeText(in)
	if err != nil {
		return portconfig.Decode(in)
	}
	host, queue, ok := cutLast(name, ":")
	if !ok {
		return portconfig.Config{}, spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidData,
			"port %s: name it HOST:QUEUE, or give the settings host and queue", spool.Quote(name))
	}
	return portconfig.Config{Name: name, Settings: map[string]string{"host": host, "queue": queue}}, nil
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i <= 0 || i+len(sep) == len(s) {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// checkPrinter succeeds if the daemon answers for the port's queue.
func (m *instance) checkPrinter(ctx context.Context, ch *ports.Channel, in []byte) ([]byte, error) {
	_, err := m.ask(ctx, ch, in)
	return nil, err
}

// queueStatus answers the daemon's short form of the queue, as a NUL-terminated UTF-16
// text.
func (m *instance) queueStatus(ctx context.Context, ch *ports.Channel, in []byte) ([]byte, error) {
	text, err := m.ask(ctx, ch, in)
	if err != nil {
		return nil, err
	}
	return portconfig.EncodeText(text), nil
}

func (m *instance) ask(ctx context.Context, ch *ports.Channel, in []byte) (string, error) {
	name, err := ch.Name(in)
	if err != nil {
		return "", err
	}
	s, err := m.settings(ctx, name)
	if err != nil {
		return "", err
	}
	text, err := lpr.QueueState(ctx, s)
	return text, spoolerr.Wrap(err, "port %s", spool.Quote(name))
}
