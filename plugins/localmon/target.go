package localmon

import (
	"context"

	"github.com/spoolhost/spoolhost/plugins/internal/ports"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// open opens what the port prints to, with the settings of now.
func (m *instance) open(ctx context.Context, name string, doc spool.Doc) (ports.Target, error) {
	s, err := m.settings(ctx, name)
	if err != nil {
		return nil, err
	}
	t, err := m.target(name, s, doc)
	if err != nil {
		return nil, spoolerr.Wrap(err, "port %s", spool.Quote(name))
	}
	return t, nil
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
