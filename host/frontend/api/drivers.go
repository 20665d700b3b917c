package api

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"google.golang.org/grpc"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/share"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

type driversServer struct {
	apiv1.UnimplementedDriversServer
	*Server
}

func (s *driversServer) AddPrinterDriver(stream grpc.ClientStreamingServer[apiv1.AddPrinterDriverRequest, apiv1.AddPrinterDriverResponse]) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	start := first.GetStart()
	sh, err := s.share(start.GetSpooler())
	if err != nil {
		return err
	}
	d := driverFromProto(start.GetDriver())
	if err := d.Check(); err != nil {
		return err
	}
	ctx := stream.Context()
	blobs := make(map[string]share.Blob)
	defer func() {
		for _, b := range blobs {
			b.Release(ctx)
		}
	}()
	if err := receiveFiles(ctx, stream, sh, d, blobs); err != nil {
		return err
	}
	d, err = sh.AddDriver(ctx, d, blobs, start.GetReplace())
	if err != nil {
		return err
	}
	s.driverEvent(eventlog.DriverAdded, d, "was installed by "+callerOf(ctx).Name)
	s.filesChanged(ctx, sh, "", d.Name)
	info, err := driverToProto(ctx, sh, d)
	if err != nil {
		return err
	}
	return stream.SendAndClose(&apiv1.AddPrinterDriverResponse{Driver: info})
}

