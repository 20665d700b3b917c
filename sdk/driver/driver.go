// Package driver is what a vendor imports to write a printer driver's event module: the
// counterpart of the printer interface DLL's DrvPrinterEvent. It sets a printer's defaults
// when the printer is added, and on a client looks after what the client keeps.
//
//	func main() { driver.Serve(initialize, driver.Name("acmedriver")) }
//
//	func (acme) DrvPrinterEvent(ctx context.Context, e driver.PrinterEvent) error {
//		if e.Event != driver.Initialize {
//			return nil
//		}
//		return e.Printer.SetPrinterDataEx(ctx, printerdata.DriverData, registry.Uint32("Duplex", 1))
//	}
//
// It renders nothing. A driver's installation names the module, which is installed on each
// machine and never copied from a server. sdk/pointprinttest checks it against the contract.
package driver

import (
	"context"
	"log/slog"

	"github.com/spoolhost/spoolhost/sdk/printerdata"
	"github.com/spoolhost/spoolhost/sdk/registry"
)

// Load is called once in a process, before anything else: the loading of the DLL. A process
// serves one spooler, and ends when nobody has needed it for a while.
type Load func(ctx context.Context, init Init) (Driver, error)

// Init is what a driver gets.
type Init struct {
	// ModuleName is the name the operator installed the module under.
	ModuleName string
	// ServerName is the name of the spooler.
	ServerName string
	// Registry is the module's own key: what it keeps from one life to the next.
	Registry registry.Key
	// Logger writes to the host's log.
	Logger *slog.Logger
}

// Driver is a printer interface DLL.
type Driver interface {
	// DrvPrinterEvent is told what happened, perhaps of several printers at the same time. An
	// error counts only for Initialize when a printer is added, which then fails; else it is
	// logged. Events that a driver does not know are success.
	DrvPrinterEvent(ctx context.Context, e PrinterEvent) error
}

// PrinterEvent is a call of DrvPrinterEvent.
type PrinterEvent struct {
	// PrinterName has the server's name in front for a connection: \\NTPRINT\HpColor.
	PrinterName string
	Event       Event
	Flags       Flags
	// Attributes is the lParam of AttributesChanged, else nil.
	Attributes *AttributesInfo
	// Notification is the lParam of ConfigurationUpdate: a bidi notification.
	Notification string
	// User is the lParam of Initialize: who asked.
	User string
	// Printer is the printer's data. After Delete and DeleteConnection it is as it was before.
	Printer printerdata.Printer
}

// AttributesInfo is PRINTER_EVENT_ATTRIBUTES_INFO: PRINTER_ATTRIBUTE_* before and after.
type AttributesInfo struct{ Old, New uint32 }

// Flags of an event.
type Flags uint32

// NoUI is PRINTER_EVENT_FLAG_NO_UI. It is always set: modules show nothing.
const NoUI Flags = 1

// Event is a PRINTER_EVENT_*.
type Event int32

// The events (winddiui.h).
const (
	// ConfigurationChange is reserved.
	ConfigurationChange Event = 0
	// AddConnection: a client has connected.
	AddConnection Event = 1
	// DeleteConnection: a client has let go of the printer.
	DeleteConnection Event = 2
	// Initialize: a printer was added, or given this driver. An error refuses it.
	Initialize Event = 3
	// Delete: the printer was deleted.
	Delete Event = 4
	// CacheRefresh: what a client keeps of the printer was made or changed.
	CacheRefresh Event = 5
	// CacheDelete: what a client keeps of the printer was deleted.
	CacheDelete Event = 6
	// AttributesChanged: SetPrinter changed attributes.
	AttributesChanged Event = 7
	// ConfigurationUpdate: the device says that its configuration has changed.
	ConfigurationUpdate Event = 8
	// AddConnectionNoUI and DeleteConnectionNoUI are as those without NoUI.
	AddConnectionNoUI    Event = 9
	DeleteConnectionNoUI Event = 10
)

// LastEvent is the highest of the events.
const LastEvent = DeleteConnectionNoUI

// String gives the name in winddiui.h.
func (e Event) String() string {
	names := [...]string{
		"CONFIGURATION_CHANGE", "ADD_CONNECTION", "DELETE_CONNECTION", "INITIALIZE", "DELETE", "CACHE_REFRESH",
		"CACHE_DELETE", "ATTRIBUTES_CHANGED", "CONFIGURATION_UPDATE", "ADD_CONNECTION_NO_UI", "DELETE_CONNECTION_NO_UI",
	}
	if e < 0 || int(e) >= len(names) {
		return "PRINTER_EVENT_UNKNOWN"
	}
	return "PRINTER_EVENT_" + names[e]
}
