package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	apiv1 "github.com/spoolhost/spoolhost/proto/spoolhost/api/v1"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func newShareCommand(opts *options) *cobra.Command {
	group := newGroupCommand("share", "Keep the files of the share PRINT$",
		`PRINT$ has the files that clients of this host's printers copy: those of drivers, which
"spoolhost driver add" puts there, and those of queues, such as colour profiles, which are
put there here. A printer names them in its data; see "spoolhost printer data".`,
		`  spoolhost share add hpclrlsr.icm --directory Color
  spoolhost share list`,
		newShareAddCommand(opts), newShareListCommand(opts), newShareGetCommand(opts), newShareRemoveCommand(opts))
	addSpoolerFlag(group, opts)
	return group
}

func newShareAddCommand(opts *options) *cobra.Command {
	var directory string
	cmd := &cobra.Command{
		Use:   "add FILE... --directory DIRECTORY",
		Short: "Put files into PRINT$",
		Long: `Put files into a directory of PRINT$, under their own names. One that is there already is
replaced, all at once: clients get the old one or the new one, and those that have the old
one come for the new one. A driver's file is replaced with its driver only. Only
administrators may do this.`,
		Example: `  spoolhost share add hpclrlsr.icm --directory Color`,
		Args:    cobra.MinimumNArgs(1),
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			var added []*apiv1.ShareFile
			for _, path := range args {
				f, err := c.putFile(ctx, path, directory+`\`+filepath.Base(path))
				if err != nil {
					return err
				}
				added = append(added, f)
			}
			return results(c.out, added, false, func(f *apiv1.ShareFile) string {
				return fmt.Sprintf(`file PRINT$\%s added: %d bytes`, f.GetPath(), f.GetSize())
			})
		}),
	}
	cmd.Flags().StringVar(&directory, "directory", "", `directory of PRINT$, such as Color`)
	completeFlag(cmd, "directory", cobra.FixedCompletions([]string{"Color"}, cobra.ShellCompDirectiveNoFileComp))
	require(cmd, "directory")
	return cmd
}

// openLocal opens a file of this machine that is to be sent.
func openLocal(path string) (*os.File, int64, error) {
	f, err := os.Open(path)
	if err == nil {
		var info os.FileInfo
		if info, err = f.Stat(); err == nil && info.Mode().IsRegular() {
			return f, info.Size(), nil
		}
		_ = f.Close()
	}
	if err == nil {
		return nil, 0, usagef("%s is not a file", path)
	}
	return nil, 0, spoolerr.As(err, spoolerr.NotFound, "the file cannot be read")
}

// sendParts sends a file in messages. At io.EOF the host has broken off, and its answer says
// why.
func sendParts(r io.Reader, send func([]byte) error) error {
	part := make([]byte, uploadChunk)
	for {
		n, err := r.Read(part)
		if n > 0 {
			if err := send(part[:n]); err != nil {
				return err
			}
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

func (c *call) putFile(ctx context.Context, local, path string) (*apiv1.ShareFile, error) {
	f, size, err := openLocal(local)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.PutFile(ctx)
	if err != nil {
		return nil, err
	}
	err = stream.Send(&apiv1.PutFileRequest{Request: &apiv1.PutFileRequest_Start{Start: &apiv1.PutFileStart{Spooler: c.spooler, Path: path, Size: size}}})
	if err == nil {
		err = sendParts(f, func(b []byte) error {
			return stream.Send(&apiv1.PutFileRequest{Request: &apiv1.PutFileRequest_Data{Data: b}})
		})
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	resp, err := stream.CloseAndRecv()
	return resp.GetFile(), err
}

func newShareListCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:               "list [DIRECTORY]",
		Short:             "List the files of PRINT$",
		Long:              `List the files of PRINT$, or those at and below one of its directories, with the BLAKE3 by which clients know them.`,
		Example:           "  spoolhost share list\n  spoolhost share list Color -o json",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			resp, err := c.ListFiles(ctx, &apiv1.ListFilesRequest{Spooler: c.spooler, Directory: strings.Join(args, "")})
			if err != nil {
				return err
			}
			return list(c.out, resp.GetFiles(), "no files", []string{"PATH", "BYTES", "MODIFIED", "BLAKE3"}, func(f *apiv1.ShareFile) []string {
				return []string{f.GetPath(), fmt.Sprint(f.GetSize()), localTime(f.GetModifiedAt()), f.GetDigest()[:min(len(f.GetDigest()), 16)]}
			})
		}),
	}
}

func newShareGetCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:               "get PATH FILE",
		Short:             "Copy a file out of PRINT$",
		Long:              `Copy a file of PRINT$ to FILE, which must not exist yet, or with - to standard output.`,
		Example:           `  spoolhost share get 'Color\hpclrlsr.icm' copy.icm`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: complete(opts, 1, sharePaths),
		RunE: withHost(opts, func(ctx context.Context, c *call, cmd *cobra.Command, args []string) (retErr error) {
			stream, err := c.ReadFile(ctx, &apiv1.ReadFileRequest{Spooler: c.spooler, Path: args[0]})
			if err != nil {
				return err
			}
			first, err := stream.Recv()
			if err != nil {
				return err
			}
			to := cmd.OutOrStdout()
			if args[1] != "-" {
				f, err := os.OpenFile(args[1], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
				if err != nil {
					return spoolerr.As(err, spoolerr.Exists, "the copy cannot be made")
				}
				defer func() { retErr = errors.Join(retErr, f.Close()) }()
				to = f
			}
			for m := first; ; {
				if _, err := to.Write(m.GetData()); err != nil {
					return err
				}
				if m, err = stream.Recv(); errors.Is(err, io.EOF) {
					return nil
				} else if err != nil {
					return err
				}
			}
		}),
	}
}

func newShareRemoveCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:               "remove PATH",
		Short:             "Remove a file from PRINT$",
		Long:              `Remove a file that no driver and no printer's data needs. Only administrators may do this.`,
		Example:           `  spoolhost share remove 'Color\hpclrlsr.icm'`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: complete(opts, 1, sharePaths),
		RunE: withHost(opts, func(ctx context.Context, c *call, _ *cobra.Command, args []string) error {
			if _, err := c.RemoveFile(ctx, &apiv1.RemoveFileRequest{Spooler: c.spooler, Path: args[0]}); err != nil {
				return err
			}
			return c.out.done(`file PRINT$\%s removed`, args[0])
		}),
	}
}

func sharePaths(ctx context.Context, c *client, spooler string) ([]cobra.Completion, error) {
	resp, err := c.ListFiles(ctx, &apiv1.ListFilesRequest{Spooler: spooler})
	return offers(resp.GetFiles(), (*apiv1.ShareFile).GetPath, func(*apiv1.ShareFile) string { return "" }), err
}
