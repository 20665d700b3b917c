// Package printerdata is what a Point and Print module or a driver sees of the printer that
// a call is about: its printer data, and the files of its CopyFiles keys.
//
// Vendors import it by way of pointprint and driver; the host and the client spooler
// implement it. It does no I/O.
package printerdata

import (
	"context"
	"io"

	"github.com/spoolhost/spoolhost/sdk/registry"
)

// Names of keys and values (winspool.h, and the Point and Print chapter of the WDK).
const (
	// DriverData is the key of GetPrinterData and SetPrinterData.
	DriverData = "PrinterDriverData"
	// CopyFiles is the parent of the keys that name a queue's files.
	CopyFiles = "CopyFiles"

	// Directory of a CopyFiles key is where its files are, relative to PRINT$.
	Directory = "Directory"
	// Files of a CopyFiles key are their names.
	Files = "Files"
	// Module of a CopyFiles key is the Point and Print module.
	Module = "Module"
	// SourceDir and TargetDir of a CopyFiles key are never stored: see GenerateCopyFilePaths.
	SourceDir = "SourceDir"
	TargetDir = "TargetDir"
	// ChangeID is another number after each change of a printer.
	ChangeID = "ChangeID"
)

// MaxFile is the largest file that OpenFile gives, in bytes.
const MaxFile = 64 << 20

// Printer is the printer that a call is about. It is valid while the call lasts: after that
// every method fails with spoolerr.BadHandle.
type Printer interface {
	// GetPrinterDataEx gives one value, or spoolerr.NotFound.
	GetPrinterDataEx(ctx context.Context, key, value string) (registry.Value, error)
	// EnumPrinterDataEx gives the values of a key in order of name.
	EnumPrinterDataEx(ctx context.Context, key string) ([]registry.Value, error)
	// SetPrinterDataEx stores a value and creates its key. CopyFiles and the Ds keys are
	// spoolerr.Denied.
	SetPrinterDataEx(ctx context.Context, key string, v registry.Value) error
	// OpenFile gives a file of a CopyFiles key, such as CopyFiles\ICM, by its name in the value
	// Files. It reads through the host, so that a module needs no access to the directory, and
	// needs no closing.
	OpenFile(ctx context.Context, key, name string) (*io.SectionReader, error)
}
