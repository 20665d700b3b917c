//go:build linux

package hostile

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/job"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	hostservicev1 "github.com/spoolhost/spoolhost/proto/spoolhost/hostservice/v1"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// limitRows take more than there is for them.
func limitRows() []row {
	return []row{
		{name: "leaks memory", lives: 1, options: &apiv1.MonitorOptions{MemoryBytes: proto.Int64(256 << 20)},
			outcomes: []job.Outcome{job.Crashed, job.Sent}, event: eventlog.MonitorExited, says: "it had come to its memory limit of 256 MiB",
			do: on("WritePort", func(context.Context) error {
				for all := [][]byte{}; ; {
					all = append(all, bytes.Repeat([]byte{1}, 1<<20))
				}
			})},
		{name: "makes a million keys", outcomes: []job.Outcome{job.DeviceFailed}, event: eventlog.ModuleMisbehaves, says: "keys in its registry, its limit is 65536",
			do: attacking(func(ctx context.Context, m *module) tally {
				const deep = 24
				return m.makeKeys(ctx, 1_000_000/deep, func(i int) string { return fmt.Sprint(i, strings.Repeat(`\k`, deep-1)) })
			})},
		{name: "makes keys with long names", outcomes: []job.Outcome{job.DeviceFailed}, event: eventlog.ModuleMisbehaves, says: "bytes in its registry, its limit is",
			do: attacking(func(ctx context.Context, m *module) tally {
				return m.makeKeys(ctx, 1_000_000, func(i int) string { return fmt.Sprint(strings.Repeat("k", 240), i) })
			})},
		attack("writes a value of a gigabyte", "1 of 1 refused", func(ctx context.Context, m *module) (tally tally) {
			tally.add(m.sendHuge(ctx, 1<<30))
			return tally
		}),
	}
}

// makeKeys creates keys until it is refused.
func (m *module) makeKeys(ctx context.Context, times int, path func(int) string) (tally tally) {
	token, _, root := m.instance()
	many(times, func(i int) bool {
		r, err := m.registry().CreateKey(ctx, &hostservicev1.CreateKeyRequest{Spooler: token, Key: root, Path: path(i)})
		_, _ = m.registry().CloseKey(ctx, &hostservicev1.CloseKeyRequest{Spooler: token, Key: r.GetKey()})
		return err == nil
	})
	tally.add(status.Error(codes.ResourceExhausted, ""))
	return tally
}

// sendHuge sends a request of so many bytes as it comes, without the library that would
// hold it in memory. It fails as it should if the host refuses it having read next to
// nothing of it.
func (m *module) sendHuge(ctx context.Context, size int64) error {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", os.Getenv(wire.EnvHostAddr))
	}, Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	body := &counted{r: io.MultiReader(
		bytes.NewReader(binary.BigEndian.AppendUint32([]byte{0}, uint32(size))), io.LimitReader(endless{}, size))}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://host"+hostservicev1.MonitorRegistry_SetValue_FullMethodName, body)
	if err != nil {
		return nil
	}
	r.Header.Set("Content-Type", "application/grpc")
	r.Header.Set("Te", "trailers")
	reply, err := transport.RoundTrip(r)
	if err != nil {
		m.note("huge", "%v", err)
		return nil
	}
	_, _ = io.Copy(io.Discard, reply.Body)
	_ = reply.Body.Close()
	code := reply.Header.Get("Grpc-Status") + reply.Trailer.Get("Grpc-Status")
	const little = 16 << 20
	if m.note("huge", "%s after %d bytes", code, body.n.Load()); code == fmt.Sprint(int(codes.ResourceExhausted)) && body.n.Load() < little {
		return status.Error(codes.ResourceExhausted, "")
	}
	return nil
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

type counted struct {
	r io.Reader
	n atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}
