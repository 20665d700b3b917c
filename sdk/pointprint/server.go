package pointprint

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"unicode/utf16"

	pointprintv1 "github.com/spoolhost/spoolhost/proto/spoolhost/pointprint/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// server is the module's side of pointprint/v1.
type server struct {
	pointprintv1.UnimplementedPointAndPrintServer
	initialize Initialize
	host       *wire.Host
	log        *slog.Logger

	mu     sync.Mutex
	module Module
}

func (s *server) Initialize(ctx context.Context, r *pointprintv1.InitializeRequest) (*pointprintv1.InitializeResponse, error) {
	if _, err := s.loaded(); err == nil {
		return nil, again() // before the module hears of it
	}
	m, err := s.initialize(ctx, Init{
		ModuleName: r.GetModuleName(), ServerName: r.GetServerName(),
		Registry: s.host.Registry(r.GetSpooler(), r.GetRegistryRoot()),
		Logger:   s.log.With("module", r.GetModuleName(), "spooler", r.GetServerName()),
	})
	if err == nil && m == nil {
		err = spoolerr.New(spoolerr.Internal, spoolerr.CodeDLLInitFailed, "initialize returned no module")
	}
	if err != nil {
		return nil, spoolgrpc.ToStatus(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.module != nil {
		return nil, again()
	}
	s.module = m
	return &pointprintv1.InitializeResponse{}, nil
}

func again() error {
	return spoolgrpc.ToStatus(spoolerr.New(spoolerr.Precondition, 0, "the module is initialised already"))
}

func (s *server) loaded() (Module, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.module == nil {
		return nil, spoolgrpc.ToStatus(spoolerr.New(spoolerr.Precondition, 0, "the module is not initialised yet"))
	}
	return s.module, nil
}

func (s *server) GenerateCopyFilePaths(ctx context.Context, r *pointprintv1.GenerateCopyFilePathsRequest) (*pointprintv1.GenerateCopyFilePathsResponse, error) {
	m, err := s.loaded()
	if err != nil {
		return nil, err
	}
	if r.GetLevel() != 1 || r.GetSplClientInfo() == nil {
		return nil, spoolgrpc.ToStatus(spoolerr.New(spoolerr.Invalid, spoolerr.CodeInvalidLevel, "GenerateCopyFilePaths: only SPLCLIENT_INFO_1 is known"))
	}
	info := r.GetSplClientInfo()
	dirs, err := m.GenerateCopyFilePaths(ctx, CopyFilePaths{
		PrinterName: r.GetPrinterName(), Directory: r.GetDirectory(), Level: r.GetLevel(), Flags: Flags(r.GetFlags()),
		Client: ClientInfo{
			BuildNum: info.GetBuildNum(), MajorVersion: info.GetMajorVersion(), MinorVersion: info.GetMinorVersion(),
			ProcessorArchitecture: Architecture(info.GetProcessorArchitecture()),
		},
		Dirs:    Dirs{SourceDir: r.GetSourceDir(), TargetDir: r.GetTargetDir()},
		Printer: s.host.Printer(r.GetPrinter()),
	})
	if err != nil {
		return nil, spoolgrpc.ToStatus(err)
	}
	return sized(dirs, r.GetSourceDirSize(), r.GetTargetDirSize()), nil
}

// sized gives the directories if there is room for them, else how much they need.
func sized(d Dirs, source, target uint32) *pointprintv1.GenerateCopyFilePathsResponse {
	d.SourceDir, d.TargetDir = strings.ToValidUTF8(d.SourceDir, "\ufffd"), strings.ToValidUTF8(d.TargetDir, "\ufffd")
	resp := &pointprintv1.GenerateCopyFilePathsResponse{SourceDirSize: units(d.SourceDir), TargetDirSize: units(d.TargetDir)}
	if resp.SourceDirSize > source || resp.TargetDirSize > target {
		resp.Status = uint32(spoolerr.CodeInsufficientBuffer)
		return resp
	}
	resp.SourceDir, resp.TargetDir = d.SourceDir, d.TargetDir
	return resp
}

// units is how many UTF-16 units a text has with its NUL.
func units(s string) uint32 { return uint32(len(utf16.Encode([]rune(s)))) + 1 }

func (s *server) SpoolerCopyFileEvent(ctx context.Context, r *pointprintv1.SpoolerCopyFileEventRequest) (*pointprintv1.SpoolerCopyFileEventResponse, error) {
	m, err := s.loaded()
	if err != nil {
		return nil, err
	}
	err = m.SpoolerCopyFileEvent(ctx, CopyFileEvent{
		PrinterName: r.GetPrinterName(), Key: r.GetKey(), Event: Event(r.GetEvent()), Printer: s.host.Printer(r.GetPrinter()),
	})
	return &pointprintv1.SpoolerCopyFileEventResponse{}, spoolgrpc.ToStatus(err)
}
