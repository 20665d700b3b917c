package cupsbackend

import (
	"context"
	"encoding/json"

	"github.com/spoolhost/spoolhost/plugins/internal/ports"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// XcvOpenPort opens a configuration channel.
func (m *instance) XcvOpenPort(ctx context.Context, object string, granted spool.Access) (monitor.Xcv, error) {
	config := ports.Config{
		DecodePort: portconfig.Decode, DecodeName: portconfig.DecodeName,
		More: map[string]ports.Command{
			// It runs programs, and shows what is in the network.
			"Discover":     {Admin: true, Run: m.discover},
			"ListBackends": {Run: m.listBackends},
			// It answers the password.
			portconfig.GetConfigInfo: {Admin: true, Run: ports.GetConfigInfo},
		},
	}
	ch, err := m.book.OpenChannel(ctx, config, object, granted)
	if err != nil {
		return nil, err
	}
	return ch, nil
}

// discover answers the devices that the backends find, as a JSON array of Device.
func (m *instance) discover(ctx context.Context, _ *ports.Channel, _ []byte) ([]byte, error) {
	devices := m.backends.discover(ctx)
	if devices == nil {
		devices = []Device{}
	}
	return json.Marshal(devices)
}

// listBackends answers the schemes that a device URI may have, as a JSON array.
func (m *instance) listBackends(context.Context, *ports.Channel, []byte) ([]byte, error) {
	schemes := []string{}
	for _, e := range m.backends.all() {
		schemes = append(schemes, e.scheme)
	}
	return json.Marshal(schemes)
}
