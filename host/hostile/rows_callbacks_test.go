//go:build linux

package hostile

import (
	"context"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/spoolhost/spoolhost/host/eventlog"
	"github.com/spoolhost/spoolhost/host/hosttest/poll"
	"github.com/spoolhost/spoolhost/host/job"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	hostservicev1 "github.com/spoolhost/spoolhost/proto/spoolhost/hostservice/v1"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// callbackRows turn on the host itself, most of them while a document is being written.
// The module tells what it achieved by the error of WritePort.
func callbackRows() []row { return slices.Concat(forgeryRows(), excessRows()) }

// forgeryRows say what is not theirs to say.
func forgeryRows() []row {
	return []row{
		attack("forges registry handles", "1004 of 1004 refused", func(ctx context.Context, m *module) (tally tally) {
			token, _, root := m.instance()
			for away := range uint64(1003) { // the root is its own
				_, err := m.registry().OpenKey(ctx, &hostservicev1.OpenKeyRequest{Spooler: token, Key: root + 1 + away})
				tally.add(err)
			}
			_, err := m.registry().QueryInfoKey(ctx, &hostservicev1.QueryInfoKeyRequest{Spooler: token, Key: math.MaxUint64})
			tally.add(err)
			return tally
		}),
		attack("leaves its own registry", "5 of 5 refused", func(ctx context.Context, m *module) (tally tally) {
			token, _, root := m.instance()
			for _, path := range []string{`..\Good`, `..`, `\Monitors\Good`, `a\..\..`, "a\x00b"} {
				_, err := m.registry().OpenKey(ctx, &hostservicev1.OpenKeyRequest{Spooler: token, Key: root, Path: path})
				tally.add(err)
			}
			return tally
		}),
		attack("forges tokens", "4 of 4 refused", func(ctx context.Context, m *module) (tally tally) {
			_, id, root := m.instance()
			for _, token := range []string{"", "x", strings.Repeat("A", 1<<20), "AAAAAAAAAAAAAAAAAAAAAAAAAA"} {
				_, err := m.registry().QueryInfoKey(ctx, &hostservicev1.QueryInfoKeyRequest{Spooler: token, Key: root})
				if err != nil {
					_, err = m.spooler().SetJob(ctx, &hostservicev1.SetJobRequest{Spooler: token, JobId: id})
				}
				tally.add(err)
			}
			return tally
		}),
		attack("uses the token of another instance", "3 of 3 refused", func(ctx context.Context, m *module) (tally tally) {
			_, id, root := m.instance()
			other, err := os.ReadFile(filepath.Join(m.dir, "..", neighbour, "token"))
			if err != nil || len(other) == 0 {
				return tally
			}
			_, err = m.registry().QueryInfoKey(ctx, &hostservicev1.QueryInfoKeyRequest{Spooler: string(other), Key: root})
			tally.add(err)
			_, err = m.spooler().SetJob(ctx, &hostservicev1.SetJobRequest{Spooler: string(other), JobId: id, Control: uint32(spool.JobControlSentToPrinter)})
			tally.add(err)
			_, err = m.spooler().SetPort(ctx, &hostservicev1.SetPortRequest{Spooler: string(other), Port: neighbour, Text: "on fire", Severity: uint32(spool.SeverityInfo)})
			tally.add(err)
			return tally
		}),
		attack("reports jobs of others", "502 of 502 refused", func(ctx context.Context, m *module) (tally tally) {
			_, own, _ := m.instance()
			for away := uint64(1); away <= 250; away++ {
				tally.add(m.setJob(ctx, own-away))
				tally.add(m.setJob(ctx, own+away))
			}
			tally.add(m.setJob(ctx, math.MaxUint64))
			tally.add(m.setJob(ctx, 1<<63))
			return tally
		}),
		attack("speaks for ports of others", "4 of 4 refused", func(ctx context.Context, m *module) (tally tally) {
			for _, port := range []string{goodName, "", "no such port", "x\x1b[31m"} {
				tally.add(m.setPort(ctx, port, "on fire"))
			}
			return tally
		}),
		attack("gives unknown controls and severities", "2 of 2 refused", func(ctx context.Context, m *module) (tally tally) {
			token, id, _ := m.instance()
			_, err := m.spooler().SetJob(ctx, &hostservicev1.SetJobRequest{Spooler: token, JobId: id, Control: math.MaxUint32})
			tally.add(err)
			_, err = m.spooler().SetPort(ctx, &hostservicev1.SetPortRequest{Spooler: token, Port: m.name, Severity: 99})
			tally.add(err)
			return tally
		}),
	}
}

// excessRows take more than their share, or after their time.
func excessRows() []row {
	return []row{
		attack("writes a value of 64 MB", "1 of 1 refused", func(ctx context.Context, m *module) (tally tally) {
			tally.add(m.setValue(ctx, "huge", 64<<20))
			return tally
		}),
		{name: "writes many values of a megabyte", outcomes: []job.Outcome{job.DeviceFailed}, event: eventlog.ModuleMisbehaves, says: "bytes in its registry, its limit is",
			do: attacking(func(ctx context.Context, m *module) (tally tally) {
				for i := range 50 {
					tally.add(m.setValue(ctx, fmt.Sprint(i), 1<<20))
				}
				return tally
			})},
		{name: "opens keys and closes none", outcomes: []job.Outcome{job.DeviceFailed}, event: eventlog.ModuleMisbehaves, says: "registry keys open, its limit",
			do: attacking(func(ctx context.Context, m *module) (tally tally) {
				token, _, root := m.instance()
				many(1_000_000, func(int) bool {
					_, err := m.registry().OpenKey(ctx, &hostservicev1.OpenKeyRequest{Spooler: token, Key: root})
					return err == nil
				})
				tally.add(status.Error(codes.ResourceExhausted, ""))
				return tally
			})},
		flooding("calls SetPort without end", func(ctx context.Context, m *module, i int) { _ = m.setPort(ctx, m.name, fmt.Sprint("condition ", i)) }),
		flooding("calls SetJob without end", func(ctx context.Context, m *module, i int) { _ = m.setJob(ctx, uint64(i)) }),
		flooding("writes to its registry without end", func(ctx context.Context, m *module, i int) { _ = m.setValue(ctx, "v", i%1000) }),
		{name: "opens a thousand connections", outcomes: sent, do: func(m *module) {
			m.before["StartDocPort"] = func(context.Context) error {
				for range 1000 {
					if c, err := net.Dial("unix", os.Getenv(wire.EnvHostAddr)); err == nil {
						_, _ = c.Write(junk(100))
					}
				}
				return nil
			}
		}},
		{name: "calls after its Shutdown", lives: 1, outcomes: sent, options: &apiv1.MonitorOptions{KillGrace: durationpb.New(poll.Patience)}, do: func(m *module) {
			m.before["Drain"] = func(ctx context.Context) error {
				var tally tally
				token, id, root := m.instance()
				tally.add(m.setJob(ctx, id))
				tally.add(m.setPort(ctx, m.name, "still here"))
				tally.add(m.setValue(ctx, "late", 1))
				_, err := m.registry().CreateKey(ctx, &hostservicev1.CreateKeyRequest{Spooler: token, Key: root, Path: "late"})
				tally.add(err)
				m.note("late", "%v", tally)
				return nil
			}
		}, finally: func(t *testing.T, dir string) {
			if got, _ := os.ReadFile(filepath.Join(dir, "late")); string(got) != "4 of 4 refused" {
				t.Errorf("after Shutdown: %q", got)
			}
		}},
	}
}

// tally counts calls that must not succeed.
type tally struct{ refused, tried int }

func (t *tally) add(err error) {
	t.tried++
	if err != nil {
		t.refused++
	}
}

func (t tally) String() string { return fmt.Sprintf("%d of %d refused", t.refused, t.tried) }

func attacking(do func(context.Context, *module) tally) func(*module) {
	return func(m *module) {
		m.before["WritePort"] = func(ctx context.Context) error {
			return status.Error(codes.Aborted, do(ctx, m).String())
		}
	}
}

// attack fails the document, and says how many calls were refused.
func attack(name, says string, do func(context.Context, *module) tally) row {
	return row{name: name, do: attacking(do), outcomes: []job.Outcome{job.DeviceFailed}, event: eventlog.JobAttemptEnded, says: says}
}

// flooding calls the host from 64 goroutines for as long as it lives, and prints.
func flooding(name string, call func(context.Context, *module, int)) row {
	return row{name: name, outcomes: sent, do: func(m *module) {
		m.then["EnumPorts"] = func() {
			many(1<<40, func(i int) bool {
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				call(ctx, m, i)
				return true
			})
		}
	}}
}

// many calls do from 64 goroutines until it says no, so many times at most.
func many(times int, do func(i int) bool) {
	var all sync.WaitGroup
	next := make(chan int)
	stop := make(chan struct{})
	var once sync.Once
	for range 64 {
		all.Go(func() {
			for i := range next {
				if !do(i) {
					once.Do(func() { close(stop) })
				}
			}
		})
	}
	for i := range times {
		select {
		case next <- i:
			continue
		case <-stop:
		}
		break
	}
	close(next)
	all.Wait()
}

func (m *module) setValue(ctx context.Context, name string, size int) error {
	token, _, root := m.instance()
	_, err := m.registry().SetValue(ctx, &hostservicev1.SetValueRequest{
		Spooler: token, Key: root, Values: []*hostservicev1.Value{{Name: name, Type: 3, Data: make([]byte, size)}},
	}, grpc.MaxCallSendMsgSize(math.MaxInt32))
	return err
}
