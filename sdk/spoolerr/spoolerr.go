package spoolerr

import (
	"context"
	"errors"
	"fmt"
)

// Kind says what sort of failure it is: what a program decides by. Kinds are frozen:
// they travel on the wire, so new ones are only added at the end.
type Kind uint32

// The kinds.
const (
	// Internal: a defect, or a peer that broke its contract.
	Internal Kind = iota
	// Invalid: the request is malformed and would fail again unchanged.
	Invalid
	// NotFound: the object named does not exist.
	NotFound
	// Exists: an object of that name exists already.
	Exists
	// Denied: the caller lacks the right.
	Denied
	// Busy: the object is in use.
	Busy
	// NotReady: nothing is wrong; call again (the device takes no data just now).
	NotReady
	// TimedOut: the deadline passed.
	TimedOut
	// Unavailable: the device, module or host cannot be reached now; retry later.
	Unavailable
	// Unsupported: the callee does not have this function.
	Unsupported
	// Cancelled: the caller gave up.
	Cancelled
	// Corrupt: stored data is damaged.
	Corrupt
	// NoSpace: storage is full.
	NoSpace
	// Exhausted: a limit (size, count, rate) is reached.
	Exhausted
	// MoreData: the caller's buffer is too small.
	MoreData
	// NoMoreItems: the enumeration is over.
	NoMoreItems
	// BadHandle: the handle is not, or no longer, valid.
	BadHandle
	// Exited: the module's process ended during the call.
	Exited
	// Precondition: the object's state does not allow the request.
	Precondition

	kindCount
)

// kindNames is a table, never written to.
var kindNames = [kindCount]string{ //nolint:gochecknoglobals // a constant, if Go had such

	"internal", "invalid", "not found", "exists", "denied", "busy", "not ready", "timed out", "unavailable",
	"unsupported", "cancelled", "corrupt", "no space", "exhausted", "more data", "no more items", "bad handle",
	"module exited", "precondition",
}

// String names the kind.
func (k Kind) String() string {
	if k < kindCount {
		return kindNames[k]
	}
	return "internal"
}

// Valid says that k is one of the kinds above.
func (k Kind) Valid() bool { return k < kindCount }

// Error lets errors.Is(err, spoolerr.NotFound) ask for the kind.
func (k Kind) Error() string { return k.String() }

// Error is a failure. Message names the object and the remedy.
type Error struct {
	Kind    Kind
	Code    Code
	Message string
	// Err is the cause, if any. It is not repeated in Message.
	Err error
}

// Error gives the message and the cause.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Message
	}
	if e.Message == "" {
		return e.Err.Error()
	}
	return e.Message + ": " + e.Err.Error()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is compares with a Kind or a Code.
func (e *Error) Is(target error) bool {
	switch t := target.(type) {
	case Kind:
		return e.Kind == t
	case Code:
		return e.Code == t
	}
	return false
}

// New makes an error. A code of 0 stands for the kind's usual code.
func New(k Kind, c Code, format string, args ...any) *Error {
	if c == 0 {
		c = k.DefaultCode()
	}
	return &Error{Kind: k, Code: c, Message: fmt.Sprintf(format, args...)}
}

// Wrap gives err a message, keeping its kind and code. It returns nil for nil.
func Wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &Error{Kind: KindOf(err), Code: CodeOf(err), Message: fmt.Sprintf(format, args...), Err: err}
}

// As gives err the kind k and a message. It returns nil for nil.
func As(err error, k Kind, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &Error{Kind: k, Code: k.DefaultCode(), Message: fmt.Sprintf(format, args...), Err: err}
}

// KindOf gives the kind of err: that of the outermost *Error in its chain, TimedOut or
// Cancelled for the context errors, else Internal.
func KindOf(err error) Kind {
	var e *Error
	var k Kind
	switch {
	case errors.As(err, &e):
		return e.Kind
	case errors.As(err, &k):
		return k
	case errors.Is(err, context.DeadlineExceeded):
		return TimedOut
	case errors.Is(err, context.Canceled):
		return Cancelled
	}
	return Internal
}

// CodeOf gives the Win32 code of err; 0 (ERROR_SUCCESS) only for nil.
func CodeOf(err error) Code {
	if err == nil {
		return CodeSuccess
	}
	var e *Error
	var c Code
	switch {
	case errors.As(err, &e):
		return e.Code
	case errors.As(err, &c):
		return c
	}
	return KindOf(err).DefaultCode()
}
