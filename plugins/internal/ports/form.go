package ports

import (
	"strconv"
	"time"

	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Form reads stored values back into settings as a person would write them, and keeps
// the first error. What is not stored, or stored empty, is left to its default.
type Form struct {
	Settings map[string]string
	Err      error
	stored   Stored
}

// NewForm begins to read s.
func NewForm(s Stored) *Form {
	return &Form{Settings: make(map[string]string, len(s.values)), stored: s}
}

// Text reads a string.
func (f *Form) Text(key, value string) {
	text, err := f.stored.Text(value)
	if !f.Fail(err) && text != "" {
		f.Settings[key] = text
	}
}

// Number reads a plain number.
func (f *Form) Number(key, value string) {
	if n, ok := f.number(value); ok {
		f.Settings[key] = strconv.FormatUint(n, 10)
	}
}

// Flag reads 0 or 1.
func (f *Form) Flag(key, value string) {
	if n, ok := f.number(value); ok {
		f.Settings[key] = strconv.FormatBool(n != 0)
	}
}

// Time reads a number of units.
func (f *Form) Time(key, value string, unit time.Duration) {
	if n, ok := f.number(value); ok {
		f.Settings[key] = (time.Duration(n) * unit).String()
	}
}

func (f *Form) number(value string) (uint64, bool) {
	n, ok, err := f.stored.Number(value)
	if err == nil && n > 1<<32-1 {
		err = spoolerr.New(spoolerr.Corrupt, 0, "registry value %s is %d, which is out of range", value, n)
	}
	return n, !f.Fail(err) && ok
}

// Usual gives a setting that is not stored the value that it has then.
func (f *Form) Usual(key, value string) {
	if _, ok := f.Settings[key]; !ok {
		f.Settings[key] = value
	}
}

// Fail notes an error; it says whether there is one.
func (f *Form) Fail(err error) bool {
	if f.Err == nil {
		f.Err = err
	}
	return err != nil
}

// Flag is a value of 0 or 1.
func Flag(name string, yes bool) registry.Value {
	if yes {
		return registry.Uint32(name, 1)
	}
	return registry.Uint32(name, 0)
}

// Milliseconds gives a time as a REG_DWORD keeps it.
func Milliseconds(d time.Duration) uint32 { return uint32(d.Milliseconds()) }
