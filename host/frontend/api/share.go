package api

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"

	"github.com/spoolhost/spoolhost/host/eventlog"
	sharedigest "github.com/spoolhost/spoolhost/host/pointprint/digest"
	"github.com/spoolhost/spoolhost/host/pointprint/filepart"
	"github.com/spoolhost/spoolhost/host/share"
	"github.com/spoolhost/spoolhost/host/spooler"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

type shareServer struct {
	apiv1.UnimplementedShareServer
	*Server
	readers *readers
}

// share gives PRINT$ of a spooler.
func (s *Server) share(spoolerName string) (*share.Share, error) {
	sp, err := s.spooler(spoolerName)
	if err != nil {
		return nil, err
	}
	if sp.Share() == nil {
		return nil, spoolerr.New(spoolerr.Unsupported, 0, "spooler %s has no share PRINT$", spool.Quote(sp.Name()))
	}
	return sp.Share(), nil
}

// clientsOf gives the spoolers whose printers' files are in a share.
func (s *Server) clientsOf(sh *share.Share) (list []*spooler.Spooler) {
	for _, sp := range s.cfg.Spoolers() {
		if sp.Share() == sh {
			list = append(list, sp)
		}
	}
	return list
}

func (s *shareServer) StatFiles(ctx context.Context, r *apiv1.StatFilesRequest) (*apiv1.StatFilesResponse, error) {
	sh, err := s.share(r.GetSpooler())
	if err != nil {
		return nil, err
	}
	const most = 1000
	if len(r.GetPaths()) > most {
		return nil, spoolerr.New(spoolerr.Exhausted, 0, "%d files were asked for; the most is %d", len(r.GetPaths()), most)
	}
	resp := &apiv1.StatFilesResponse{}
	for _, path := range r.GetPaths() {
		f, err := sh.Stat(ctx, path)
		result := &apiv1.StatFileResult{Status: uint32(spoolerr.CodeOf(err))}
		switch {
		case err == nil:
			result.File = fileToProto(f)
		case !errors.Is(err, spoolerr.NotFound) && !errors.Is(err, spoolerr.CodeInvalidName):
			return nil, err
		}
		resp.Results = append(resp.Results, result)
	}
	return resp, nil
}

func (s *shareServer) ReadFile(r *apiv1.ReadFileRequest, stream grpc.ServerStreamingServer[apiv1.ReadFileResponse]) error {
	sh, err := s.share(r.GetSpooler())
	if err != nil {
		return err
	}
	reader, err := s.readers.enter(stream.Context())
	if err != nil {
		return err
	}
	defer reader.leave()
	content, f, err := sh.Open(stream.Context(), r.GetPath(), r.GetDigest())
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }()
	part, err := section(content, f, r)
	if err != nil {
		return err
	}
	for message, left := (&filepart.Part{File: fileToProto(f)}), part.Size(); message.File != nil || left > 0; message = new(filepart.Part) {
		if err := reader.turn(stream.Context()); err != nil {
			return err
		}
		data := reader.next(left)
		if _, err := io.ReadFull(part, data.ReadOnlyData()); err != nil {
			return spoolerr.As(err, spoolerr.Corrupt, "file %s cannot be read to its end", spool.Quote(f.Path))
		}
		left -= int64(data.Len())
		message.Data = mem.BufferSlice{data}
		if err := reader.send(func() error { return stream.SendMsg(message) }); err != nil {
			return err
		}
	}
	return nil
}

// section gives the part of a file that a client asks for; a length of 0 is all the rest.
func section(content io.ReaderAt, f share.File, r *apiv1.ReadFileRequest) (*io.SectionReader, error) {
	from, length := r.GetOffset(), r.GetLength()
	if from < 0 || length < 0 || from > f.Size {
		return nil, spoolerr.New(spoolerr.Invalid, 0, "file %s has %d bytes; there is nothing at %d", spool.Quote(f.Path), f.Size, from)
	}
	if rest := f.Size - from; length == 0 || length > rest {
		length = rest
	}
	return io.NewSectionReader(content, from, length), nil
}

func (s *shareServer) ListFiles(ctx context.Context, r *apiv1.ListFilesRequest) (*apiv1.ListFilesResponse, error) {
	sh, err := s.share(r.GetSpooler())
	if err != nil {
		return nil, err
	}
	list, err := sh.List(ctx, r.GetDirectory())
	return &apiv1.ListFilesResponse{Files: convertAll(list, fileToProto)}, err
}

func (s *shareServer) PutFile(stream grpc.ClientStreamingServer[apiv1.PutFileRequest, apiv1.PutFileResponse]) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	start := first.GetStart()
	sh, err := s.share(start.GetSpooler())
	if err != nil {
		return err
	}
	if start == nil {
		return spoolerr.New(spoolerr.Invalid, 0, "the first message must say which file this is")
	}
	ctx := stream.Context()
	blob, err := sh.Store(ctx, &chunks{next: func() ([]byte, error) {
		m, err := stream.Recv()
		return m.GetData(), err
	}}, start.GetSize())
	if err != nil {
		return err
	}
	defer blob.Release(ctx)
	f, err := sh.Put(ctx, start.GetPath(), blob)
	if err != nil {
		return err
	}
	s.shareEvent(eventlog.ShareFileAdded, f.Path, "was put into PRINT$ by "+callerOf(ctx).Name+", "+sharedigest.Name+" "+f.Digest)
	s.filesChanged(ctx, sh, f.Path, "")
	return stream.SendAndClose(&apiv1.PutFileResponse{File: fileToProto(f)})
}

func (s *Server) shareEvent(id eventlog.ID, path, what string) {
	s.cfg.Events.Add(eventlog.Event{ID: id, Object: eventlog.Host, Name: path, Text: "file " + spool.Quote(path) + " " + what})
}

// filesChanged has clients of the printers concerned come and look. That it fails loses
// nothing: they see the file's digest at their next refresh.
func (s *Server) filesChanged(ctx context.Context, sh *share.Share, path, driver string) {
	for _, sp := range s.clientsOf(sh) {
		_ = sp.FilesChanged(context.WithoutCancel(ctx), path, driver)
	}
}

func (s *shareServer) RemoveFile(ctx context.Context, r *apiv1.RemoveFileRequest) (*apiv1.RemoveFileResponse, error) {
	sh, err := s.share(r.GetSpooler())
	if err != nil {
		return nil, err
	}
	err = sh.Remove(ctx, r.GetPath(), func(f share.File) error {
		for _, sp := range s.clientsOf(sh) {
			if err := sp.FileInUse(ctx, f.Path); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		s.shareEvent(eventlog.ShareFileRemoved, r.GetPath(), "was removed from PRINT$ by "+callerOf(ctx).Name)
	}
	return &apiv1.RemoveFileResponse{}, err
}

func fileToProto(f share.File) *apiv1.ShareFile {
	return &apiv1.ShareFile{Path: f.Path, Size: f.Size, Digest: f.Digest, ModifiedAt: stamp(f.Modified)}
}

// chunks reads what comes in messages.
type chunks struct {
	next func() ([]byte, error)
	rest []byte
}

func (c *chunks) Read(b []byte) (int, error) {
	for len(c.rest) == 0 {
		data, err := c.next()
		if err != nil {
			return 0, err
		}
		c.rest = data
	}
	n := copy(b, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}
