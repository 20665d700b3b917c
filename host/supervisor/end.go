package supervisor

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pluginv1 "github.com/spoolhost/spoolhost/proto/spoolhost/plugin/v1"
)

// There are three ways to end a process. Stop is for one that works: it waits for what is
// under way. End is for one that hangs: the same steps, but short. Kill is for one that
// nobody needs any more, or that cannot be talked to.

// Kill ends the process and its group at once. reason is for the record.
func (p *Process) Kill(reason string) {
	p.setReason(reason)
	_ = p.run.Kill(context.Background())
}

func (p *Process) setReason(reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reason == "" {
		p.reason = reason
	}
}

// Stop ends the process in order: drain, SIGTERM, and SIGKILL after the grace or when
// ctx ends. It returns when the process is reaped.
func (p *Process) Stop(ctx context.Context, reason string) {
	p.setReason(reason)
	drain, cancel := context.WithTimeout(ctx, p.env.StopGrace)
	_, _ = pluginv1.NewPluginClient(p.conn).Drain(drain, &pluginv1.DrainRequest{})
	cancel()
	select {
	case <-p.Done():
		return
	default:
		p.run.terminate()
	}
	grace := time.NewTimer(p.env.StopGrace)
	defer grace.Stop()
	select {
	case <-p.Done():
		return
	case <-grace.C:
	case <-ctx.Done():
	}
	p.Kill(reason)
	<-p.Done()
}

// End ends a process that hangs: drain, SIGTERM to its group, SIGKILL, each after a short
// bound. It does not wait, and may be called again. From now on the process counts as
// ending: EndedByHost says so, and every call to it fails.
func (p *Process) End(reason string) {
	p.setReason(reason)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ending || p.over {
		return
	}
	p.ending = true
	drain := !p.settling // else a call is overdue, and to wait for it again would be in vain
	p.work.Go(func() { p.escalate(drain) })
}

func (p *Process) escalate(drain bool) {
	step := cmp.Or(p.env.EndStep, time.Second)
	if drain {
		ctx, cancel := context.WithTimeout(context.Background(), step)
		defer cancel()
		_, _ = pluginv1.NewPluginClient(p.conn).Drain(ctx, &pluginv1.DrainRequest{})
	}
	p.run.terminate()
	limit := time.NewTimer(step)
	defer limit.Stop()
	select {
	case <-p.Done():
	case <-limit.C:
		_ = p.run.Kill(context.Background())
	}
}

// gaveUp is told of a call that was cancelled or is past its deadline. If it does not end
// within the grace the module hangs, and the process is ended.
func (p *Process) gaveUp(method string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.over || p.reason != "":
	case p.settling:
		p.overdue = method
	default:
		p.settling = true
		p.work.Go(func() { p.settle(method) })
	}
}

// settle waits for calls that were given up, those too that come to it meanwhile.
func (p *Process) settle(method string) {
	for method != "" {
		if !p.settled() {
			p.End(fmt.Sprintf("%s did not react to cancellation within %v", method, p.grace))
			return
		}
		p.mu.Lock()
		method, p.overdue = p.overdue, ""
		p.settling = method != ""
		p.mu.Unlock()
	}
}

// settled asks the module whether the calls that were given up have ended. A module that
// cannot tell has the grace, and is ended: nobody knows what hangs in it.
func (p *Process) settled() bool {
	ctx, cancel := context.WithTimeout(context.Background(), p.grace)
	defer cancel()
	_, err := pluginv1.NewPluginClient(p.conn).Settle(ctx, &pluginv1.SettleRequest{})
	if err == nil {
		return true
	}
	if status.Code(err) == codes.Unimplemented {
		select {
		case <-p.Done():
		case <-ctx.Done():
		}
	}
	select {
	case <-p.Done():
		return true
	default:
		return false
	}
}

// cleanUp waits for the end and releases all that the process had.
func (p *Process) cleanUp() {
	defer close(p.done)
	<-p.connected
	if p.run.processID() != 0 {
		<-p.run.exited
	} else {
		p.run.box.end()
	}
	p.mu.Lock()
	p.over = true
	p.mu.Unlock()
	p.work.Wait()
	p.server.Stop()
	<-p.served
	p.closeClient()
	p.dialed.close()
	p.stdout.end()
	p.stderr.end()
	_ = p.run.image.Close() // if it was never launched
	p.env.Orphans.Forget(p.Incarnation)
	_ = os.RemoveAll(p.dir)
}

// closeClient lets go-plugin tidy up. Its Kill has no deadline of its own, and none is
// needed once the process is gone; the bound is for what we do not know.
func (p *Process) closeClient() {
	killed := make(chan struct{})
	go func() {
		defer close(killed)
		p.client.Kill()
	}()
	limit := time.NewTimer(10 * time.Second)
	defer limit.Stop()
	select {
	case <-killed:
	case <-limit.C:
	}
}

// EndedByHost says whether the host has ended the process, or is ending it, and why.
func (p *Process) EndedByHost() (reason string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reason, p.reason != ""
}
