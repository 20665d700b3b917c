package main

import (
	"context"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

// completeTimeout bounds what a press of the Tab key waits for a host.
const completeTimeout = time.Second

// namesOf asks a host for names, each with a word on it.
type namesOf func(ctx context.Context, c *client, spooler string) ([]cobra.Completion, error)

// complete offers the names that a host knows, but none that stands on the line already.
// A host that does not answer offers nothing: a completion has nowhere to complain.
func complete(opts *options, most int, names namesOf) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if most > 0 && len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(commandContext(cmd), completeTimeout)
		defer cancel()
		host, err := connect(&options{addr: opts.addr, proof: opts.proof, timeout: completeTimeout, bounded: true}, io.Discard)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer host.Close()
		found, err := names(ctx, host, opts.spooler)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return slices.DeleteFunc(found, func(c cobra.Completion) bool { return used(c, args) }), cobra.ShellCompDirectiveNoFileComp
	}
}

func used(c cobra.Completion, args []string) bool {
	return slices.ContainsFunc(args, func(arg string) bool { return c == arg || len(c) > len(arg) && c[:len(arg)+1] == arg+"\t" })
}

// commandContext is the command's context: cobra sets none when it completes a flag of a
// command that it does not execute.
func commandContext(cmd *cobra.Command) context.Context {
	if ctx := cmd.Context(); ctx != nil {
		return ctx
	}
	return context.Background()
}

// completeFlag registers a completion for a flag that the program just defined.
func completeFlag(cmd *cobra.Command, flag string, complete cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(err) // The flag does not exist: a defect that the first test run shows.
	}
}

// offer is a name with a description behind it.
func offer(name, description string) cobra.Completion {
	if description = clean(description); description == "" {
		return clean(name)
	}
	return cobra.CompletionWithDesc(clean(name), description)
}

func offers[T any](items []T, name, description func(T) string) []cobra.Completion {
	found := make([]cobra.Completion, 0, len(items))
	for _, item := range items {
		found = append(found, offer(name(item), description(item)))
	}
	return found
}

func printerNames(ctx context.Context, c *client, spooler string) ([]cobra.Completion, error) {
	stream, err := c.ListPrinters(ctx, &apiv1.ListPrintersRequest{Spooler: spooler})
	items, err := collect(stream, err, (*apiv1.ListPrintersResponse).GetPrinters)
	return offers(items, (*apiv1.Printer).GetName, (*apiv1.Printer).GetState), err
}

func portNames(ctx context.Context, c *client, spooler string) ([]cobra.Completion, error) {
	stream, err := c.ListPorts(ctx, &apiv1.ListPortsRequest{Spooler: spooler})
	items, err := collect(stream, err, (*apiv1.ListPortsResponse).GetPorts)
	return offers(items, (*apiv1.Port).GetName, (*apiv1.Port).GetMonitor), err
}

func monitorNames(ctx context.Context, c *client, _ string) ([]cobra.Completion, error) {
	stream, err := c.ListMonitors(ctx, &apiv1.ListMonitorsRequest{})
	items, err := collect(stream, err, (*apiv1.ListMonitorsResponse).GetMonitors)
	return offers(items, (*apiv1.Monitor).GetName, (*apiv1.Monitor).GetState), err
}

func spoolerNames(ctx context.Context, c *client, _ string) ([]cobra.Completion, error) {
	status, err := c.GetStatus(ctx, &apiv1.GetStatusRequest{})
	found := offers(status.GetSpoolers(), (*apiv1.SpoolerStatus).GetName, (*apiv1.SpoolerStatus).GetState)
	if elsewhere, err := clusterSpoolerNames(ctx, c, ""); err == nil {
		for _, name := range elsewhere {
			if !slices.Contains(found, name) { // else it lives on this host
				found = append(found, name)
			}
		}
	}
	return found, err
}

// jobIDs gives a function that offers jobs, with the finished ones if all is set.
func jobIDs(all bool) namesOf {
	return func(ctx context.Context, c *client, spooler string) ([]cobra.Completion, error) {
		stream, err := c.ListJobs(ctx, &apiv1.ListJobsRequest{Spooler: spooler, All: all})
		items, err := collect(stream, err, (*apiv1.ListJobsResponse).GetJobs)
		slices.Reverse(items) // The last ones are the likelier.
		return offers(items, func(j *apiv1.Job) string { return strconv.FormatUint(j.GetId(), 10) }, func(j *apiv1.Job) string {
			return j.GetState() + " on " + j.GetPrinter() + ": " + cut(clean(j.GetTitle()), 40)
		}), err
	}
}

func completePrinters(opts *options, most int) cobra.CompletionFunc {
	return complete(opts, most, printerNames)
}
func completePorts(opts *options, most int) cobra.CompletionFunc {
	return complete(opts, most, portNames)
}
func completeMonitors(opts *options, most int) cobra.CompletionFunc {
	return complete(opts, most, monitorNames)
}

// The completions of flags ignore the arguments on the line.
func completeSpoolers(opts *options) cobra.CompletionFunc { return complete(opts, 0, spoolerNames) }
