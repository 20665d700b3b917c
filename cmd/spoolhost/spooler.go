package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func newSpoolerCommand(opts *options) *cobra.Command {
	return newGroupCommand("spooler", "Make cluster spoolers, and move them between nodes",
		`A cluster spooler is a virtual print server: printers, ports and jobs under one name, owned by
one node at a time. When that node is drained, stopped or dies, another takes it with all that it
has. Any node answers for it: name it by --spooler in the commands for printers, ports, jobs and
the rest.`,
		`  spoolhost spooler create NTPRINT --preferred-owners n1,n2
  spoolhost printer add Office --port IP_10.0.0.5 --spooler NTPRINT
  spoolhost spooler move NTPRINT --to n2 --wait`,
		newSpoolerCreateCommand(opts), newSpoolerListCommand(opts), newSpoolerShowCommand(opts),
		newSpoolerMoveCommand(opts), newSpoolerDeleteCommand(opts))
}

func newSpoolerCreateCommand(opts *options) *cobra.Command {
	var preferred []string
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a cluster spooler",
		Long: `Make a cluster spooler. It is taken at once by the first of its preferred owners that is there,
else by the node with the fewest. A preferred owner that comes back does not get it back by itself:
move it. Only administrators may do this.`,
		Example: `  spoolhost spooler create NTPRINT
  spoolhost spooler create LABELS --preferred-owners n2,n3`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: withHost(opts, func(ctx context.Context, c *call, cmd *cobra.Command, args []string) error {
			resp, err := c.CreateSpooler(ctx, &apiv1.CreateSpoolerRequest{Name: args[0], PreferredOwners: preferred})
			if err != nil {
				return err
			}
			for _, n := range resp.GetNotices() {
				fmt.Fprintf(cmd.ErrOrStderr(), "notice: %s\n", clean(n))
			}
			return c.out.object(resp.GetClusterSpooler(), func(b *strings.Builder) {
				fmt.Fprintf(b, "spooler %s created; see spoolhost spooler show %s\n", clean(args[0]), clean(args[0]))
			})
		}),
	}
	cmd.Flags().StringSliceVar(&preferred, "preferred-owners", nil, "nodes that are to own it, the best first")
	completeFlag(cmd, "preferred-owners", complete(opts, 0, nodeNames))
	return cmd
}

func newSpoolerListCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the cluster spoolers",
		Long:  `List the cluster's spoolers: who owns each, how it stands and what it has.`,
		Example: `  spoolhost spooler list
  spoolhost spooler list -o json | jq -r '.[] | select(.missing > 0) | .name'`,
		Args: cobra.NoArgs, ValidArgsFunction: cobra.NoFileCompletions,
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, _ []string) error {
			resp, err := c.ListSpoolers(ctx, &apiv1.ListSpoolersRequest{})
			if err != nil {
				return err
			}
			return list(c.out, resp.GetClusterSpoolers(), "no cluster spoolers",
				[]string{"SPOOLER", "STATE", "OWNER", "EPOCH", "PRINTERS", "MISSING", "JOBS", "PREFERRED"}, func(s *apiv1.ClusterSpooler) []string {
					return []string{
						s.GetName(), s.GetState(), s.GetOwner(), fmt.Sprint(s.GetEpoch()), fmt.Sprint(s.GetPrinters()),
						fmt.Sprint(s.GetMissing()), fmt.Sprint(s.GetJobs()), strings.Join(s.GetPreferredOwners(), ", "),
					}
				})
		}),
	}
}

func newSpoolerShowCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME",
		Short: "Show a cluster spooler and its last move",
		Long:  `Show who owns a cluster spooler, what is missing of it and why, and its last move step by step.`,
		Example: `  spoolhost spooler show NTPRINT
  spoolhost spooler show NTPRINT -o json | jq -r .owner`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: complete(opts, 1, clusterSpoolerNames),
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			resp, err := c.GetSpooler(ctx, &apiv1.GetSpoolerRequest{Name: args[0]})
			if err != nil {
				return err
			}
			return c.out.object(resp.GetClusterSpooler(), func(b *strings.Builder) { showSpooler(b, resp.GetClusterSpooler()) })
		}),
	}
}

func showSpooler(b *strings.Builder, sp *apiv1.ClusterSpooler) {
	var s sheet
	s.add("spooler", sp.GetName())
	s.add("state", sp.GetState())
	s.add("owner", sp.GetOwner())
	if sp.GetOwner() != "" {
		s.add("epoch", fmt.Sprintf("%d, since %s", sp.GetEpoch(), localTime(sp.GetOwnedSince())))
	}
	s.add("preferred", strings.Join(sp.GetPreferredOwners(), ", "))
	s.add("printers", fmt.Sprint(sp.GetPrinters()))
	if sp.GetMissing() > 0 {
		s.add("missing", fmt.Sprintf("%d of the printers", sp.GetMissing()))
	}
	s.add("jobs", fmt.Sprint(sp.GetJobs()))
	s.write(b)
	if len(sp.GetProblems()) > 0 {
		b.WriteString("\nProblems:\n")
	}
	for _, p := range sp.GetProblems() {
		b.WriteString("  - " + clean(p) + "\n")
	}
	if m := sp.GetMove(); m != nil {
		fmt.Fprintf(b, "\nLast move, from %s to %s, %s:\n", clean(m.GetFrom()), nodeText(m.GetTo()), clean(m.GetReason()))
		last := stepPrinter{printed: make(map[string]bool)}
		last.print(b, m)
	}
}

