package spool

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"
)

// BidiType is BIDI_TYPE: the type of a bidi value.
type BidiType uint32

// The bidi types (winspool.h).
const (
	BidiNull BidiType = iota
	BidiInt
	BidiFloat
	BidiBool
	BidiString
	BidiText
	BidiEnum
	BidiBlob
)

// String names the type as winspool.h does, without BIDI_.
func (t BidiType) String() string {
	names := [...]string{"NULL", "INT", "FLOAT", "BOOL", "STRING", "TEXT", "ENUM", "BLOB"}
	if int(t) < len(names) {
		return names[t]
	}
	return "type " + strconv.FormatUint(uint64(t), 10)
}

// The actions of SendRecvBidiDataFromPort. A monitor may have others.
const (
	BidiGet             = "Get"
	BidiGetAll          = "GetAll"
	BidiSet             = "Set"
	BidiEnumSchema      = "EnumSchema"
	BidiGetWithArgument = "GetWithArgument"
)

// BidiAccess is dwAccessBit of SendRecvBidiDataFromPort.
type BidiAccess uint32

// Who asks.
const (
	BidiAccessAdministrator BidiAccess = 1
	BidiAccessUser          BidiAccess = 2
)

// BidiData is BIDI_DATA: a typed value. Data holds little-endian numbers (int32,
// float32, a bool as int32), UTF-8 text, or bytes.
type BidiData struct {
	Type BidiType
	Data []byte
}

// BidiIntOf makes a BIDI_INT.
func BidiIntOf(n int32) BidiData {
	return BidiData{BidiInt, binary.LittleEndian.AppendUint32(nil, uint32(n))}
}

// BidiFloatOf makes a BIDI_FLOAT.
func BidiFloatOf(f float32) BidiData {
	return BidiData{BidiFloat, binary.LittleEndian.AppendUint32(nil, math.Float32bits(f))}
}

// BidiBoolOf makes a BIDI_BOOL.
func BidiBoolOf(yes bool) BidiData {
	d := BidiData{BidiBool, make([]byte, 4)}
	if yes {
		d.Data[0] = 1
	}
	return d
}

// BidiTextOf makes a BIDI_STRING, BIDI_TEXT or BIDI_ENUM.
func BidiTextOf(t BidiType, text string) BidiData { return BidiData{t, []byte(text)} }

// String is the value as a person reads it: a number, true or false, the text, or bytes
// in hexadecimal. What its type does not fit is shown as bytes.
func (d BidiData) String() string {
	const wordSize = 4
	if d.Type >= BidiInt && d.Type <= BidiBool && len(d.Data) != wordSize {
		return hex.EncodeToString(d.Data)
	}
	switch d.Type {
	case BidiNull:
		return ""
	case BidiInt:
		return strconv.FormatInt(int64(int32(binary.LittleEndian.Uint32(d.Data))), 10)
	case BidiFloat:
		return strconv.FormatFloat(float64(math.Float32frombits(binary.LittleEndian.Uint32(d.Data))), 'g', -1, 32)
	case BidiBool:
		return strconv.FormatBool(binary.LittleEndian.Uint32(d.Data) != 0)
	case BidiString, BidiText, BidiEnum:
		return string(d.Data)
	}
	return hex.EncodeToString(d.Data)
}

// ParseBidi reads a value of type t as a person writes it; it is the reverse of String.
func ParseBidi(t BidiType, text string) (d BidiData, ok bool) {
	switch t {
	case BidiNull:
		return BidiData{}, text == ""
	case BidiInt:
		n, err := strconv.ParseInt(text, 10, 32)
		return BidiIntOf(int32(n)), err == nil
	case BidiFloat:
		f, err := strconv.ParseFloat(text, 32)
		return BidiFloatOf(float32(f)), err == nil
	case BidiBool:
		yes, err := strconv.ParseBool(text)
		return BidiBoolOf(yes), err == nil
	case BidiString, BidiText, BidiEnum:
		return BidiTextOf(t, text), true
	case BidiBlob:
		data, err := hex.DecodeString(text)
		return BidiData{t, data}, err == nil
	}
	return BidiData{}, false
}

// BidiRequest is BIDI_REQUEST_DATA.
type BidiRequest struct {
	Number uint32
	Schema string
	Data   BidiData
}

// BidiResponse is BIDI_RESPONSE_DATA. Result is a Win32 code for this item.
type BidiResponse struct {
	Result uint32
	Number uint32
	Schema string
	Data   BidiData
}
