package eventlog

import (
	"fmt"
	"slices"
)

// ID is the stable number of a sort of event: operators filter and alert by it, so a
// number is never given to anything else. The hundreds say what the event is about.
type ID int

// Events of the host.
const (
	HostStarted       ID = 100
	HostStopping      ID = 101
	CorruptRecord     ID = 110
	DocumentMissing   ID = 111
	OrphanModuleEnded ID = 120
	EventsNotWritten  ID = 130
	AddressTaken      ID = 131
	NotAnnounced      ID = 132
)

// Events of monitors and their modules.
const (
	MonitorStarted          ID = 200
	MonitorExited           ID = 201
	MonitorRestarting       ID = 202
	MonitorQuarantined      ID = 203
	MonitorInitializeFailed ID = 204
	ModuleRefused           ID = 205
	ModuleLogLine           ID = 210
	ModuleMisbehaves        ID = 211
	MonitorAdded            ID = 220
	MonitorRemoved          ID = 221
	MonitorUpgraded         ID = 222
)

// Events of other modules, of drivers and of the share PRINT$.
const (
	ModuleStarted ID = 230
	ModuleFailed  ID = 231
	// Executables of modules that are stored in a cluster.
	ModulePublished   ID = 240
	ModuleWithdrawn   ID = 241
	ModuleFetched     ID = 242
	ModuleFetchFailed ID = 243

	DriverAdded      ID = 250
	DriverRemoved    ID = 251
	ShareFileAdded   ID = 252
	ShareFileRemoved ID = 253
)

// Events of ports.
const (
	PortOpened     ID = 300
	PortOpenFailed ID = 301
	PortStatus     ID = 302
	PortOffline    ID = 303
	PortRecovered  ID = 304
	PortAdded      ID = 310
	PortDeleted    ID = 311
)

// Events of printers.
const (
	PrinterAdded    ID = 400
	PrinterChanged  ID = 401
	PrinterPaused   ID = 402
	PrinterResumed  ID = 403
	PrinterPurged   ID = 404
	PrinterDeleted  ID = 405
	PrinterOnline   ID = 406
	PrinterMissing  ID = 407
	PrinterIdentify ID = 408
	// What modules do for printers: printer data, copy files, driver events.
	PrinterDataChanged ID = 410
	CopyFilesFailed    ID = 411
	CopyFileEvent      ID = 412
	DriverEvent        ID = 413
)

// Events of jobs.
const (
	JobAccepted       ID = 500
	JobAttemptStarted ID = 501
	JobAttemptEnded   ID = 502
	JobPrinted        ID = 503
	JobHeld           ID = 504
	JobReleased       ID = 505
	JobCancelled      ID = 506
	JobRestarted      ID = 507
	JobMoved          ID = 508
	JobFailed         ID = 509
	JobExpired        ID = 510
	JobChanged        ID = 511
	JobComplete       ID = 512
	JobForwarded      ID = 513
	JobForwardEnded   ID = 514
)

// Events of connections to printers of other hosts (Point and Print).
const (
	ConnectionAdded           ID = 600
	ConnectionRefreshed       ID = 601
	ConnectionDeleted         ID = 602
	ConnectionFailed          ID = 603
	ConnectionRefused         ID = 604
	PointPrintFilesDownloaded ID = 610
	CopyFilesRefused          ID = 611
	ConnectionModuleFailed    ID = 612
	ServerPinned              ID = 620
	ServerRefused             ID = 621
)

// Events of cluster spoolers and of the node as a member of its cluster.
const (
	SpoolerOnline     ID = 700
	SpoolerIncomplete ID = 701
	SpoolerTaken      ID = 702
	SpoolerMoved      ID = 703
	SpoolerDeleted    ID = 704
	NodeFenced        ID = 710
	ClockSkewed       ID = 711
	NodeSilent        ID = 712
	SharedUnusable    ID = 713
)

// idName is a row of the table of ids.
type idName struct {
	id   ID
	name string
}

// ids is every id with its name, in order.
func ids() []idName {
	return slices.Concat(moduleIDs(), printerIDs(), jobIDs())
}

