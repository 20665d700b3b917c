package monitor

import (
	"context"

	"github.com/spoolhost/spoolhost/sdk/spool"
)

// The interfaces below are optional: a Monitor or Port that implements one is announced
// with the capability of that name, and the host calls it only then. They are the
// members of MONITOR2 that may be NULL.

// DocumentWriter is a Port that can take a document from the file in which the host keeps
// it, for the kernel to carry to the device (sendfile). It is Write by another way, and
// the same document may come by both.
type DocumentWriter interface {
	// WriteDocument is Write with the bytes that r holds, and says how many it took.
	WriteDocument(ctx context.Context, r *spool.DocumentReader) (int64, error)
}

// EndReporter is a Port that can report the end of a document by its answer. For a small
// document, which comes in one call, the SDK then calls EndDocSent instead of EndDoc, and
// the host hears all in one reply. It has no capability of its own.
type EndReporter interface {
	// EndDocSent is EndDoc, without SetJob: sent says that the device has the document
	// (JOB_CONTROL_SENT_TO_PRINTER).
	EndDocSent(ctx context.Context, job spool.JobStatus) (sent bool, err error)
}

// UnsizedPort is a Port that may be able to print a document while it is being received:
// StartDoc is then called with spool.SizeUnknown, and the writes come as the bytes do. A
// submission that breaks off ends in EndDoc with an aborted status.
type UnsizedPort interface {
	// TakesUnsized says whether this port can; the capability stands for a yes. It is asked once.
	TakesUnsized() bool
}

// Reader is a Port whose device talks back (pfnReadPort).
type Reader interface {
	// Read fills p with what the device sent; 0 bytes with a nil error means nothing yet.
	Read(ctx context.Context, p []byte) (int, error)
}

// PrinterDataSource is a Port that knows facts about its device (pfnGetPrinterDataFromPort).
type PrinterDataSource interface {
	// GetPrinterData answers control id 0 by value name, any other by control code.
	GetPrinterData(ctx context.Context, controlID uint32, valueName string, in []byte) ([]byte, error)
}

// TimeOutSetter is a Port with communication time-outs (pfnSetPortTimeOuts).
type TimeOutSetter interface {
	SetTimeOuts(ctx context.Context, t spool.TimeOuts) error
}

// BidiPort is a Port that speaks the bidi schema (pfnSendRecvBidiDataFromPort).
type BidiPort interface {
	// SendRecvBidiData performs "Get", "Set", "GetAll", "EnumSchema" or another action.
	SendRecvBidiData(ctx context.Context, access spool.BidiAccess, action string, requests []spool.BidiRequest) ([]spool.BidiResponse, error)
}

// PortUseObserver is a Monitor that wants to know which of its ports have printers
// (pfnNotifyUsedPorts, pfnNotifyUnusedPorts).
type PortUseObserver interface {
	NotifyUsedPorts(ctx context.Context, ports []string) error
	NotifyUnusedPorts(ctx context.Context, ports []string) error
}

// PowerObserver is a Monitor that wants to know of suspend and resume (pfnPowerEvent).
type PowerObserver interface {
	PowerEvent(ctx context.Context, event spool.PowerEvent) error
}

// The capabilities: the identifiers under which the optional interfaces travel. They
// are frozen once released.
const (
	CapReadPort        = "read-port"
	CapPrinterData     = "get-printer-data-from-port"
	CapSetPortTimeOuts = "set-port-time-outs"
	CapBidi            = "send-recv-bidi-data-from-port"
	CapNotifyPorts     = "notify-ports"
	CapPowerEvent      = "power-event"
	CapDocumentFD      = "document-fd"
	CapUnsized         = "document-unsized"
	// CapClosesPorts is announced for every monitor by Serve itself: its Shutdown first closes
	// the ports that are open, so that a host with ten thousand need not ask for each.
	CapClosesPorts = "closes-ports"
	// CapStandBy is announced for the module, by Describe; see StandsBy.
	CapStandBy = "stand-by"
	// CapPrintDocPort is announced for every port by Serve itself.
	CapPrintDocPort = "print-doc-port"
)

// Capabilities lists what m, a Monitor or a Port, offers beyond the required methods.
func Capabilities(m any) []string {
	var caps []string
	add := func(ok bool, name string) {
		if ok {
			caps = append(caps, name)
		}
	}
	_, reads := m.(Reader)
	_, data := m.(PrinterDataSource)
	_, times := m.(TimeOutSetter)
	_, bidi := m.(BidiPort)
	_, use := m.(PortUseObserver)
	_, power := m.(PowerObserver)
	_, files := m.(DocumentWriter)
	unsized, ok := m.(UnsizedPort)
	add(reads, CapReadPort)
	add(data, CapPrinterData)
	add(times, CapSetPortTimeOuts)
	add(bidi, CapBidi)
	add(use, CapNotifyPorts)
	add(power, CapPowerEvent)
	add(files, CapDocumentFD)
	add(ok && unsized.TakesUnsized(), CapUnsized)
	return caps
}
