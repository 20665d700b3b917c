package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
)

// defaultServerPort is where a server listens if it is not told.
const defaultServerPort = "6312"

func newConnectionCommand(opts *options) *cobra.Command {
	return newGroupCommand("connection", "Connect to printers of other hosts (Point and Print)",
		`A connection is a printer of another host that users of this one print to, by the name
\\SERVER\PRINTER. When it is made, the server's driver files, printer data and queue files,
such as colour profiles, come to this host; they are kept equal to the server's, and modules
that are installed here are told. No program is ever copied.

Jobs are spooled here and passed on, each exactly once, however often either host starts
anew meanwhile.`,
		"  spoolhost connection add '\\\\NTPRINT\\HpColor' --server tls:ntprint.example.com:6312\n  spoolhost print -p '\\\\NTPRINT\\HpColor' report.pdf",
		newConnectionAddCommand(opts), newConnectionListCommand(opts), newConnectionShowCommand(opts), newConnectionRefreshCommand(opts),
		newConnectionDeleteCommand(opts))
}

func newConnectionAddCommand(opts *options) *cobra.Command {
	var servers []string
	cmd := &cobra.Command{
		Use:   `add \\SERVER\PRINTER [--server ADDRESS]...`,
		Short: "Connect to a printer of another host",
		Long: `Connect to a printer of another host. Progress is shown; with -o json the result has every
step with its arguments (trace). A connection that was cut off can be made again: what has
come is not copied a second time.

ADDRESS is tls:HOST:PORT, or on this machine unix:PATH or HOST:PORT; without one it is
tls:SERVER:` + defaultServerPort + `. Give several for the nodes of a cluster. A server that is met for the
first time is pinned: another one in its place is refused later. Only administrators may
do this; the configuration says which servers and which files are allowed.`,
		Example: `  spoolhost connection add '\\NTPRINT\HpColor'
  spoolhost connection add '\\NTPRINT\HpColor' --server tls:node1:6312 --server tls:node2:6312
  spoolhost connection add '\\NTPRINT\HpColor' --server 127.0.0.1:6310 -o json | jq -r '.trace[].call'`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			stream, err := c.AddPrinterConnection(ctx, &apiv1.AddPrinterConnectionRequest{Name: args[0], Addresses: serversOf(args[0], servers)})
			if err != nil {
				return err
			}
			con, err := followConnection(c, args[0], stream.Recv)
			if err != nil {
				return err
			}
			return c.out.object(con, func(b *strings.Builder) { connectionDone(b, "connected to ", con) })
		}),
	}
	cmd.Flags().StringArrayVar(&servers, "server", nil, "an address of the server; may be repeated")
	completeFlag(cmd, "server", cobra.NoFileCompletions)
	return cmd
}

