package main

import (
	"encoding/hex"
	"strconv"
	"strings"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/registry"
)

// valueTypes are the types that a value can have, for the Tab key.
func valueTypes() []string {
	var names []string
	for _, t := range []registry.Type{
		registry.SZ, registry.ExpandSZ, registry.MultiSZ, registry.DWORD, registry.QWORD, registry.Binary, registry.None,
	} {
		names = append(names, t.String())
	}
	return names
}

// parseValue makes a value of what stands on the command line.
func parseValue(name, typeName string, data []string) (*apiv1.RegistryValue, error) {
	t, err := registry.ParseType(strings.ToUpper(typeName))
	if err != nil {
		return nil, err
	}
	if t != registry.MultiSZ && len(data) > 1 {
		return nil, usagef("a %s holds one piece of data, not %d; quote text with spaces", t, len(data))
	}
	if t != registry.MultiSZ && t != registry.None && len(data) == 0 {
		return nil, usagef("a %s needs data after its name; '' is the empty text", t)
	}
	value, err := encodeValue(name, t, data)
	if err != nil {
		return nil, err
	}
	return &apiv1.RegistryValue{Name: name, Type: t.String(), Data: value.Data}, nil
}

func encodeValue(name string, t registry.Type, data []string) (registry.Value, error) {
	one := strings.Join(data, "")
	switch t {
	case registry.MultiSZ:
		return registry.Strings(name, data...), nil
	case registry.DWORD:
		n, err := parseNumber(one, t, 32)
		return registry.Uint32(name, uint32(n)), err
	case registry.QWORD:
		n, err := parseNumber(one, t, 64)
		return registry.Uint64(name, n), err
	case registry.Binary, registry.None:
		b, err := hex.DecodeString(strings.NewReplacer(" ", "", ":", "", "-", "").Replace(one))
		if err != nil {
			return registry.Value{}, usagef("%q is not hex, which a %s holds", one, t)
		}
		return registry.Bytes(name, b), nil
	}
	return registry.String(name, one), nil
}

func parseNumber(s string, t registry.Type, bits int) (uint64, error) {
	n, err := strconv.ParseUint(s, 0, bits)
	if err != nil {
		return 0, usagef("%q is not a number of %d bits, which a %s holds", s, bits, t)
	}
	return n, nil
}
