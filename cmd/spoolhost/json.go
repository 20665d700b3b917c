package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// messageJSON writes a message of the API as a program wants to read it: lowerCamelCase,
// every list an array and every scalar present also when empty, 64-bit integers as
// numbers (protojson makes strings of them), bytes in base64, times in RFC 3339. Only what
// is unset and has no zero value is left out: times, messages, optional scalars.
func messageJSON(m proto.Message) ([]byte, error) {
	return appendMessage(nil, m.ProtoReflect())
}

// messagesJSON writes a list of messages as an array.
func messagesJSON[M proto.Message](list []M) ([]byte, error) {
	b := []byte{'['}
	for i, m := range list {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendMessage(b, m.ProtoReflect()); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

// indentJSON lays compact JSON out for people, with a line feed at the end.
func indentJSON(compact []byte) ([]byte, error) {
	var b bytes.Buffer
	if err := json.Indent(&b, compact, "", "  "); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

func appendMessage(b []byte, m protoreflect.Message) ([]byte, error) {
	if ts, ok := m.Interface().(*timestamppb.Timestamp); ok {
		return appendString(b, ts.AsTime().Format(time.RFC3339Nano)), nil
	}
	b = append(b, '{')
	fields := m.Descriptor().Fields()
	first := true
	for i := range fields.Len() {
		field := fields.Get(i)
		if field.HasPresence() && !m.Has(field) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(appendString(b, field.JSONName()), ':')
		var err error
		if b, err = appendField(b, field, m.Get(field)); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func appendField(b []byte, field protoreflect.FieldDescriptor, value protoreflect.Value) ([]byte, error) {
	switch {
	case field.IsMap():
		return appendMap(b, field, value.Map())
	case field.IsList():
		return appendList(b, field, value.List())
	}
	return appendSingle(b, field, value)
}

func appendList(b []byte, field protoreflect.FieldDescriptor, list protoreflect.List) ([]byte, error) {
	b = append(b, '[')
	for i := range list.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendSingle(b, field, list.Get(i)); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

// appendMap writes the entries in order of key, so that the same message gives the same
// text.
func appendMap(b []byte, field protoreflect.FieldDescriptor, m protoreflect.Map) ([]byte, error) {
	var keys []protoreflect.MapKey
	m.Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, k)
		return true
	})
	slices.SortFunc(keys, func(x, y protoreflect.MapKey) int { return bytes.Compare([]byte(x.String()), []byte(y.String())) })
	b = append(b, '{')
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, k.String()), ':')
		var err error
		if b, err = appendSingle(b, field.MapValue(), m.Get(k)); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func appendSingle(b []byte, field protoreflect.FieldDescriptor, value protoreflect.Value) ([]byte, error) {
	switch x := value.Interface().(type) {
	case protoreflect.Message:
		return appendMessage(b, x)
	case string:
		return appendString(b, x), nil
	case []byte:
		return appendString(b, base64.StdEncoding.EncodeToString(x)), nil
	case bool:
		return strconv.AppendBool(b, x), nil
	case int32, int64, uint32, uint64:
		return fmt.Append(b, x), nil
	case protoreflect.EnumNumber:
		return appendEnum(b, field, x), nil
	}
	return nil, fmt.Errorf("field %s: JSON of %s is not supported", field.FullName(), field.Kind())
}

func appendEnum(b []byte, field protoreflect.FieldDescriptor, n protoreflect.EnumNumber) []byte {
	if known := field.Enum().Values().ByNumber(n); known != nil {
		return appendString(b, string(known.Name()))
	}
	return strconv.AppendInt(b, int64(n), 10)
}

// appendString quotes s. What cannot be printed is escaped, also where JSON does not ask
// for it: this text goes to terminals too, and U+009B or U+202E do harm there.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\t':
			b = append(b, `\t`...)
		case unicode.IsPrint(r):
			b = utf8.AppendRune(b, r)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			b = fmt.Appendf(b, `\u%04x\u%04x`, hi, lo)
		default:
			b = fmt.Appendf(b, `\u%04x`, r)
		}
	}
	return append(b, '"')
}