// receiveFiles takes the files that a driver names, and no others.
func receiveFiles(ctx context.Context, stream grpc.ClientStreamingServer[apiv1.AddPrinterDriverRequest, apiv1.AddPrinterDriverResponse], sh *share.Share, d share.Driver, blobs map[string]share.Blob) error {
	wanted := make(map[string]bool)
	for _, name := range d.Files() {
		wanted[name] = true
	}
	m, err := stream.Recv()
	for err == nil {
		head := m.GetFile()
		switch {
		case head == nil:
			return spoolerr.New(spoolerr.Invalid, 0, "a file of driver %s begins without its name", spool.Quote(d.Name))
		case !wanted[head.GetName()]:
			return spoolerr.New(spoolerr.Invalid, 0, "driver %s does not name file %s, or it was sent twice", spool.Quote(d.Name), spool.Quote(head.GetName()))
		}
		delete(wanted, head.GetName())
		var next *apiv1.AddPrinterDriverRequest
		b, failed := sh.Store(ctx, &chunks{next: func() ([]byte, error) {
			if next, err = stream.Recv(); err != nil {
				return nil, err
			}
			if next.GetFile() != nil || next.GetStart() != nil {
				return nil, io.EOF
			}
			return next.GetData(), nil
		}}, head.GetSize())
		if failed != nil {
			return spoolerr.Wrap(failed, "file %s", spool.Quote(head.GetName()))
		}
		blobs[head.GetName()], m = b, next
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func (s *driversServer) driverEvent(id eventlog.ID, d share.Driver, what string) {
	s.cfg.Events.Add(eventlog.Event{ID: id, Object: eventlog.Driver, Name: d.Name, Text: "driver " + spool.Quote(d.Name) + " for " + d.Environment + " " + what})
}

func (s *driversServer) EnumPrinterDrivers(ctx context.Context, r *apiv1.EnumPrinterDriversRequest) (*apiv1.EnumPrinterDriversResponse, error) {
	sh, err := s.share(r.GetSpooler())
	if err != nil {
		return nil, err
	}
	list, err := sh.Drivers(ctx, r.GetName(), r.GetEnvironment())
	if err != nil {
		return nil, err
	}
	resp := &apiv1.EnumPrinterDriversResponse{}
	for _, d := range list {
		info, err := driverToProto(ctx, sh, d)
		if err != nil {
			return nil, err
		}
		resp.Drivers = append(resp.Drivers, info)
	}
	return resp, nil
}

func (s *driversServer) GetPrinterDriver(ctx context.Context, r *apiv1.GetPrinterDriverRequest) (*apiv1.GetPrinterDriverResponse, error) {
	sp, err := s.spooler(r.GetSpooler())
	if err != nil {
		return nil, err
	}
	sh, err := s.share(r.GetSpooler())
	if err != nil {
		return nil, err
	}
	v, err := sp.Printer(r.GetPrinter())
	if err != nil {
		return nil, err
	}
	var list []share.Driver
	if v.Driver != "" {
		if list, err = sh.Drivers(ctx, v.Driver, r.GetEnvironment()); err != nil {
			return nil, err
		}
	}
	if len(list) == 0 {
		return nil, spoolerr.New(spoolerr.NotFound, spoolerr.CodeUnknownPrinterDriver, "printer %s has no driver for %s", spool.Quote(v.Name), spool.Quote(r.GetEnvironment()))
	}
	info, err := driverToProto(ctx, sh, list[0])
	return &apiv1.GetPrinterDriverResponse{Driver: info}, err
}

func (s *driversServer) DeletePrinterDriver(ctx context.Context, r *apiv1.DeletePrinterDriverRequest) (*apiv1.DeletePrinterDriverResponse, error) {
	sh, err := s.share(r.GetSpooler())
	if err != nil {
		return nil, err
	}
	list, err := sh.Drivers(ctx, r.GetName(), "")
	if err != nil {
		return nil, err
	}
	all := len(list)
	list = slices.DeleteFunc(list, func(d share.Driver) bool {
		return r.GetEnvironment() != "" && spool.Fold(r.GetEnvironment()) != spool.Fold(d.Environment) || r.Version != nil && r.GetVersion() != d.Version
	})
	if r.GetName() == "" || len(list) == 0 {
		return nil, share.UnknownDriver(r.GetName())
	}
	if len(list) == all { // then nothing would be left of it
		if err := s.driverUnused(sh, r.GetName()); err != nil {
			return nil, err
		}
	}
	if err := sh.RemoveDriver(ctx, list); err != nil {
		return nil, err
	}
	for _, d := range list {
		s.driverEvent(eventlog.DriverRemoved, d, "was removed by "+callerOf(ctx).Name)
	}
	s.filesChanged(ctx, sh, "", r.GetName())
	return &apiv1.DeletePrinterDriverResponse{Removed: uint32(len(list))}, nil
}

func (s *driversServer) driverUnused(sh *share.Share, name string) error {
	for _, sp := range s.clientsOf(sh) {
		for _, v := range sp.Printers() {
			if spool.Fold(v.Driver) == spool.Fold(name) {
				return spoolerr.New(spoolerr.Busy, spoolerr.CodePrinterDriverInUse, "driver %s is that of printer %s; give it another one with spoolhost printer set --driver", spool.Quote(name), spool.Quote(v.Name))
			}
		}
	}
	return nil
}

func driverFromProto(d *apiv1.DriverInfo) share.Driver {
	out := share.Driver{
		Version: d.GetVersion(), Name: d.GetName(), Environment: d.GetEnvironment(), DriverPath: d.GetDriverPath(), DataFile: d.GetDataFile(),
		ConfigFile: d.GetConfigFile(), HelpFile: d.GetHelpFile(), DependentFiles: d.GetDependentFiles(), MonitorName: d.GetMonitorName(),
		DefaultDataType: d.GetDefaultDataType(), PreviousNames: d.GetPreviousNames(), DriverVersion: d.GetDriverVersion(),
		Manufacturer: d.GetManufacturer(), OEMURL: d.GetOemUrl(), HardwareID: d.GetHardwareId(), Provider: d.GetProvider(),
		Attributes: d.GetAttributes(), ColorProfiles: d.GetColorProfiles(), Module: d.GetModule(),
	}
	if d.GetDriverDate() != nil {
		out.Date = d.GetDriverDate().AsTime()
	}
	return out
}

func driverToProto(ctx context.Context, sh *share.Share, d share.Driver) (*apiv1.DriverInfo, error) {
	out := &apiv1.DriverInfo{
		Version: d.Version, Name: d.Name, Environment: d.Environment, DriverPath: d.DriverPath, DataFile: d.DataFile,
		ConfigFile: d.ConfigFile, HelpFile: d.HelpFile, DependentFiles: d.DependentFiles, MonitorName: d.MonitorName,
		DefaultDataType: d.DefaultDataType, PreviousNames: d.PreviousNames, DriverDate: stamp(d.Date), DriverVersion: d.DriverVersion,
		Manufacturer: d.Manufacturer, OemUrl: d.OEMURL, HardwareId: d.HardwareID, Provider: d.Provider, Attributes: d.Attributes,
		ColorProfiles: d.ColorProfiles, Module: d.Module, AddedAt: stamp(d.Added),
	}
	for path := range d.Files() {
		f, err := sh.Stat(ctx, path)
		if err != nil {
			return nil, err
		}
		out.Files = append(out.Files, fileToProto(f))
	}
	slices.SortFunc(out.Files, func(a, b *apiv1.ShareFile) int {
		return strings.Compare(spool.Fold(a.GetPath()), spool.Fold(b.GetPath()))
	})
	return out, nil
}
