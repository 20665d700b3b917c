package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/spoolhost/spoolhost/host/frontend/access"
	"github.com/spoolhost/spoolhost/host/hosttest/poll"
	"github.com/spoolhost/spoolhost/host/share"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/spoolerr/spoolgrpc"
)

const volume = `Color\a.bin`

// library is an API with one file in its share, and readers of a test's own.
type library struct {
	*bench
	content []byte
	client  apiv1.ShareClient
	idle    apiv1.ShareClient // of one who takes 64 KiB of what he has not read
}

func newLibrary(t *testing.T, r *readers) *library {
	t.Helper()
	l := &library{bench: newBench(t), content: bytes.Repeat([]byte("0123456789abcdef"), 1<<20/16)}
	blob, err := l.spooler.Share().Store(t.Context(), bytes.NewReader(l.content), int64(len(l.content)))
	l.must(err)
	_, err = l.spooler.Share().Put(t.Context(), volume, blob)
	l.must(err)
	cfg := l.server.cfg
	cfg.readers = r
	s := newServer(cfg, &peerCredentials{Identifier: access.Identifier{LookupUID: func(net.Conn) (int64, error) { return root, nil }}})
	socket, err := net.Listen("unix", filepath.Join(l.dir, "library"))
	l.must(err)
	var served sync.WaitGroup
	served.Go(func() { _ = s.Serve(socket) })
	t.Cleanup(func() {
		at, cancel := context.WithTimeout(context.Background(), poll.Patience)
		defer cancel()
		s.Close(at)
		served.Wait()
	})
	l.client, l.idle = l.dial(socket.Addr()), l.dial(socket.Addr(), grpc.WithInitialWindowSize(64<<10), grpc.WithInitialConnWindowSize(1<<20))
	return l
}

func (l *library) dial(to net.Addr, options ...grpc.DialOption) apiv1.ShareClient {
	conn, err := grpc.NewClient("unix:"+to.String(), append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	l.must(err)
	l.Cleanup(func() { _ = conn.Close() })
	return apiv1.NewShareClient(conn)
}

// read reads the file, as often as it is cut off.
func (l *library) read(ctx context.Context) (got []byte, err error) {
	for {
		stream, err := l.client.ReadFile(ctx, &apiv1.ReadFileRequest{Path: volume, Offset: int64(len(got))})
		more, err := l.rest(stream, err)
		got = append(got, more...)
		if spoolerr.KindOf(err) != spoolerr.TimedOut || ctx.Err() != nil {
			return got, err
		}
	}
}

func (l *library) rest(stream grpc.ServerStreamingClient[apiv1.ReadFileResponse], err error) (got []byte, _ error) {
	for err == nil {
		var m *apiv1.ReadFileResponse
		m, err = stream.Recv()
		got = append(got, m.GetData()...)
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return got, spoolgrpc.FromStatus(err)
}

// TestReadersTakeTurns: clients that take nothing hold up nobody, and are cut off; many more
// than have room at once get what they ask for.
func TestReadersTakeTurns(t *testing.T) {
	shelf := newReaders(2, 50*time.Millisecond, 500*time.Millisecond)
	l := newLibrary(t, shelf)
	ctx, cancel := context.WithTimeout(t.Context(), 2*poll.Patience)
	defer cancel()
	var idle []grpc.ServerStreamingClient[apiv1.ReadFileResponse]
	for range 6 {
		stream, err := l.idle.ReadFile(ctx, &apiv1.ReadFileRequest{Path: volume})
		l.must(err)
		_, err = stream.Recv()
		l.must(err)
		idle = append(idle, stream)
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if got, err := l.read(ctx); err != nil || !bytes.Equal(got, l.content) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
	all.Wait()
	l.until("the idle ones are cut off", func() bool { return shelf.all.Load() == 0 })
	for i, stream := range idle {
		if got, err := l.rest(stream, nil); spoolerr.KindOf(err) != spoolerr.TimedOut {
			t.Errorf("idle client %d: %d bytes, %v", i, len(got), err)
		}
	}
}

// FuzzReadFile: a client gets the range that it asks for, or a clear refusal.
func FuzzReadFile(f *testing.F) {
	const size = 1000
	for _, seed := range [][2]int64{{0, 0}, {0, 10}, {990, 100}, {1000, 0}, {1001, 0}, {-1, 5}, {5, -1}, {1 << 62, 1 << 62}, {-1 << 63, -1 << 63}} {
		f.Add(seed[0], seed[1])
	}
	content := bytes.Repeat([]byte("0123456789"), size/10)
	f.Fuzz(func(t *testing.T, offset, length int64) {
		part, err := section(bytes.NewReader(content), share.File{Size: size}, &apiv1.ReadFileRequest{Offset: offset, Length: length})
		if err != nil {
			if spoolerr.KindOf(err) != spoolerr.Invalid || offset >= 0 && offset <= size && length >= 0 {
				t.Errorf("(%d, %d): %v", offset, length, err)
			}
			return
		}
		got, err := io.ReadAll(part)
		end := int64(size)
		if length > 0 && length < size-offset {
			end = offset + length
		}
		if err != nil || !bytes.Equal(got, content[offset:end]) {
			t.Errorf("(%d, %d): %q, %v", offset, length, got, err)
		}
	})
}
