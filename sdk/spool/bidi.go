package spool

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
