package main

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/monitor/portconfig"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// Two more values of --output.
const (
	outputHex = "hex"
	outputRaw = "raw"
)

// xcvFlags are the input of a command and the rights it is sent with.
type xcvFlags struct {
	hex, text, utf16, file, access string
	size                           uint32
}

func newXcvCommand(opts *options) *cobra.Command {
	var f xcvFlags
	cmd := &cobra.Command{
		Use:   "xcv OBJECT DATANAME",
		Short: "Send a command to a monitor (XcvData)",
		Long: `Open an Xcv handle on OBJECT, send the command DATANAME with its input, show the output,
and close the handle. OBJECT is ",XcvMonitor NAME" or ",XcvPort NAME".

Every monitor knows AddPort, DeletePort and MonitorUI; what else it knows is its own
business. The monitor sees the rights you are granted: all you have, or those that --access
names (administer, enumerate, printer-administer, use, job-administer, job-read, or a
number). Commands that add, delete or configure ports need administer.

The output is shown as text or a number if it is one, else in hex; -o raw writes it as it
is, -o json shows both error channels: error (could the monitor be asked?) and status (what
did it answer?).`,
		Example: `  spoolhost xcv ",XcvMonitor Standard TCP/IP Port" MonitorUI
  spoolhost xcv ",XcvPort IP_10.0.0.5" GetConfigInfo -o raw | jq .settings
  spoolhost xcv ",XcvMonitor Local Port" PortExists --utf16 LPT1:
  spoolhost xcv ",XcvMonitor Acme Port" Calibrate --hex 01000000 --access administer`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: completeXcv(opts),
		Annotations:       map[string]string{moreOutputs: outputHex + " " + outputRaw},
		RunE: withHost(opts, func(ctx context.Context, c *call, cmd *cobra.Command, args []string) error {
			in, err := f.input(cmd)
			if err != nil {
				return err
			}
			access, err := parseAccess(f.access)
			if err != nil {
				return err
			}
			r, err := sendXcv(ctx, c, &apiv1.XcvOpen{Spooler: c.spooler, Object: args[0], DesiredAccess: access},
				&apiv1.XcvData{Name: args[1], Input: in, OutputSize: f.size})
			if err != nil {
				return err
			}
			return showXcv(c.out, opts.output, r, args[1])
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&f.hex, "hex", "", "the input in hex; blanks and colons do not count")
	flags.StringVar(&f.text, "text", "", "the input as UTF-8 text, such as JSON")
	flags.StringVar(&f.utf16, "utf16", "", "the input as a NUL-terminated UTF-16 string")
	flags.StringVar(&f.file, "file", "", "the file that holds the input; - is standard input")
	flags.StringVar(&f.access, "access", "", "the rights wanted, by name or number, joined by commas (default all you have)")
	flags.Uint32Var(&f.size, "buffer", wire.MaxXcv, "size of the output buffer in bytes; one too small gives status 122")
	cmd.MarkFlagsMutuallyExclusive("hex", "text", "utf16", "file")
	flags.StringVarP(&opts.output, "output", "o", outputTable, "output format: table, json, hex or raw")
	completeFlag(cmd, "output", cobra.FixedCompletions([]string{outputTable, outputJSON, outputHex, outputRaw}, cobra.ShellCompDirectiveNoFileComp))
	completeFlag(cmd, "access", cobra.FixedCompletions(accessNames(), cobra.ShellCompDirectiveNoFileComp))
	for _, flag := range []string{"hex", "text", "utf16", "buffer"} {
		completeFlag(cmd, flag, cobra.NoFileCompletions)
	}
	addSpoolerFlag(cmd, opts)
	return cmd
}

// input reads what the command is to be sent with.
func (f xcvFlags) input(cmd *cobra.Command) ([]byte, error) {
	switch {
	case f.hex != "":
		in, err := hex.DecodeString(strings.NewReplacer(" ", "", ":", "", "\n", "").Replace(f.hex))
		if err != nil {
			return nil, usagef("--hex %s is not hex: give two digits for each byte", spool.Quote(f.hex))
		}
		return in, nil
	case cmd.Flags().Changed("utf16"):
		return portconfig.EncodeText(f.utf16), nil
	case f.file == "-":
		return readInput(cmd.InOrStdin(), "standard input")
	case f.file != "":
		file, err := os.Open(f.file)
		if err != nil {
			return nil, spoolerr.As(err, spoolerr.NotFound, "input")
		}
		defer func() { _ = file.Close() }() // it was only read
		return readInput(file, f.file)
	}
	return []byte(f.text), nil
}

// readInput reads at most what XcvData can carry.
func readInput(r io.Reader, name string) ([]byte, error) {
	in, err := io.ReadAll(io.LimitReader(r, wire.MaxXcv+1))
	switch {
	case err != nil:
		return nil, spoolerr.As(err, spoolerr.Unavailable, "input %s", name)
	case len(in) > wire.MaxXcv:
		return nil, usagef("input %s has more than %d bytes, the most that XcvData carries", name, wire.MaxXcv)
	}
	return in, nil
}

// accessWord is a right by the name that the command line gives it.
type accessWord struct {
	name  string
	right spool.Access
}

func accessWords() []accessWord {
	return []accessWord{
		{"administer", spool.ServerAccessAdminister}, {"enumerate", spool.ServerAccessEnumerate},
		{"printer-administer", spool.PrinterAccessAdminister}, {"use", spool.PrinterAccessUse},
		{"job-administer", spool.JobAccessAdminister}, {"job-read", spool.JobAccessRead},
	}
}

func accessNames() []string {
	var names []string
	for _, w := range accessWords() {
		names = append(names, w.name)
	}
	return names
}

// parseAccess reads an access mask; 0 means all that the caller may have.
func parseAccess(s string) (uint32, error) {
	if s == "" {
		return 0, nil
	}
	var mask uint32
words:
	for word := range strings.SplitSeq(s, ",") {
		for _, w := range accessWords() {
			if w.name == strings.TrimSpace(word) {
				mask |= uint32(w.right)
				continue words
			}
		}
		n, err := strconv.ParseUint(strings.TrimSpace(word), 0, 32)
		if err != nil || n == 0 {
			return 0, usagef("access %s is unknown; use %s, or a number such as 0x3", spool.Quote(word), strings.Join(accessNames(), ", "))
		}
		mask |= uint32(n)
	}
	return mask, nil
}

// sendXcv opens a session for one command.
func sendXcv(ctx context.Context, c *call, open *apiv1.XcvOpen, data *apiv1.XcvData) (*apiv1.XcvResult, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.Session(ctx)
	if err != nil {
		return nil, err
	}
	// A send that fails says only that the stream has ended; why, the receive says.
	_ = stream.Send(&apiv1.XcvSessionRequest{Request: &apiv1.XcvSessionRequest_Open{Open: open}})
	if _, err := stream.Recv(); err != nil {
		return nil, broken(err)
	}
	if err := stream.Send(&apiv1.XcvSessionRequest{Request: &apiv1.XcvSessionRequest_Data{Data: data}}); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	resp, err := stream.Recv()
	if err != nil {
		return nil, broken(err)
	}
	if err := stream.CloseSend(); err != nil {
		return nil, err
	}
	_, _ = stream.Recv() // the end, when the host has closed the handle
	return resp.GetResult(), nil
}

// broken explains a stream that the host ended without a word.
func broken(err error) error {
	if errors.Is(err, io.EOF) {
		return spoolerr.New(spoolerr.Unavailable, 0, "the host ended the session; try again")
	}
	return err
}

func showXcv(o output, format string, r *apiv1.XcvResult, name string) error {
	if o.json {
		if err := o.raw(messageJSON(r)); err != nil {
			return err
		}
	}
	kind := spoolerr.Kind(r.GetKind())
	switch {
	case r.GetError() != 0:
		return spoolerr.New(kind, spoolerr.Code(r.GetError()), "%s did not reach the monitor (error %d): %s", name, r.GetError(), r.GetMessage())
	case r.GetStatus() == uint32(spoolerr.CodeInsufficientBuffer):
		return spoolerr.New(kind, spoolerr.CodeInsufficientBuffer, "%s has %d bytes of output, more than --buffer allows (status 122)", name, r.GetOutputNeeded())
	case r.GetStatus() != 0:
		return spoolerr.New(kind, spoolerr.Code(r.GetStatus()), "the monitor refused %s (status %d): %s", name, r.GetStatus(), r.GetMessage())
	case o.json:
		return nil
	}
	return writeXcvOutput(o.w, format, r.GetOutput())
}

func writeXcvOutput(w io.Writer, format string, out []byte) (err error) {
	text, textErr := portconfig.DecodeText(out)
	switch {
	case format == outputRaw:
		_, err = w.Write(out)
	case format == outputHex:
		_, err = fmt.Fprintln(w, hex.EncodeToString(out))
	case len(out) == 0:
		_, err = fmt.Fprintln(w, "done; no output")
	case textErr == nil:
		_, err = fmt.Fprintln(w, clean(text))
	case len(out) == 4:
		_, err = fmt.Fprintln(w, binary.LittleEndian.Uint32(out))
	case printable(out):
		_, err = fmt.Fprintln(w, string(out))
	default:
		_, err = io.WriteString(w, hex.Dump(out))
	}
	return err
}

// printable says that bytes are text that does a terminal no harm.
func printable(b []byte) bool { return clean(string(b)) == string(b) }

// completeXcv offers the handles that can be opened, and the names that every monitor knows.
func completeXcv(opts *options) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		switch len(args) {
		case 0:
			return complete(opts, 1, xcvObjects)(cmd, args, typed)
		case 1:
			return []cobra.Completion{portconfig.MonitorUI, portconfig.GetConfigInfo, portconfig.AddPort, portconfig.ConfigPort, portconfig.DeletePort},
				cobra.ShellCompDirectiveNoFileComp
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}

func xcvObjects(ctx context.Context, c *client, spooler string) ([]cobra.Completion, error) {
	monitors, err := monitorNames(ctx, c, spooler)
	if err != nil {
		return nil, err
	}
	ports, err := portNames(ctx, c, spooler)
	var found []cobra.Completion
	for _, m := range monitors {
		found = append(found, ",XcvMonitor "+m)
	}
	for _, p := range ports {
		found = append(found, ",XcvPort "+p)
	}
	return found, err
}
