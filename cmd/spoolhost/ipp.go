package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/spoolhost/spoolhost/host/frontend/access"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

const ippPasswdLong = `Add an account to a users file, or give one a new password or role. Whoever prints from
another machine, or asks for more than printing, proves its name by the account's password.

The password is read from standard input: from a terminal twice, without showing it, and
else one line. It is kept as a hash of bcrypt. The host reads the file again when it has
changed. With --certificate the account has no password: it is for those who come with a
client certificate of that common name.

Roles: user (prints, handles own jobs), operator (pauses, resumes, handles all jobs),
administrator (adds and deletes printers).`

func newIPPCommand() *cobra.Command {
	return newGroupCommand("ipp", "Keep the accounts of people who print over the network",
		"Accounts of the IPP front end, in the file that the configuration names (ipp: users).",
		`  spoolhost ipp passwd ann --users /etc/spoolhost/users
  spoolhost ipp remove ann --users /etc/spoolhost/users`,
		newIPPPasswdCommand(), newIPPRemoveCommand())
}

func newIPPPasswdCommand() *cobra.Command {
	var file, role string
	var certificate bool
	cmd := &cobra.Command{
		Use: "passwd NAME --users FILE", Short: "Add an account, or change its password or role", Long: ippPasswdLong,
		Example: `  spoolhost ipp passwd ann --users /etc/spoolhost/users
  echo "$secret" | spoolhost ipp passwd olga --users /etc/spoolhost/users --role operator
  spoolhost ipp passwd cups.example.com --users /etc/spoolhost/users --certificate`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := access.ParseRole(role)
			if err != nil {
				return err
			}
			var password string
			if !certificate {
				if password, err = readPassword(cmd.InOrStdin(), cmd.ErrOrStderr()); err != nil {
					return err
				}
			}
			if err := access.SetUser(file, args[0], r, password); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is %s in %s\n", args[0], r, file)
			return nil
		},
	}
	addUsersFlag(cmd, &file)
	cmd.Flags().StringVar(&role, "role", "user", "user, operator or administrator")
	cmd.Flags().BoolVar(&certificate, "certificate", false, "no password: it comes with a client certificate")
	completeFlag(cmd, "role", cobra.FixedCompletions([]string{"user", "operator", "administrator"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func newIPPRemoveCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "remove NAME --users FILE", Short: "Remove an account",
		Long:    "Remove an account from a users file. Jobs that were submitted under it stay.",
		Example: "  spoolhost ipp remove ann --users /etc/spoolhost/users",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := access.RemoveUser(file, args[0]); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s removed from %s\n", args[0], file)
			return nil
		},
	}
	addUsersFlag(cmd, &file)
	return cmd
}

func addUsersFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "users", "", "the users file; it is made if there is none")
	require(cmd, "users")
}

// readPassword reads a password: from a terminal twice, else one line.
func readPassword(in io.Reader, prompt io.Writer) (string, error) {
	if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return askPassword(f, prompt)
	}
	line, err := bufio.NewReader(io.LimitReader(in, 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", spoolerr.As(err, spoolerr.Unavailable, "the password cannot be read")
	}
	password := strings.TrimRight(line, "\r\n")
	if password == "" {
		return "", usagef("no password on standard input; give one line, or --certificate")
	}
	return password, nil
}

func askPassword(f *os.File, prompt io.Writer) (string, error) {
	var twice [2]string
	for i, text := range []string{"Password: ", "Again: "} {
		fmt.Fprint(prompt, text)
		p, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(prompt)
		if err != nil {
			return "", spoolerr.As(err, spoolerr.Cancelled, "the password was not given")
		}
		twice[i] = string(p)
	}
	if twice[0] != twice[1] || twice[0] == "" {
		return "", usagef("the two passwords are not the same, or empty")
	}
	return twice[0], nil
}
