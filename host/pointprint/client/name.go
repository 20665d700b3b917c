package client

import (
	"strings"

	"github.com/spoolhost/spoolhost/host/pointprint/confine"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// Name is the printer of a server: \\SERVER\PRINTER.
type Name struct{ Server, Printer string }

// ParseName reads \\SERVER\PRINTER.
func ParseName(s string) (Name, error) {
	rest, ok := strings.CutPrefix(s, `\\`)
	server, printer, ok2 := strings.Cut(rest, `\`)
	n := Name{Server: server, Printer: printer}
	if !ok || !ok2 {
		return n, spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidPrinterName, `%s is not the printer of a server; write \\SERVER\PRINTER`, spool.Quote(s))
	}
	if err := spool.CheckName("spooler", server); err != nil {
		return n, err
	}
	if err := confine.CheckFileName("server name", server); err != nil {
		return n, err
	}
	return n, spool.CheckName("printer", printer)
}

// String gives \\SERVER\PRINTER.
func (n Name) String() string { return `\\` + n.Server + `\` + n.Printer }

// fold gives the form under which two names are the same.
func (n Name) fold() string { return spool.Fold(n.String()) }

// key is where the connection is in the registry: ,,SERVER,PRINTER, as Windows has it. No
// name has a comma.
func (n Name) key() string { return root + `\` + strings.ReplaceAll(n.String(), `\`, ",") }

// root is the key of all connections.
const root = "Connections"