// serversOf gives the addresses to try.
func serversOf(name string, given []string) []string {
	server, _, _ := strings.Cut(strings.TrimPrefix(name, `\\`), `\`)
	if len(given) > 0 || server == "" {
		return given
	}
	return []string{"tls:" + server + ":" + defaultServerPort}
}

// connectionMessage is what both streams send.
type connectionMessage interface {
	GetStep() *apiv1.ConnectionStep
	GetProgress() *apiv1.ConnectionProgress
	GetConnection() *apiv1.Connection
}

// followConnection shows progress until the connection comes, and gives it with its trace.
func followConnection[M connectionMessage](c *call, name string, recv func() (M, error)) (*apiv1.Connection, error) {
	var con *apiv1.Connection
	var trace []*apiv1.ConnectionStep
	bar := newBar(c.out, name, -1)
	defer bar.finish()
	for {
		m, err := recv()
		if errors.Is(err, io.EOF) && con != nil {
			con.Trace = trace
			return con, nil
		}
		if err != nil {
			return nil, err
		}
		if m.GetStep() != nil {
			trace = append(trace, m.GetStep())
		}
		if m.GetConnection() != nil {
			con = m.GetConnection()
		}
		bar.files(name, m.GetProgress())
	}
}

// files shows how many files and bytes have come.
func (b *bar) files(name string, p *apiv1.ConnectionProgress) {
	if b.shown == nil || p == nil {
		return
	}
	b.shown.ChangeMax64(max(p.GetAllBytes(), 1))
	b.shown.Describe(cut(clean(fmt.Sprintf("%s: %d of %d files", name, p.GetFiles(), p.GetAllFiles())), 48))
	b.set(uint64(min(p.GetBytes(), max(p.GetAllBytes()-1, 0)))) // a full bar would clear itself
}

// connectionDone says what came of an operation.
func connectionDone(b *strings.Builder, what string, con *apiv1.Connection) {
	files, bytes := len(con.GetDriverFiles()), uint64(0)
	for _, f := range con.GetDriverFiles() {
		bytes += uint64(f.GetSize())
	}
	for _, part := range con.GetComponents() {
		files += len(part.GetFiles())
		for _, f := range part.GetFiles() {
			bytes += uint64(f.GetSize())
		}
	}
	fmt.Fprintf(b, "%s%s: %s, %s\n", what, clean(con.GetName()), plural(files, "file"), size(bytes))
	for _, part := range con.GetComponents() {
		if part.GetRefused() != "" {
			fmt.Fprintf(b, "not copied: %s\n", clean(part.GetRefused()))
		}
	}
}

func newConnectionListCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List connections",
		Long:              "List the connections to printers of other hosts, in order of name.",
		Example:           "  spoolhost connection list",
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, _ []string) error {
			resp, err := c.ListConnections(ctx, &apiv1.ListConnectionsRequest{})
			if err != nil {
				return err
			}
			return list(c.out, resp.GetConnections(), "no connections", []string{"NAME", "STATE", "SERVER", "DRIVER", "REFRESHED"}, func(m *apiv1.Connection) []string {
				return []string{m.GetName(), state(m.GetState(), m.GetTrouble()), strings.Join(m.GetAddresses(), ", "), orDash(m.GetDriver()), localTime(m.GetRefreshedAt())}
			})
		}),
	}
}

func newConnectionShowCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use: `show \\SERVER\PRINTER`, Short: "Show a connection and its files",
		Long:              "Show a connection: its server and identity, its driver,\nand for each subkey of CopyFiles which files came, or why they did not.",
		Example:           `  spoolhost connection show '\\NTPRINT\HpColor'`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: complete(opts, 1, connectionNames),
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			resp, err := c.GetConnection(ctx, &apiv1.GetConnectionRequest{Name: args[0]})
			if err != nil {
				return err
			}
			return c.out.object(resp.GetConnection(), func(b *strings.Builder) { showConnection(b, resp.GetConnection()) })
		}),
	}
}

func showConnection(b *strings.Builder, con *apiv1.Connection) {
	var s sheet
	s.add("connection", con.GetName())
	s.add("state", state(con.GetState(), con.GetTrouble()))
	for _, a := range con.GetAddresses() {
		s.add("server", strings.TrimSpace(a+" "+con.GetIdentities()[a]))
	}
	s.add("driver", orDash(con.GetDriver()))
	s.add("driver module", con.GetDriverModule())
	s.add("ChangeID", fmt.Sprint(con.GetChangeId()))
	s.add("added", localTime(con.GetAddedAt()))
	s.add("refreshed", localTime(con.GetRefreshedAt()))
	s.write(b)
	t := table{header: []string{"KEY", "FILE", "SIZE", "BLAKE3"}}
	addFiles := func(key string, files []*apiv1.ConnectionFile) {
		for _, f := range files {
			t.add(key, f.GetPath(), size(uint64(f.GetSize())), cut(f.GetDigest(), 16))
		}
	}
	addFiles("driver", con.GetDriverFiles())
	for _, part := range con.GetComponents() {
		addFiles(`CopyFiles\`+part.GetKey(), part.GetFiles())
	}
	if len(t.rows) > 0 {
		b.WriteByte('\n')
		t.write(b, "")
	}
	for _, part := range con.GetComponents() {
		if part.GetRefused() != "" {
			fmt.Fprintf(b, "\nnot copied: %s\n", clean(part.GetRefused()))
		}
	}
}

func newConnectionRefreshCommand(opts *options) *cobra.Command {
	var servers []string
	cmd := &cobra.Command{
		Use: `refresh \\SERVER\PRINTER`, Short: "Bring a connection up to date",
		Long: `Bring a connection up to date at once. A host does so by itself when its server tells of a
change. Files that are here are read and checked, and not copied again. With --server the
connection has these addresses from now on.`,
		Example:           `  spoolhost connection refresh '\\NTPRINT\HpColor'`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: complete(opts, 1, connectionNames),
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			stream, err := c.RefreshConnection(ctx, &apiv1.RefreshConnectionRequest{Name: args[0], Addresses: servers})
			if err != nil {
				return err
			}
			con, err := followConnection(c, args[0], stream.Recv)
			if err != nil {
				return err
			}
			return c.out.object(con, func(b *strings.Builder) { connectionDone(b, "up to date: ", con) })
		}),
	}
	cmd.Flags().StringArrayVar(&servers, "server", nil, "an address of the server; may be repeated")
	completeFlag(cmd, "server", cobra.NoFileCompletions)
	return cmd
}

func newConnectionDeleteCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use: `delete \\SERVER\PRINTER`, Short: "Delete a connection",
		Long: `Delete a connection, its printer, and the files that no other connection needs. The server
need not be there. A connection with unfinished jobs is kept.`,
		Example:           `  spoolhost connection delete '\\NTPRINT\HpColor'`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: complete(opts, 1, connectionNames),
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			resp, err := c.DeletePrinterConnection(ctx, &apiv1.DeletePrinterConnectionRequest{Name: args[0]})
			if err != nil {
				return err
			}
			return c.out.object(resp, func(b *strings.Builder) { fmt.Fprintf(b, "connection %s deleted\n", clean(args[0])) })
		}),
	}
}

// forwardedText says how a job stands that another host prints.
func forwardedText(f *apiv1.ForwardedJob) string {
	what := f.GetPrinter()
	if f.GetId() != 0 {
		what = "job " + jobID(f.GetId()) + " of " + what
	}
	if f.GetJob() != nil {
		what += ": " + state(f.GetJob().GetState(), f.GetJob().GetReason())
	}
	return strings.TrimSuffix(what+"; "+f.GetProblem(), "; ")
}

func connectionNames(ctx context.Context, c *client, _ string) ([]cobra.Completion, error) {
	resp, err := c.ListConnections(ctx, &apiv1.ListConnectionsRequest{})
	return offers(resp.GetConnections(), (*apiv1.Connection).GetName, (*apiv1.Connection).GetDriver), err
}
