package etcd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/spoolhost/spoolhost/host/store"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

const (
	firstPause = 2 * time.Millisecond
	longest    = 250 * time.Millisecond
)

// pause waits before the next attempt: longer each time, and never the same, so that two
// writers in conflict part. It says false if ctx ended.
func pause(ctx context.Context, attempt int) bool {
	most := min(firstPause<<min(attempt, 10), longest)
	timer := time.NewTimer(time.Duration(mathrand.Int64N(int64(most))) + most/4) //nolint:gosec // no secret
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}

// answerTime is how long a question waits that is asked for the first time, and then twice as
// long each time: what was on its way to a leader that died or gives the lead away is never
// answered, and etcd itself waits seven seconds for it. Two of these are in a renewal's time.
// It is no shorter, since a disk that is slow for a moment would get every write twice.
func answerTime(asked int) time.Duration {
	const first, most = 500 * time.Millisecond, 2 * time.Second
	return min(first<<min(asked, 2), most)
}

// errUnanswered: nobody has answered, who may later.
var errUnanswered = errors.New("etcd has not answered yet")

// ask asks once, after so many times in vain, and no longer than it may take: what is asked can be asked again. A leader
// that is new knows nothing of what the former one was asked.
func (s *Store) ask(ctx context.Context, asked int, question func(context.Context) error) error {
	one, cancel := context.WithTimeout(ctx, answerTime(asked))
	var waiting sync.WaitGroup
	defer waiting.Wait()
	defer cancel()
	if s.elected != nil {
		elected := s.elected()
		waiting.Go(func() {
			select {
			case <-elected:
				cancel()
			case <-one.Done():
			}
		})
	}
	err := question(one)
	if err != nil && one.Err() != nil && ctx.Err() == nil {
		return errUnanswered
	}
	return err
}

// asked asks until there is an answer, or ctx ends.
func (s *Store) asked(ctx context.Context, question func(context.Context) error) error {
	for attempt := 0; ; attempt++ {
		err := s.ask(ctx, attempt, question)
		if err == nil || !transient(err) || !pause(ctx, attempt) {
			return err
		}
	}
}

// codeOf gives the gRPC code of an error of the client.
func codeOf(err error) codes.Code {
	var known rpctypes.EtcdError
	if errors.As(err, &known) {
		return known.Code()
	}
	return status.Code(err)
}

// transient says that the same request may be answered in a moment.
func transient(err error) bool {
	if errors.Is(err, errUnanswered) || dropped(err) {
		return true
	}
	if err == nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return false
	}
	switch codeOf(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Aborted:
		return true
	case codes.ResourceExhausted:
		return errors.Is(err, rpctypes.ErrTooManyRequests)
	}
	return false
}

// dropped says that the leader was just about to be another, and took nothing. etcd has no
// code for that.
func dropped(err error) bool {
	return err != nil && strings.Contains(err.Error(), "raft proposal dropped")
}

func tooMany(err error) bool { return errors.Is(err, rpctypes.ErrTooManyOps) }

// failure is the boundary where errors of etcd become spoolerr's.
func (s *Store) failure(err error) error {
	var known *spoolerr.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case errors.Is(err, errStale):
		return spoolerr.As(err, spoolerr.Busy, "%s: others kept changing what the transaction read; retry it", s.name)
	case errors.Is(err, context.Canceled):
		return spoolerr.Wrap(err, "%s was not asked to the end", s.name)
	case errors.Is(err, rpctypes.ErrNoSpace):
		return spoolerr.As(err, spoolerr.NoSpace, "%s is full; compact and defragment it, then disarm its alarm (etcdctl alarm disarm)", s.name)
	case errors.Is(err, context.DeadlineExceeded), transient(err):
		return spoolerr.As(err, spoolerr.Unavailable,
			"%s cannot be reached or has no quorum; retry later, and see that more than half of its members run", s.name)
	}
	switch codeOf(err) {
	case codes.PermissionDenied, codes.Unauthenticated:
		return spoolerr.As(err, spoolerr.Denied, "%s does not let us in; check user, password and certificate in the cluster block", s.name)
	case codes.InvalidArgument, codes.ResourceExhausted:
		return spoolerr.As(err, spoolerr.Exhausted, "%s takes no transaction of this size; do it in parts", s.name)
	}
	return spoolerr.As(err, spoolerr.Unavailable, "%s failed; look into its log", s.name)
}

// unknown is the failure of a commit. Where it may have taken place all the same, the
// error says so.
func (s *Store) unknown(ctx context.Context, err error) error {
	if ctx.Err() == nil && !transient(err) && !errors.Is(err, context.DeadlineExceeded) {
		return s.failure(err)
	}
	return spoolerr.As(fmt.Errorf("%w: %w", store.ErrUnknown, err), spoolerr.Unavailable,
		"%s cannot be reached or has no quorum; retry later, and see that more than half of its members run", s.name)
}

// lifeID tells this use of a store from every other.
func lifeID() string {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 62))
	if err != nil {
		return time.Now().Format(time.RFC3339Nano)
	}
	return n.Text(36)
}
