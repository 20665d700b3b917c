// Package driverwire is the host's side of the driver contract: a driver's event module in
// another process. The host and the conformance kits import it. It sets no deadlines, and
// does not decide which errors count.
package driverwire

import (
	"context"

	"google.golang.org/grpc"

	driverv1 "github.com/spoolhost/spoolhost/proto/spoolhost/driver/v1"
	"github.com/spoolhost/spoolhost/sdk/driver"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

// Init is what Initialize carries over the wire.
type Init struct {
	Token      string // of the host services
	Root       uint64 // of the module's own registry key
	ModuleName string
	ServerName string
}

// Driver is a driver's event module in another process.
type Driver struct{ client driverv1.PrinterDriverClient }

// Initialize makes the first call of a process.
func Initialize(ctx context.Context, conn grpc.ClientConnInterface, init Init) (*Driver, error) {
	client := driverv1.NewPrinterDriverClient(conn)
	_, err := client.Initialize(ctx, &driverv1.InitializeRequest{
		Spooler: init.Token, RegistryRoot: init.Root, ServerName: init.ServerName, ModuleName: init.ModuleName,
	})
	if err != nil {
		return nil, spoolgrpc.FromStatus(err)
	}
	return &Driver{client: client}, nil
}

// DrvPrinterEvent calls the module. printer is the token of the printer's data; e.Printer is
// ignored.
func (d *Driver) DrvPrinterEvent(ctx context.Context, e driver.PrinterEvent, printer string) error {
	r := &driverv1.DrvPrinterEventRequest{
		PrinterName: e.PrinterName, DriverEvent: int32(e.Event), Flags: uint32(e.Flags), Printer: printer,
	}
	switch {
	case e.Attributes != nil:
		r.Lparam = &driverv1.DrvPrinterEventRequest_Attributes{Attributes: &driverv1.PrinterEventAttributesInfo{
			OldAttributes: e.Attributes.Old, NewAttributes: e.Attributes.New,
		}}
	case e.Notification != "":
		r.Lparam = &driverv1.DrvPrinterEventRequest_Notification{Notification: e.Notification}
	case e.User != "":
		r.Lparam = &driverv1.DrvPrinterEventRequest_User{User: e.User}
	}
	_, err := d.client.DrvPrinterEvent(ctx, r)
	return spoolgrpc.FromStatus(err)
}
