package ports

import (
	"github.com/spoolhost/spoolhost/sdk/registry"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// Stored is the registry values of one port. A value that is not there reads as nothing:
// most have a default, and an operator may have written the key by hand.
type Stored struct{ values map[string]registry.Value }

// Text gives a string, or the empty one.
func (s Stored) Text(name string) (string, error) {
	v, ok := s.values[spool.Fold(name)]
	if !ok {
		return "", nil
	}
	return v.Text()
}

// Number gives a number; ok says whether it is there.
func (s Stored) Number(name string) (n uint64, ok bool, err error) {
	v, ok := s.values[spool.Fold(name)]
	if !ok {
		return 0, false, nil
	}
	n, err = v.Number()
	return n, err == nil, err
}

func (s Stored) empty() bool { return len(s.values) == 0 }

func newStored(values []registry.Value) Stored {
	s := Stored{values: make(map[string]registry.Value, len(values))}
	for _, v := range values {
		s.values[spool.Fold(v.Name)] = v
	}
	return s
}
