package localmon

import (
	"context"
	"time"

	"github.com/spoolhost/spoolhost/plugins/internal/ports"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// open opens what the port prints to, with the settings of now. patience is the time-out
// that was set for the open port, or 0.
func (m *instance) open(ctx context.Context, name string, doc spool.Doc, patience time.Duration) (ports.Target, error) {
	s, err := m.settings(ctx, name)
	if err != nil {
		return nil, err
	}
	if s.writeTimeout, err = m.writeTimeout(ctx, s, patience); err != nil {
		return nil, err
	}
	t, err := m.target(name, s, doc)
	if err != nil {
		return nil, spoolerr.Wrap(err, "port %s", spool.Quote(name))
	}
	return t, nil
}

// writeTimeout is the first that was set: of the open port, of its settings, of all
// devices.
func (m *instance) writeTimeout(ctx context.Context, s settings, patience time.Duration) (time.Duration, error) {
	switch {
	case patience > 0:
		return patience, nil
	case s.writeTimeout > 0 || s.kind != kindDevice:
		return s.writeTimeout, nil
	}
	return m.retryTimeout(ctx)
}

// target looks again at all that AddPort looked at.
func (m *instance) target(name string, s settings, doc spool.Doc) (ports.Target, error) {
	at, err := m.fence.enter(s.path)
	if err != nil {
		return nil, err
	}
	info, err := at.require(s.kind)
	if err != nil {
		at.close()
		return nil, err
	}
	part := partName(m.init.ServerName, name)
	switch s.kind {
	case kindDevice:
		defer at.close()
		return openDevice(at, s.writeTimeout)
	case kindDirectory:
		return openNewFile(at, part, documentName(doc))
	}
	return openReplacement(at, part, info)
}
