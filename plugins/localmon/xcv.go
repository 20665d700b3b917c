package localmon

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spoolhost/spoolhost/plugins/internal/ports"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// commands are the data names of Windows' local monitor, beyond the common ones.
func (m *instance) commands() map[string]ports.Command {
	return map[string]ports.Command{
		portconfig.DeletePort: {Admin: true, Run: deletePort},

		"ConfigureLPTPortCommandOK":   {Admin: true, Run: m.setRetryTimeout},
		"GetTransmissionRetryTimeout": {Run: m.getRetryTimeout},
		// This monitor drives no serial line, and does not pretend to.
		"GetDefaultCommConfig": {Run: noSerialLine},
		"SetDefaultCommConfig": {Admin: true, Run: noSerialLine},

		"PortExists": {Run: m.portExists},
		// It looks at paths, so it is for those who may add ports to them.
		"PortIsValid": {Admin: true, Run: m.portIsValid},
	}
}

// decodePort reads the input of AddPort and ConfigPort: JSON, or what Windows sends, the
// port's name alone, which is the path that it prints to.
func decodePort(in []byte) (portconfig.Config, error) {
	if bytes.IndexByte(in, 0) < 0 {
		return portconfig.Decode(in)
	}
	const most = 247 // of Windows' local monitor
	name, err := portconfig.DecodeText(in)
	switch {
	case err != nil:
		e := spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidParameter, "the port's name is not one NUL-terminated UTF-16LE string of the size given")
		e.Err = err
		return portconfig.Config{}, e
	case name == "":
		return portconfig.Config{}, nil
	case utf8.RuneCountInString(name) > most || checkPath(name) != "":
		return portconfig.Config{}, spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidName,
			"port %s: a port added by its name alone prints to the path of that name, of at most %d characters; %s", spool.Quote(name), most,
			"give an absolute path, or the settings as JSON")
	}
	return portconfig.Config{Name: name, Settings: map[string]string{"path": name}}, nil
}

// deletePort is the common one with the error that Windows' local monitor gives for a
// port that does not exist.
func deletePort(ctx context.Context, ch *ports.Channel, in []byte) ([]byte, error) {
	out, err := ports.DeletePort(ctx, ch, in)
	var e *spoolerr.Error
	if errors.As(err, &e) && e.Code == spoolerr.CodeUnknownPort {
		return nil, &spoolerr.Error{Kind: e.Kind, Code: spoolerr.CodeFileNotFound, Message: e.Message, Err: e.Err}
	}
	return out, err
}

func noSerialLine(context.Context, *ports.Channel, []byte) ([]byte, error) {
	return nil, spoolerr.New(spoolerr.Unsupported, 0,
		"COMMCONFIG is for serial lines, which this monitor does not set up; set speed and parity with stty when the line appears, such as by a udev rule")
}

// retryValue is where Windows keeps the time-out of devices: a text of seconds.
const retryValue = "TransmissionRetryTimeout"

// defaultRetry is what applies until somebody sets it.
const defaultRetry = 45 * time.Second

// retryTimeout reads the time-out of devices.
func (m *instance) retryTimeout(ctx context.Context) (time.Duration, error) {
	v, err := m.init.Registry.QueryValue(ctx, retryValue)
	if errors.Is(err, spoolerr.NotFound) {
		return defaultRetry, nil
	}
	text := ""
	if err == nil {
		text, err = v.Text()
	}
	if err != nil {
		return 0, spoolerr.Wrap(err, "the registry value %s cannot be read", retryValue)
	}
	return parseRetry(text)
}

func parseRetry(text string) (time.Duration, error) {
	const most = 999
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidData, "time-out %s: give 1 to %d seconds", spool.Quote(text), most)
	}
	return time.Duration(n) * time.Second, nil
}

// getRetryTimeout answers a DWORD of seconds.
func (m *instance) getRetryTimeout(ctx context.Context, _ *ports.Channel, _ []byte) ([]byte, error) {
	d, err := m.retryTimeout(ctx)
	return binary.LittleEndian.AppendUint32(nil, uint32(d/time.Second)), err
}

// setRetryTimeout takes a text of seconds.
func (m *instance) setRetryTimeout(ctx context.Context, _ *ports.Channel, in []byte) ([]byte, error) {
	text, err := portconfig.DecodeText(in)
	if err == nil {
		_, err = parseRetry(text)
	}
	if err != nil {
		return nil, err
	}
	return nil, spoolerr.Wrap(m.init.Registry.SetValue(ctx, registry.String(retryValue, text)), "the time-out cannot be stored")
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
