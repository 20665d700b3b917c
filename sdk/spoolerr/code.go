package spoolerr

import "strconv"

// Code is a Win32 error code (winerror.h).
type Code uint32

// The codes this project uses.
const (
	CodeSuccess            Code = 0
	CodeFileNotFound       Code = 2
	CodePathNotFound       Code = 3
	CodeAccessDenied       Code = 5
	CodeInvalidHandle      Code = 6
	CodeNotEnoughMemory    Code = 8
	CodeInvalidData        Code = 13
	CodeNotReady           Code = 21
	CodeOutOfPaper         Code = 28
	CodeWriteFault         Code = 29
	CodeGenFailure         Code = 31
	CodeNotSupported       Code = 50
	CodeNoSpoolSpace       Code = 62
	CodePrintCancelled     Code = 63
	CodeInvalidParameter   Code = 87
	CodeDiskFull           Code = 112
	CodeCallNotImplemented Code = 120
	CodeInsufficientBuffer Code = 122
	CodeInvalidName        Code = 123
	CodeInvalidLevel       Code = 124
	CodeModNotFound        Code = 126
	CodeProcNotFound       Code = 127
	CodeBusy               Code = 170
	CodeAlreadyExists      Code = 183
	CodeBadExeFormat       Code = 193
	CodeNoData             Code = 232
	CodeMoreData           Code = 234
	CodeNoMoreItems        Code = 259
	CodeOperationAborted   Code = 995
	CodeDLLInitFailed      Code = 1114
	CodeNotConnected       Code = 1167
	CodeNotFound           Code = 1168
	CodeCancelled          Code = 1223
	CodeConnectionRefused  Code = 1225
	CodeTimeout            Code = 1460

	CodeDriverAlreadyInstalled       Code = 1795
	CodeUnknownPort                  Code = 1796
	CodeUnknownPrinterDriver         Code = 1797
	CodeInvalidPriority              Code = 1800
	CodeInvalidPrinterName           Code = 1801
	CodePrinterAlreadyExists         Code = 1802
	CodeInvalidDatatype              Code = 1804
	CodeInvalidEnvironment           Code = 1805
	CodeInvalidTime                  Code = 1901
	CodePrinterDeleted               Code = 1905
	CodeInvalidPrinterState          Code = 1906
	CodeUnknownPrintMonitor          Code = 3000
	CodePrinterDriverInUse           Code = 3001
	CodeSpoolFileNotFound            Code = 3002
	CodeNoStartDoc                   Code = 3003
	CodePrintMonitorAlreadyInstalled Code = 3006
	CodeInvalidPrintMonitor          Code = 3007
	CodePrintMonitorInUse            Code = 3008
	CodePrinterHasJobsQueued         Code = 3009
	CodePrinterNotFound              Code = 3012

	CodeBidiSchemaReadOnly     Code = 13002
	CodeBidiDeviceOffline      Code = 13004
	CodeBidiSchemaNotSupported Code = 13005
)

// Error lets errors.Is(err, spoolerr.CodeBusy) ask for the code.
func (c Code) Error() string { return "win32 error " + strconv.FormatUint(uint64(c), 10) }

// DefaultCode is the Win32 code of a kind where none more exact is known.
func (k Kind) DefaultCode() Code {
	codes := [kindCount]Code{
		Internal: CodeGenFailure, Invalid: CodeInvalidParameter, NotFound: CodeNotFound, Exists: CodeAlreadyExists,
		Denied: CodeAccessDenied, Busy: CodeBusy, NotReady: CodeNotReady, TimedOut: CodeTimeout,
		Unavailable: CodeNotConnected, Unsupported: CodeNotSupported, Cancelled: CodeCancelled,
		Corrupt: CodeInvalidData, NoSpace: CodeDiskFull, Exhausted: CodeNotEnoughMemory, MoreData: CodeMoreData,
		NoMoreItems: CodeNoMoreItems, BadHandle: CodeInvalidHandle, Exited: CodeOperationAborted,
		Precondition: CodeInvalidPrinterState,
	}
	if k < kindCount {
		return codes[k]
	}
	return CodeGenFailure
}
