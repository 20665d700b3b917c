package spool

// Access is a winspool access mask: what the caller of an Xcv handle may do.
type Access uint32

// Access rights (winspool.h).
const (
	ServerAccessAdminister  Access = 0x1
	ServerAccessEnumerate   Access = 0x2
	PrinterAccessAdminister Access = 0x4
	PrinterAccessUse        Access = 0x8
	JobAccessAdminister     Access = 0x10
	JobAccessRead           Access = 0x20
)

// Has says that every right of want is granted.
func (a Access) Has(want Access) bool { return a&want == want }
