package spool

// Doc describes the document that StartDocPort announces (DOC_INFO_1 with the
// printer name and job id that StartDocPort carries beside it).
type Doc struct {
	// JobID is the job's identifier in its spooler; SetJob takes it back.
	JobID uint64
	// Printer is the name of the printer (queue) the job was submitted to.
	Printer string
	// Title is the document's name as the submitter gave it. It may be empty.
	Title string
	// User is the submitter's name, for banners and device accounting.
	User string
	// Datatype says how the bytes are to be understood; this host prints "RAW".
	Datatype string
	// Size is the number of bytes that will follow. It is SizeUnknown for a document that is
	// still being received, which only ports with monitor.UnsizedPort get.
	Size int64
	// Attempt counts the tries to print this job, from 1.
	Attempt int
}

// SizeUnknown is the Size of a document whose end has not come yet.
const SizeUnknown = -1

// DatatypeRAW marks bytes that go to the device unchanged.
const DatatypeRAW = "RAW"

// JobControl is a SetJob command (winspool JOB_CONTROL_*).
type JobControl uint32

// The SetJob commands a port monitor may send.
const (
	// JobControlSentToPrinter: the whole document was handed to the device.
	JobControlSentToPrinter JobControl = 6
	// JobControlLastPageEjected: the device reports the last sheet out.
	JobControlLastPageEjected JobControl = 7
)

// JobStatus is a set of winspool JOB_STATUS_* bits.
type JobStatus uint32

// The bits a monitor is told of.
const (
	JobStatusPrinting JobStatus = 0x10
	// JobStatusDeleting: the job was cancelled while it printed.
	JobStatusDeleting JobStatus = 0x4
	// JobStatusRestart: the job will be printed again from its first byte.
	JobStatusRestart JobStatus = 0x800
)

// Aborted says that the document ends before its last byte: the monitor drops the
// connection instead of finishing it, and must not report JobControlSentToPrinter.
func (s JobStatus) Aborted() bool { return s&(JobStatusDeleting|JobStatusRestart) != 0 }

// Priorities of jobs and printers (winspool MIN_PRIORITY, DEF_PRIORITY, MAX_PRIORITY).
const (
	MinPriority     = 1
	DefaultPriority = 1
	MaxPriority     = 99
)

// ChunkSize is the largest buffer that one WritePort carries, in bytes. It is far
// below gRPC's default receive limit of 4 MiB.
const ChunkSize = 512 << 10
