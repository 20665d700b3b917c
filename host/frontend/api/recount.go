package api

import (
	"context"
	"sync"
	"time"

	"github.com/spoolhost/spoolhost/host/cluster"
	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spool"
)

// recount gives spoolers the numbers of jobs that their owners have now: what is recorded is
// up to half a second old. It stands for an owner that does not answer at once.
func (s *spoolersServer) recount(ctx context.Context, view cluster.View, list []*apiv1.ClusterSpooler) {
	const atOnce = 300 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, atOnce)
	defer cancel()
	elsewhere := make(map[string]cluster.Member)
	for _, c := range list {
		if sp, err := s.spooler(c.GetName()); err == nil {
			c.Jobs = 0
			for _, n := range sp.Queue().States() {
				c.Jobs += uint32(n)
			}
		} else if _, m, owned := view.OwnerOf(c.GetName()); owned && m.Name != s.cfg.Cluster.Node.Name() {
			elsewhere[m.Name] = m
		}
	}
	if _, passedOn := ctx.Value(carriedKey{}).(caller); passedOn {
		return
	}
	var mu sync.Mutex
	jobs := make(map[string]uint32)
	var asking sync.WaitGroup
	for _, m := range elsewhere {
		asking.Go(func() {
			conn, err := s.cfg.Cluster.Dial(m)
			if err != nil {
				return
			}
			r, _ := apiv1.NewSpoolersClient(conn).ListSpoolers(passOn(ctx, callerOf(ctx).Caller), &apiv1.ListSpoolersRequest{})
			mu.Lock()
			defer mu.Unlock()
			for _, c := range r.GetClusterSpoolers() {
				if c.GetOwner() == m.Name {
					jobs[spool.Fold(c.GetName())] = c.GetJobs()
				}
			}
		})
	}
	asking.Wait()
	for _, c := range list {
		if n, told := jobs[spool.Fold(c.GetName())]; told {
			c.Jobs = n
		}
	}
}
