// Package pointprintwire is the host's side of the Point and Print contract: a module in
// another process, with the methods of pointprint.Module. The host and the conformance kits
// import it.
//
// Nothing a module answers is trusted: lengths and characters are checked here, and a broken
// contract becomes a spoolerr.Internal that says what the module did. Buffer sizes are
// this package's business and nobody else's. It sets no deadlines, and does not know which
// directories are allowed: host/pointprint does.
package pointprintwire

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"google.golang.org/grpc"

	pointprintv1 "github.com/spoolhost/spoolhost/proto/spoolhost/pointprint/v1"
	"github.com/spoolhost/spoolhost/sdk/pointprint"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

// The room for one directory in UTF-16 units with its NUL: what is offered first (MAX_PATH),
// and the most that a module gets (the longest path that Windows has).
const (
	firstRoom = 260
	mostRoom  = 32768
)

// infoSize is the dwSize of SPLCLIENT_INFO_1 on 64 bits.
const infoSize = 40

// Init is what Initialize carries over the wire.
type Init struct {
	Token      string // of the host services
	Root       uint64 // of the module's own registry key
	ModuleName string
	ServerName string
}

// Module is a Point and Print module in another process.
type Module struct {
	client pointprintv1.PointAndPrintClient
}

// Initialize makes the first call of a process.
func Initialize(ctx context.Context, conn grpc.ClientConnInterface, init Init) (*Module, error) {
	client := pointprintv1.NewPointAndPrintClient(conn)
	_, err := client.Initialize(ctx, &pointprintv1.InitializeRequest{
		Spooler: init.Token, RegistryRoot: init.Root, ServerName: init.ServerName, ModuleName: init.ModuleName,
	})
	if err != nil {
		return nil, spoolgrpc.FromStatus(err)
	}
	return &Module{client: client}, nil
}

// GenerateCopyFilePaths calls the module, a second time if it needs more room. printer is the
// token of the printer's data; c.Printer is ignored.
func (m *Module) GenerateCopyFilePaths(ctx context.Context, c pointprint.CopyFilePaths, printer string) (pointprint.Dirs, error) {
	source, target := max(firstRoom, units(c.SourceDir)), max(firstRoom, units(c.TargetDir))
	for range 2 {
		r, err := m.client.GenerateCopyFilePaths(ctx, request(c, source, target, printer))
		if err != nil {
			return pointprint.Dirs{}, spoolgrpc.FromStatus(err)
		}
		switch spoolerr.Code(r.GetStatus()) {
		case spoolerr.CodeSuccess:
			return dirs(r, source, target)
		case spoolerr.CodeInsufficientBuffer:
			more, err := room(r, source, target)
			if err != nil {
				return pointprint.Dirs{}, err
			}
			source, target = more[0], more[1]
		default:
			return pointprint.Dirs{}, broken("GenerateCopyFilePaths: its status %d is neither success nor ERROR_INSUFFICIENT_BUFFER", r.GetStatus())
		}
	}
	return pointprint.Dirs{}, broken("GenerateCopyFilePaths: it wants more room each time")
}

func request(c pointprint.CopyFilePaths, source, target int, printer string) *pointprintv1.GenerateCopyFilePathsRequest {
	return &pointprintv1.GenerateCopyFilePathsRequest{
		PrinterName: c.PrinterName, Directory: c.Directory, Level: 1,
		SplClientInfo: &pointprintv1.SplclientInfo1{
			Size: infoSize, BuildNum: c.Client.BuildNum, MajorVersion: c.Client.MajorVersion, MinorVersion: c.Client.MinorVersion,
			ProcessorArchitecture: uint32(c.Client.ProcessorArchitecture),
		},
		SourceDir: c.SourceDir, SourceDirSize: uint32(source), TargetDir: c.TargetDir, TargetDirSize: uint32(target),
		Flags: uint32(c.Flags), Printer: printer,
	}
}

// room checks what a module says it needs: more than it had, and no more than there is.
func room(r *pointprintv1.GenerateCopyFilePathsResponse, source, target int) ([2]int, error) {
	s, t := int(r.GetSourceDirSize()), int(r.GetTargetDirSize())
	if s > mostRoom || t > mostRoom {
		return [2]int{}, broken("GenerateCopyFilePaths: it wants room for %d characters; the most is %d", max(s, t), mostRoom)
	}
	if s <= source && t <= target {
		return [2]int{}, broken("GenerateCopyFilePaths: it had room for %d and %d characters, wants %d and %d, and says that is too small", source, target, s, t)
	}
	return [2]int{max(s, source), max(t, target)}, nil
}

func dirs(r *pointprintv1.GenerateCopyFilePathsResponse, source, target int) (pointprint.Dirs, error) {
	if err := checkDir("source", r.GetSourceDir(), source); err != nil {
		return pointprint.Dirs{}, err
	}
	if err := checkDir("target", r.GetTargetDir(), target); err != nil {
		return pointprint.Dirs{}, err
	}
	return pointprint.Dirs{SourceDir: r.GetSourceDir(), TargetDir: r.GetTargetDir()}, nil
}

// checkDir refuses what cannot be a directory of any kind.
func checkDir(which, dir string, room int) error {
	switch {
	case dir == "":
		return broken("GenerateCopyFilePaths returned no %s directory", which)
	case !utf8.ValidString(dir), strings.ContainsFunc(dir, unicode.IsControl):
		return broken("GenerateCopyFilePaths returned a %s directory with NUL or control characters", which)
	case units(dir) > room:
		return broken("GenerateCopyFilePaths returned a %s directory of %d characters, where it had room for %d", which, units(dir), room)
	}
	return nil
}

// SpoolerCopyFileEvent calls the module. printer is the token of the printer's data;
// e.Printer is ignored.
func (m *Module) SpoolerCopyFileEvent(ctx context.Context, e pointprint.CopyFileEvent, printer string) error {
	_, err := m.client.SpoolerCopyFileEvent(ctx, &pointprintv1.SpoolerCopyFileEventRequest{
		PrinterName: e.PrinterName, Key: e.Key, Event: uint32(e.Event), Printer: printer,
	})
	return spoolgrpc.FromStatus(err)
}

func units(s string) int { return len(utf16.Encode([]rune(s))) + 1 }

func broken(format string, args ...any) error {
	return spoolerr.New(spoolerr.Internal, 0, "the module broke its contract: "+format, args...)
}
