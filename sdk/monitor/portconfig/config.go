package portconfig

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// The data names under which every monitor that uses this package listens.
const (
	AddPort       = "AddPort"
	ConfigPort    = "ConfigPort"
	DeletePort    = "DeletePort"
	GetConfigInfo = "GetConfigInfo"
	MonitorUI     = "MonitorUI"
)

// MaxSize is the longest input that Decode and DecodeName accept, in bytes.
const MaxSize = 64 << 10

// Config is a port's name and its settings.
type Config struct {
	Name     string            `json:"name"`
	Settings map[string]string `json:"settings,omitempty"`
}

// Encode makes the input of AddPort, ConfigPort, DeletePort (settings nil) and
// GetConfigInfo.
func Encode(name string, settings map[string]string) []byte {
	// Marshalling strings cannot fail: what is not UTF-8 is replaced, and the monitor's
	// check of the name then speaks of it.
	data, _ := json.Marshal(Config{Name: name, Settings: settings})
	return data
}

// Decode reads one JSON object and nothing else. It does not check the name: a port
// channel may leave it out, and monitors have patterns of their own.
func Decode(in []byte) (Config, error) {
	if err := checkText(in); err != nil {
		return Config{}, err
	}
	var c Config
	dec := json.NewDecoder(bytes.NewReader(in))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return Config{}, malformed(err, "it is not a JSON object with a name and settings that are all strings")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Config{}, malformed(nil, "more text follows the JSON object")
	}
	return c, nil
}

// DecodeName reads a port name alone: the JSON of Decode without settings, or what
// Windows sends, a NUL-terminated UTF-16 string.
func DecodeName(in []byte) (string, error) {
	if len(in) >= 2 && in[len(in)-1] == 0 {
		return DecodeText(in)
	}
	c, err := Decode(in)
	if err != nil {
		return "", err
	}
	if len(c.Settings) > 0 {
		return "", malformed(nil, "settings are given where only a name is wanted")
	}
	return c.Name, nil
}

func checkText(in []byte) error {
	object := bytes.TrimLeft(in, " \t\r\n")
	switch {
	case len(object) == 0:
		return malformed(nil, "it is empty")
	case len(in) > MaxSize:
		return malformed(nil, "it is longer than 64 KiB")
	case object[0] != '{':
		return malformed(nil, "it does not begin with a brace")
	case !utf8.Valid(in):
		return malformed(nil, "it is not UTF-8")
	}
	return nil
}

func malformed(cause error, why string) error {
	e := spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidData,
		`the port's configuration cannot be read: %s; send {"name": ..., "settings": {...}}`, why)
	e.Err = cause
	return e
}

// invalid is the refusal of one or several settings of port.
func invalid(port, problems string) error {
	return spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidData, "port %s: %s", spool.Quote(port), problems)
}
