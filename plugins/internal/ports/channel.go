package ports

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Command is one data name of XcvData.
type Command struct {
	// Admin: only for who may administer the server.
	Admin bool
	Run   func(ctx context.Context, ch *Channel, in []byte) ([]byte, error)
}

// Config describes a monitor's channels.
type Config struct {
	// UI is what MonitorUI answers: the name of the module with the dialogues. Without one
	// the command is refused.
	UI string
	// DecodePort reads the input of AddPort and ConfigPort, DecodeName that of DeletePort
	// and GetConfigInfo. They are the place for further layouts.
	DecodePort func(in []byte) (portconfig.Config, error)
	DecodeName func(in []byte) (string, error)
	// More are the monitor's own commands; one may take the place of a common one.
	More map[string]Command
}

// Channel is an Xcv of a first-party monitor.
type Channel struct {
	Book    *Book
	Object  string
	granted spool.Access
	config  Config
}

// OpenChannel is XcvOpenPort.
func (b *Book) OpenChannel(ctx context.Context, c Config, object string, granted spool.Access) (*Channel, error) {
	if err := b.Alive(); err != nil {
		return nil, err
	}
	if object != "" {
		if _, err := b.find(ctx, object); err != nil {
			return nil, err
		}
	}
	return &Channel{Book: b, Object: object, granted: granted, config: c}, nil
}

// Data carries out one command.
func (ch *Channel) Data(ctx context.Context, name string, in []byte) ([]byte, error) {
	if err := ch.Book.Alive(); err != nil {
		return nil, err
	}
	command, ok := ch.command(name)
	if !ok {
		return nil, spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidParameter,
			"data name %s is unknown to this monitor; it knows %s", spool.Quote(name), strings.Join(ch.names(), ", "))
	}
	if command.Admin && !ch.granted.Has(spool.ServerAccessAdminister) {
		return nil, spoolerr.New(spoolerr.Denied, 0,
			"%s needs the right to administer the print server; ask an administrator", name)
	}
	return command.Run(ctx, ch, in)
}

// Close ends the channel. It holds nothing.
func (ch *Channel) Close(context.Context) error { return nil }

func (ch *Channel) command(name string) (Command, bool) {
	if c, ok := ch.config.More[name]; ok {
		return c, true
	}
	c, ok := common()[name]
	return c, ok
}

// common are the commands of every first-party monitor.
func common() map[string]Command {
	return map[string]Command{
		portconfig.AddPort:       {true, addPort},
		portconfig.ConfigPort:    {true, configPort},
		portconfig.DeletePort:    {true, DeletePort},
		portconfig.GetConfigInfo: {false, GetConfigInfo},
		portconfig.MonitorUI:     {false, monitorUI},
	}
}

func (ch *Channel) names() []string {
	all := common()
	maps.Copy(all, ch.config.More)
	return slices.Sorted(maps.Keys(all))
}

func addPort(ctx context.Context, ch *Channel, in []byte) ([]byte, error) {
	c, err := ch.config.DecodePort(in)
	if err != nil {
		return nil, err
	}
	if c.Name, err = ch.Only(c.Name); err != nil {
		return nil, err
	}
	if c.Name == "" {
		return nil, spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidData, "AddPort names no port; give it a name")
	}
	return nil, ch.Book.Add(ctx, c)
}

func configPort(ctx context.Context, ch *Channel, in []byte) ([]byte, error) {
	_, err := ConfigPort(ctx, ch, in)
	return nil, err
}

// ConfigPort is the common command of that name; it gives the port's.
func ConfigPort(ctx context.Context, ch *Channel, in []byte) (name string, err error) {
	c, err := ch.config.DecodePort(in)
	if err != nil {
		return "", err
	}
	if c.Name, err = ch.Only(c.Name); err != nil {
		return "", err
	}
	return c.Name, ch.Book.Configure(ctx, c)
}

// DeletePort is the common command of that name.
func DeletePort(ctx context.Context, ch *Channel, in []byte) ([]byte, error) {
	name, err := ch.Name(in)
	if err != nil {
		return nil, err
	}
	return nil, ch.Book.Delete(ctx, name)
}

// GetConfigInfo is the common command of that name: it answers a portconfig.Config in JSON.
func GetConfigInfo(ctx context.Context, ch *Channel, in []byte) ([]byte, error) {
	name, err := ch.Name(in)
	if err != nil {
		return nil, err
	}
	c, err := ch.Book.Config(ctx, name)
	if err != nil {
		return nil, err
	}
	return json.Marshal(c)
}

func monitorUI(_ context.Context, ch *Channel, _ []byte) ([]byte, error) {
	if ch.config.UI == "" {
		return nil, spoolerr.New(spoolerr.Unsupported, 0, "this monitor has no dialogues; give its settings with the command")
	}
	return portconfig.EncodeText(ch.config.UI), nil
}

// Name gives the port that an input is about: the one it names, or without input the
// one that the channel was opened on.
func (ch *Channel) Name(in []byte) (string, error) {
	if len(in) == 0 && ch.Object != "" {
		return ch.Object, nil
	}
	name, err := ch.config.DecodeName(in)
	if err != nil {
		return "", err
	}
	return ch.Only(name)
}

// Only keeps a channel on a port to that port: its rights were checked for no other.
func (ch *Channel) Only(given string) (string, error) {
	switch {
	case given == "" && ch.Object != "":
		return ch.Object, nil
	case ch.Object != "" && spool.Fold(given) != spool.Fold(ch.Object):
		return "", spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidParameter,
			"the channel is open on port %s, not on %s; open one on that port, or on the monitor", spool.Quote(ch.Object), spool.Quote(given))
	}
	return given, nil
}