// moduleIDs are those of hosts, modules and drivers.
func moduleIDs() []idName {
	return []idName{
		{HostStarted, "host started"},
		{HostStopping, "host stopping"},
		{CorruptRecord, "corrupt record"},
		{DocumentMissing, "document missing"},
		{OrphanModuleEnded, "orphan module ended"},
		{EventsNotWritten, "events not written"},
		{AddressTaken, "address taken"},
		{NotAnnounced, "not announced"},
		{MonitorStarted, "monitor started"},
		{MonitorExited, "monitor exited"},
		{MonitorRestarting, "monitor restarting"},
		{MonitorQuarantined, "monitor quarantined"},
		{MonitorInitializeFailed, "monitor initialize failed"},
		{ModuleRefused, "module refused"},
		{ModuleLogLine, "module log line"},
		{ModuleMisbehaves, "module misbehaves"},
		{MonitorAdded, "monitor added"},
		{MonitorRemoved, "monitor removed"},
		{MonitorUpgraded, "monitor upgraded"},
		{ModuleStarted, "module started"},
		{ModuleFailed, "module failed"},
		{ModulePublished, "module published"},
		{ModuleWithdrawn, "module withdrawn"},
		{ModuleFetched, "module fetched"},
		{ModuleFetchFailed, "module fetch failed"},
		{DriverAdded, "driver added"},
		{DriverRemoved, "driver removed"},
		{ShareFileAdded, "share file added"},
		{ShareFileRemoved, "share file removed"},
	}
}

// printerIDs are those of ports and printers.
func printerIDs() []idName {
	return []idName{
		{PortOpened, "port opened"},
		{PortOpenFailed, "port open failed"},
		{PortStatus, "port status"},
		{PortOffline, "port offline"},
		{PortRecovered, "port recovered"},
		{PortAdded, "port added"},
		{PortDeleted, "port deleted"},
		{PrinterAdded, "printer added"},
		{PrinterChanged, "printer changed"},
		{PrinterPaused, "printer paused"},
		{PrinterResumed, "printer resumed"},
		{PrinterPurged, "printer purged"},
		{PrinterDeleted, "printer deleted"},
		{PrinterOnline, "printer online"},
		{PrinterMissing, "printer missing"},
		{PrinterIdentify, "printer identify"},
		{PrinterDataChanged, "printer data changed"},
		{CopyFilesFailed, "copy files failed"},
		{CopyFileEvent, "copy file event"},
		{DriverEvent, "driver event"},
	}
}

// jobIDs are those of jobs, connections and clusters.
func jobIDs() []idName {
	return []idName{
		{JobAccepted, "job accepted"},
		{JobAttemptStarted, "job attempt started"},
		{JobAttemptEnded, "job attempt ended"},
		{JobPrinted, "job printed"},
		{JobHeld, "job held"},
		{JobReleased, "job released"},
		{JobCancelled, "job cancelled"},
		{JobRestarted, "job restarted"},
		{JobMoved, "job moved"},
		{JobFailed, "job failed"},
		{JobExpired, "job expired"},
		{JobChanged, "job changed"},
		{JobComplete, "job complete"},
		{JobForwarded, "job forwarded"},
		{JobForwardEnded, "job ended on another host"},
		{ConnectionAdded, "connection added"},
		{ConnectionRefreshed, "connection refreshed"},
		{ConnectionDeleted, "connection deleted"},
		{ConnectionFailed, "connection failed"},
		{ConnectionRefused, "connection refused"},
		{PointPrintFilesDownloaded, "Point and Print files downloaded"},
		{CopyFilesRefused, "copy files refused"},
		{ConnectionModuleFailed, "connection module failed"},
		{ServerPinned, "server pinned"},
		{ServerRefused, "server refused"},
		{SpoolerOnline, "spooler online"},
		{SpoolerIncomplete, "spooler incomplete"},
		{SpoolerTaken, "spooler taken over"},
		{SpoolerMoved, "spooler moved"},
		{SpoolerDeleted, "spooler deleted"},
		{NodeFenced, "node fenced"},
		{ClockSkewed, "clock skewed"},
		{NodeSilent, "node silent"},
		{SharedUnusable, "shared directory unusable"},
	}
}

// IDs gives every id, in order.
func IDs() []ID {
	table := ids()
	list := make([]ID, len(table))
	for i, row := range table {
		list[i] = row.id
	}
	return list
}

// String gives the id in words, such as "job accepted".
func (id ID) String() string {
	table := ids()
	i, ok := slices.BinarySearchFunc(table, id, func(row idName, id ID) int { return int(row.id - id) })
	if !ok {
		return fmt.Sprint("event ", int(id))
	}
	return table[i].name
}
