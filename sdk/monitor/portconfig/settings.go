package portconfig

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spool"
)

// Reader reads the settings of one port strictly. Ask for every setting the monitor
// knows, then ask Err: it names every problem at once, and refuses any setting that was
// not asked for.
//
//	r := portconfig.Read(c)
//	s := settings{host: r.Required("host"), port: r.Int("port", 9100, 1, 65535)}
//	if err := r.Err(); err != nil {
//		return nil, err
//	}
//
// A setting given as the empty text counts as not given: that is how a person goes back
// to a default.
type Reader struct {
	config   Config
	known    map[string]bool
	problems []string
}

const maxProblems = 8

// Read begins to read c's settings.
func Read(c Config) *Reader { return &Reader{config: c, known: make(map[string]bool, len(c.Settings))} }

// Text gives a setting, or def.
func (r *Reader) Text(key, def string) string {
	if v, ok := r.get(key); ok {
		return v
	}
	return def
}

// Required gives a setting that has no default.
func (r *Reader) Required(key string) string {
	v, ok := r.get(key)
	if !ok {
		r.report("setting %s is missing; give %s=...", key, key)
	}
	return v
}

// Int gives a whole number from least to most, or def.
func (r *Reader) Int(key string, def, least, most int) int {
	v, ok := r.get(key)
	if !ok {
		return def
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < least || n > most {
		r.Problem(key, "give a whole number from %d to %d", least, most)
		return def
	}
	return n
}

// Duration gives a time from least to most, or def. It takes whole milliseconds only,
// which is what a REG_DWORD of milliseconds can keep.
func (r *Reader) Duration(key string, def, least, most time.Duration) time.Duration {
	v, ok := r.get(key)
	if !ok {
		return def
	}
	d, err := time.ParseDuration(v)
	if err != nil || d < least || d > most || d%time.Millisecond != 0 {
		r.Problem(key, "give a time from %s to %s with its unit, such as 500ms, 10s or 2m", least, most)
		return def
	}
	return d
}

// Bool gives true or false, or def.
func (r *Reader) Bool(key string, def bool) bool {
	v, ok := r.get(key)
	if !ok {
		return def
	}
	b, err := strconv.ParseBool(v)
	if err != nil {
		r.Problem(key, "give true or false")
		return def
	}
	return b
}

// Problem reports that a setting's value will not do; the words say what would.
func (r *Reader) Problem(key, remedy string, args ...any) {
	r.report("setting %s is %s; %s", key, spool.Quote(r.config.Settings[key]), fmt.Sprintf(remedy, args...))
}

// Err gives what is wrong with the settings, or nil.
func (r *Reader) Err() error {
	problems := slices.Clone(r.problems)
	var unknown []string
	for key := range r.config.Settings {
		if !r.known[key] {
			unknown = append(unknown, key)
		}
	}
	slices.Sort(unknown)
	for _, key := range unknown {
		problems = append(problems, "setting "+spool.Quote(key)+" is unknown; the settings are "+r.list())
	}
	if len(problems) == 0 {
		return nil
	}
	// The input is the caller's: a thousand unknown settings must not make a thousand lines.
	if more := len(problems) - maxProblems; more > 0 {
		problems = append(problems[:maxProblems], fmt.Sprintf("and %d more", more))
	}
	return invalid(r.config.Name, strings.Join(problems, "; "))
}

func (r *Reader) get(key string) (string, bool) {
	r.known[key] = true
	v := r.config.Settings[key]
	return v, v != ""
}

func (r *Reader) report(format string, args ...any) {
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

func (r *Reader) list() string {
	return strings.Join(slices.Sorted(maps.Keys(r.known)), ", ")
}
