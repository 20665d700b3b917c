// Package pointprint is what a vendor imports to write a Point and Print module: the
// counterpart of the DLL that the value Module of a printer's CopyFiles key names. It may
// change where files come from and go to, and is told when they have come.
//
//	func main() { pointprint.Serve(initialize, pointprint.Name("acmecolor")) }
//
//	func initialize(ctx context.Context, init pointprint.Init) (pointprint.Module, error) {
//		return &acme{log: init.Logger}, nil
//	}
//
//	func (acme) GenerateCopyFilePaths(ctx context.Context, c pointprint.CopyFilePaths) (pointprint.Dirs, error) {
//		return c.Dirs, nil // nothing to change
//	}
//
// A module is installed on each machine and found by its name; it is never copied from a
// server to a client. What it returns is checked: a directory outside the share or outside
// the client's driver directory copies nothing. sdk/pointprinttest checks a module against
// the contract. This package does not copy files: the host does.
package pointprint

import (
	"context"
	"log/slog"

	"github.com/spoolhost/spoolhost/sdk/printerdata"
	"github.com/spoolhost/spoolhost/sdk/registry"
)

// Initialize is called once in a process, before anything else: the loading of the DLL. A
// process serves one spooler, and ends when nobody has needed it for a while.
type Initialize func(ctx context.Context, init Init) (Module, error)

// Init is what a module gets.
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

// Module is a Point and Print DLL. Its methods may be called at the same time.
type Module interface {
	// GenerateCopyFilePaths may change the two directories, and nothing else; without need
	// it returns them as they came. It is called on the server each time a client asks, and on
	// the client before files are copied. An error: nothing is copied for this key.
	GenerateCopyFilePaths(ctx context.Context, c CopyFilePaths) (Dirs, error)
	// SpoolerCopyFileEvent is told what happened. An error is logged and changes nothing.
	SpoolerCopyFileEvent(ctx context.Context, e CopyFileEvent) error
}

// Dirs are the two directories.
type Dirs struct {
	// SourceDir is a directory of the server's share: \\NTPRINT\PRINT$\Color.
	SourceDir string
	// TargetDir is relative on the server (Color) and an absolute path on the client.
	TargetDir string
}

// CopyFilePaths is a call of GenerateCopyFilePaths. The sizes of buffers are the SDK's.
type CopyFilePaths struct {
	// PrinterName has the server's name in front on a client: \\NTPRINT\HpColor.
	PrinterName string
	// Directory is the key's value Directory.
	Directory string
	// Client is the system that the files are for.
	Client ClientInfo
	// Level is that of Client: 1.
	Level uint32
	Dirs
	// Flags says on which side this is.
	Flags Flags
	// Printer is the printer's data.
	Printer printerdata.Printer
}

// ClientInfo is SPLCLIENT_INFO_1, without the two members that are not used here.
type ClientInfo struct {
	// BuildNum is the build of the client's operating system.
	BuildNum uint32
	// MajorVersion and MinorVersion are those of the client's spooler.
	MajorVersion, MinorVersion uint32
	ProcessorArchitecture      Architecture
}

// Architecture is a PROCESSOR_ARCHITECTURE_*.
type Architecture uint16

// The architectures (winnt.h).
const (
	X86   Architecture = 0
	ARM   Architecture = 5
	IA64  Architecture = 6
	X64   Architecture = 9
	ARM64 Architecture = 12
)

// Flags are COPYFILE_FLAG_*.
type Flags uint32

// The flags (winspool.h).
const (
	ClientSpooler Flags = 1
	ServerSpooler Flags = 2
)

// CopyFileEvent is a call of SpoolerCopyFileEvent.
type CopyFileEvent struct {
	PrinterName string
	// Key is the CopyFiles key with its path: CopyFiles\ICM.
	Key   string
	Event Event
	// Printer is the printer's data and the key's files. After DeletePrinter and
	// DeletePrinterConnection it is as it was before.
	Printer printerdata.Printer
}

// Event is a COPYFILE_EVENT_*.
type Event uint32

// The events (winspool.h).
const (
	// SetPrinterDataEx: printer data was set on the server.
	SetPrinterDataEx Event = 1
	// DeletePrinter: the printer was deleted on the server.
	DeletePrinter Event = 2
	// AddPrinterConnection: a client has connected, its files are there.
	AddPrinterConnection Event = 3
	// DeletePrinterConnection: a client has let go of the printer.
	DeletePrinterConnection Event = 4
	// FilesChanged: the key's files were copied to the client.
	FilesChanged Event = 5
)

// String gives the name in winspool.h.
func (e Event) String() string {
	names := [...]string{"", "SET_PRINTER_DATAEX", "DELETE_PRINTER", "ADD_PRINTER_CONNECTION", "DELETE_PRINTER_CONNECTION", "FILES_CHANGED"}
	if e == 0 || int(e) >= len(names) {
		return "COPYFILE_EVENT_UNKNOWN"
	}
	return "COPYFILE_EVENT_" + names[e]
}