// nodeText is a node that a spooler goes to, or none that is known.
func nodeText(node string) string { return cmp.Or(clean(node), "another node") }

// stepPrinter prints the steps of a move as they come.
type stepPrinter struct {
	printed map[string]bool
	waits   string
	began   time.Time
}

func (p *stepPrinter) print(b *strings.Builder, m *apiv1.SpoolerMove) {
	p.began = m.GetAskedAt().AsTime()
	for _, s := range m.GetSteps() {
		key := fmt.Sprintln(s.GetName(), s.GetNode(), s.GetAt().AsTime().UnixNano()) // one may come late, between others
		if p.printed[key] {
			continue
		}
		p.printed[key] = true
		fmt.Fprintf(b, "%9s  %-17s  %-12s  %s\n", p.since(s.GetAt().AsTime()), clean(s.GetName()), clean(s.GetNode()), clean(s.GetText()))
	}
	if w := m.GetWaitsFor(); w != "" && w != p.waits {
		fmt.Fprintf(b, "%9s  waits for %s\n", "", clean(w))
	}
	p.waits = m.GetWaitsFor()
	if m.GetFailure() != "" {
		fmt.Fprintf(b, "           %s\n", clean(m.GetFailure()))
	}
}

// since gives the time from the beginning; nodes' clocks differ, and so it may be negative.
func (p *stepPrinter) since(at time.Time) string {
	return fmt.Sprintf("%+.3fs", at.Sub(p.began).Seconds())
}

func newSpoolerMoveCommand(opts *options) *cobra.Command {
	var req apiv1.MoveSpoolerRequest
	cmd := &cobra.Command{
		Use:   "move NAME",
		Short: "Move a cluster spooler to another node",
		Long: `Move a cluster spooler in order: no new document starts, running ones complete or fail within
the resource time-out, monitors are shut down, and the other node brings it online. Jobs are taken
all the time. The other node must have the monitors of its printers, with the same digests; with
--force it is moved all the same, and printers are missing there until it has.
With --wait the steps are shown with their times. A command that ends does not end the move.
Only administrators may do this.`,
		Example: `  spoolhost spooler move NTPRINT
  spoolhost spooler move NTPRINT --to n2 --wait --timeout 5m`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: complete(opts, 1, clusterSpoolerNames),
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			req.Name = args[0]
			return moveSpooler(ctx, c, &req)
		}),
	}
	cmd.Flags().StringVar(&req.To, "to", "", "the node that is to own it (default the best one)")
	cmd.Flags().BoolVar(&req.Wait, "wait", false, "wait until it is over, and show its steps")
	cmd.Flags().BoolVar(&req.Force, "force", false, "also to a node that lacks monitors, where printers will be missing")
	completeFlag(cmd, "to", complete(opts, 0, nodeNames))
	return cmd
}

func moveSpooler(ctx context.Context, c *call, req *apiv1.MoveSpoolerRequest) error {
	stream, err := c.MoveSpooler(ctx, req)
	var m *apiv1.SpoolerMove
	steps := stepPrinter{printed: make(map[string]bool)}
	for err == nil {
		var resp *apiv1.MoveSpoolerResponse
		if resp, err = stream.Recv(); err != nil {
			break
		}
		m = resp.GetMove()
		if req.GetWait() && !c.out.json {
			var b strings.Builder
			steps.print(&b, m)
			if err := c.out.text(&b); err != nil {
				return err
			}
		}
	}
	switch {
	case !errors.Is(err, io.EOF):
		return err
	case m == nil:
		return spoolerr.New(spoolerr.Unavailable, 0, "nothing is known of the move; see spoolhost spooler show %s", req.GetName())
	case req.GetWait() && m.GetFailure() != "":
		return spoolerr.New(spoolerr.Precondition, 0, "spooler %s was not moved in order: %s", req.GetName(), m.GetFailure())
	}
	return c.out.object(m, func(b *strings.Builder) {
		if m.GetDone() {
			fmt.Fprintf(b, "spooler %s moved from %s to %s\n", clean(req.GetName()), clean(m.GetFrom()), nodeText(m.GetTo()))
			return
		}
		fmt.Fprintf(b, "spooler %s moves from %s to %s; see spoolhost spooler show %s\n", clean(req.GetName()), clean(m.GetFrom()), nodeText(m.GetTo()), clean(req.GetName()))
	})
}

func newSpoolerDeleteCommand(opts *options) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "delete NAME",
		Short: "Delete a cluster spooler",
		Long: `Delete a cluster spooler with its printers, ports and registry. It is refused while it has jobs
that are not finished, unless --force is given: then they are lost. Only administrators may do this.`,
		Example: `  spoolhost spooler delete NTPRINT`,
		Args:    cobra.ExactArgs(1), ValidArgsFunction: complete(opts, 1, clusterSpoolerNames),
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			if _, err := c.DeleteSpooler(ctx, &apiv1.DeleteSpoolerRequest{Name: args[0], Force: force}); err != nil {
				return err
			}
			return c.out.done("spooler %s is being deleted", args[0])
		}),
	}
	cmd.Flags().BoolVar(&force, "force", false, "also with jobs, which are lost")
	return cmd
}

func clusterSpoolerNames(ctx context.Context, c *client, _ string) ([]cobra.Completion, error) {
	resp, err := c.ListSpoolers(ctx, &apiv1.ListSpoolersRequest{})
	return offers(resp.GetClusterSpoolers(), (*apiv1.ClusterSpooler).GetName, (*apiv1.ClusterSpooler).GetState), err
}
