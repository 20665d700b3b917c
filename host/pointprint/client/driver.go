package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/spoolhost/spoolhost/host/pointprint/confine"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// driverPolicy is what driver files are copied under: they are data for whoever reads them
// here, in a place where nothing is run.
const driverPolicy = confine.All

// driverFiles brings the printer's driver (step 3). A server that has none for this system
// is no error.
func (s *session) driverFiles(ctx context.Context) error {
	var info *apiv1.DriverInfo
	err := s.remote.do(ctx, func(ctx context.Context, l *link) error {
		r, err := l.drivers.GetPrinterDriver(ctx, &apiv1.GetPrinterDriverRequest{
			Spooler: s.remote.to(), Printer: s.con.Name.Printer, Environment: s.c.cfg.Environment,
		})
		info = r.GetDriver()
		return err
	})
	s.con.Driver = Driver{}
	s.trace.add(3, driverOutcome(info, err), "GetPrinterDriver(%s, %s)", quoted(s.con.Name.Printer), quoted(s.c.cfg.Environment))
	if errors.Is(err, spoolerr.CodeUnknownPrinterDriver) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.GetModule() != "" {
		if err := confine.CheckFileName("the driver's module", info.GetModule()); err != nil {
			return err
		}
	}
	s.con.Driver = Driver{Name: info.GetName(), Environment: info.GetEnvironment(), Version: info.GetVersion(), Module: info.GetModule()}
	s.con.Driver.Files, err = s.copyDriver(ctx, info)
	if err == nil && s.before != nil {
		s.changed = s.changed || !sameFiles(s.before.Driver.Files, s.con.Driver.Files)
	}
	return err
}

func driverOutcome(info *apiv1.DriverInfo, err error) string {
	if err != nil {
		return outcome(err)
	}
	return fmt.Sprintf("driver %s, version %d, %d files", quoted(info.GetName()), info.GetVersion(), len(info.GetFiles()))
}

// copyDriver brings a driver's files, directory by directory, to the place of its server.
func (s *session) copyDriver(ctx context.Context, info *apiv1.DriverInfo) (all []File, err error) {
	if len(info.GetFiles()) > maxFiles {
		return nil, spoolerr.New(spoolerr.Exhausted, 0, "driver %s has %d files; the most is %d", spool.Quote(info.GetName()), len(info.GetFiles()), maxFiles)
	}
	var order []string
	sources, names := make(map[string]confine.Rel), make(map[string][]string)
	for _, f := range info.GetFiles() {
		path, err := confine.ParseRel("driver file", f.GetPath())
		if err != nil {
			return nil, err
		}
		if len(path) < 2 {
			return nil, spoolerr.New(spoolerr.Denied, spoolerr.CodeInvalidName, "driver file %s is in no directory", spool.Quote(f.GetPath()))
		}
		dir, name := path[:len(path)-1], path[len(path)-1]
		if sources[dir.Key()] == nil {
			sources[dir.Key()] = dir
			order = append(order, dir.Key())
		}
		names[dir.Key()] = append(names[dir.Key()], name)
	}
	for _, key := range order {
		if err := checkNames(names[key]); err != nil {
			return nil, err
		}
		target := append(confine.Rel{driversDir, s.con.Name.Server}, sources[key]...)
		files, err := s.copy(ctx, sources[key], target, names[key], driverPolicy)
		if err != nil {
			return nil, spoolerr.Wrap(err, "driver %s", spool.Quote(info.GetName()))
		}
		all = append(all, files...)
	}
	return all, nil
}

func sameFiles(a, b []File) bool {
	return Component{Files: a}.same(Component{Files: b})
}
