package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

type eventFlags struct {
	follow   bool
	severity string
	about    string
	ids      []uint
	limit    uint32
}

func newEventsCommand(opts *options) *cobra.Command {
	var f eventFlags
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Show the host's event log",
		Long: `Show what happened on the host, oldest first. Every sort of event has a number that is
never used for anything else: filter and alert by it. With --follow the command goes on
with what is to come, until it is interrupted; with -o json each event is then one line.
Those of a cluster spooler come from all nodes, by the nodes' clocks; a node that does not
answer is named on standard error.`,
		Example: `  spoolhost events --severity warning
  spoolhost events --follow -o json | jq -r 'select(.id == 201) | .text'
  spoolhost events --about printer/Office -n 20`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: withHost(opts, func(ctx context.Context, c *call, cmd *cobra.Command, _ []string) error {
			req, err := f.request(c.spooler)
			if err != nil {
				return err
			}
			stream, err := c.ListEvents(ctx, req)
			if f.follow {
				return followEvents(c.out, cmd.ErrOrStderr(), stream, err)
			}
			var unasked []*apiv1.UnaskedNode
			events, err := collect(stream, err, func(r *apiv1.ListEventsResponse) []*apiv1.Event {
				unasked = append(unasked, r.GetUnasked()...)
				return r.GetEvents()
			})
			if err != nil {
				return err
			}
			tellUnasked(cmd.ErrOrStderr(), unasked)
			header := []string{"TIME", "ID", "SEVERITY", "EVENT", "TEXT"}
			if c.spooler != "" {
				header = slices.Insert(header, 1, "NODE")
			}
			return list(c.out, events, "no events", header, func(e *apiv1.Event) []string { return eventRow(e, c.spooler != "") })
		}),
	}
	flags := cmd.Flags()
	flags.BoolVarP(&f.follow, "follow", "f", false, "go on with events to come")
	flags.StringVar(&f.severity, "severity", "", "the least severity: info, warning or error")
	flags.StringVar(&f.about, "about", "", "only events about one object, KIND/NAME, such as printer/Office or job/12")
	flags.UintSliceVar(&f.ids, "id", nil, "only events with these numbers")
	flags.Uint32VarP(&f.limit, "limit", "n", 0, "only the newest so many")
	addSpoolerFlag(cmd, opts)
	completeFlag(cmd, "severity", cobra.FixedCompletions([]string{"info", "warning", "error"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (f eventFlags) request(spooler string) (*apiv1.ListEventsRequest, error) {
	req := &apiv1.ListEventsRequest{Spooler: spooler, Severity: f.severity, Limit: f.limit, Follow: f.follow}
	if f.about != "" {
		kind, name, ok := strings.Cut(f.about, "/")
		if !ok || name == "" {
			return nil, usagef("--about %q is not KIND/NAME, such as printer/Office", f.about)
		}
		req.Object, req.ObjectName = kind, name
	}
	for _, id := range f.ids {
		req.Ids = append(req.Ids, uint32(id))
	}
	return req, nil
}

// eventRow is a line of a table; with the node, if the events are a spooler's.
func eventRow(e *apiv1.Event, node bool) []string {
	row := []string{localTime(e.GetTime()), fmt.Sprint(e.GetId()), e.GetSeverity(), e.GetName(), clean(e.GetText())}
	if node {
		row = slices.Insert(row, 1, clean(e.GetNode()))
	}
	return row
}

// tellUnasked says which nodes of the cluster are missing, and since when one is not.
func tellUnasked(w io.Writer, nodes []*apiv1.UnaskedNode) {
	for _, n := range nodes {
		_, _ = fmt.Fprintln(w, unaskedLine(n))
	}
}

func unaskedLine(n *apiv1.UnaskedNode) string {
	if n.GetProblem() == "" {
		return fmt.Sprintf("node %s answers again", clean(n.GetNode()))
	}
	return fmt.Sprintf("node %s could not be asked: %s; what happened there is missing", clean(n.GetNode()), clean(n.GetProblem()))
}

// followEvents writes events one by one as they come.
func followEvents(out output, notices io.Writer, stream interface {
	Recv() (*apiv1.ListEventsResponse, error)
}, err error) error {
	for err == nil {
		var r *apiv1.ListEventsResponse
		if r, err = stream.Recv(); err != nil {
			break
		}
		tellUnasked(notices, r.GetUnasked())
		for _, e := range r.GetEvents() {
			if err = writeEvent(out, e); err != nil {
				return err
			}
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func writeEvent(out output, e *apiv1.Event) error {
	if !out.json {
		_, err := fmt.Fprintln(out.w, strings.Join(eventRow(e, e.GetNode() != ""), "  "))
		return err
	}
	line, err := messageJSON(e)
	if err == nil {
		_, err = out.w.Write(append(line, '\n'))
	}
	return err
}
