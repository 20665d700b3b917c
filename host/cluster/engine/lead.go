package engine

import (
	"context"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// election gives etcd's times in milliseconds: how often the leader is heard of, and how
// long a silence is that another is elected after. Nothing is accepted meanwhile, so it is a
// tenth of the lease: etcd's own 1 s would be a fifth of the usual one, and below 500 ms a
// busy machine elects for nothing. Networks that need more have longer leases anyway.
func election(lease time.Duration) (tick, timeout uint) {
	const least, most, part = 500 * time.Millisecond, 5 * time.Second, 10
	t := min(max(lease/part, least), most)
	return uint((t / part).Milliseconds()), uint(t.Milliseconds())
}

// leadTick is how often the leader looks at who takes part, and who should lead.
const leadTick = 500 * time.Millisecond

// LeaderChanged gives a channel that is closed when there is another leader; nil if nobody
// tells.
func (e *Engine) LeaderChanged() func() <-chan struct{} {
	if e.member == nil {
		return nil
	}
	return e.member.Server.LeaderChangedNotify
}

// Run lets members that have joined take part in decisions as soon as they are up to date,
// and has the one lead that should, until ctx ends. It fails when the member has ended by
// itself.
func (e *Engine) Run(ctx context.Context) error {
	if e.member == nil {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(leadTick)
	defer tick.Stop()
	var better wish
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-e.member.Err():
			return spoolerr.As(err, spoolerr.Unavailable, "cluster: the etcd member has ended")
		case <-e.member.Server.StoppingNotify():
			return e.removed // the one thing for which a member ends by itself
		case <-tick.C:
			if e.member.Server.Leader() == e.member.Server.MemberID() { // only it can
				e.promote(ctx)
				e.yield(ctx, &better)
			}
		}
	}
}

// promote makes voters of learners.
func (e *Engine) promote(ctx context.Context) {
	for _, m := range e.member.Server.Cluster().Members() {
		if m.IsLearner && m.Name != "" {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			_, err := e.Client.MemberPromote(ctx, uint64(m.ID))
			cancel()
			if err == nil {
				e.logger.Info("a node takes part in the cluster's decisions", "node", m.Name)
			}
		}
	}
}

// wish is who should lead, and how often in turn it was found so.
type wish struct {
	node  string
	times int
	rest  int // how often it is not even looked at
}

// After the lead was given away, or could not be, it stays where it is for a minute, or
// ten: giving it away must never become the cause of the next time.
const (
	restGiven  = int(time.Minute / leadTick)
	restFailed = 10 * restGiven
)

// again says that the same node was wished often enough, for ten seconds: while the lead
// goes, up to the time of an election, nothing is committed, and leases are not renewed. It
// is not for times in which nodes come and go.
func (w *wish) again(node string) bool {
	const enough = int(10 * time.Second / leadTick)
	if w.rest > 0 {
		w.rest--
		return false
	}
	if w.node != node {
		*w = wish{node: node}
	}
	w.times++
	return node != "" && w.times >= enough
}

// yield gives the lead to the node that should have it. If it cannot, this one keeps it.
func (e *Engine) yield(ctx context.Context, better *wish) {
	if e.lead == nil || !better.again(e.lead()) {
		return
	}
	to := better.node
	*better = wish{rest: restGiven}
	for _, m := range e.member.Server.Cluster().Members() {
		if m.IsLearner || spool.Fold(m.Name) != spool.Fold(to) {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		_, err := e.Client.MoveLeader(ctx, uint64(m.ID))
		cancel()
		if err != nil {
			better.rest = restFailed
			e.logger.Warn("the etcd member of this node leads on: it could not give the lead away", "to", m.Name, "error", err)
			return
		}
		e.logger.Info("the etcd member of another node leads now, which owns fewer spoolers", "node", m.Name)
	}
}
