package main

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/spoolhost/spoolhost/host/dial"
	"github.com/spoolhost/spoolhost/host/frontend/access"
	"github.com/spoolhost/spoolhost/host/trust"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// addressVariable names a host for all commands that have no --addr.
const addressVariable = "SPOOLHOST_ADDR"

// defaultAddr is where a host listens, and where a client looks for it, when neither is
// told: the system's socket for root, else one of the user's own.
func defaultAddr() string {
	uid := os.Getuid()
	if uid == 0 {
		return "unix:/run/spoolhost/api.sock"
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return "unix:" + filepath.Join(dir, "spoolhost.sock")
	}
	if uid < 0 { // Windows has no user numbers, and its temporary directory is the user's own.
		return "unix:" + filepath.Join(os.TempDir(), "spoolhost.sock")
	}
	return "unix:/tmp/spoolhost-" + strconv.Itoa(uid) + ".sock"
}

// clientAddr is the address that a command uses: the flag, the environment, the default.
func clientAddr(flag string) (dial.Target, error) {
	target, err := dial.Parse(cmp.Or(flag, os.Getenv(addressVariable), defaultAddr()))
	if err != nil {
		return target, usagef("%s", err)
	}
	return target, nil
}

// proof are the flags by which the two ends of a tls: address know each other.
type proof struct {
	ca, fingerprint, knownHosts, user, passwordFile, certificate, key string
}

// The environment beside the flags.
const (
	accountVariable    = "SPOOLHOST_ACCOUNT"
	passwordVariable   = "SPOOLHOST_PASSWORD" //nolint:gosec // the name of one
	knownHostsVariable = "SPOOLHOST_KNOWN_HOSTS"
)

func (p *proof) add(flags *pflag.FlagSet) {
	flags.StringVar(&p.ca, "ca", "", "tls: file of the authority that the host's certificate comes from")
	flags.StringVar(&p.fingerprint, "fingerprint", "", "tls: the host's identity, SHA256:... as \"spoolhost status\" shows it there")
	flags.StringVar(&p.knownHosts, "known-hosts", "", "tls: file that remembers hosts without --ca and --fingerprint (default $"+knownHostsVariable+", else spoolhost/known_hosts in your configuration directory)")
	flags.StringVar(&p.user, "account", "", "tls: your account on the host (default $"+accountVariable+")")
	flags.StringVar(&p.passwordFile, "password-file", "", "tls: file with the account's password (default: $"+passwordVariable+")")
	flags.StringVar(&p.certificate, "client-certificate", "", "tls: file of your client certificate")
	flags.StringVar(&p.key, "client-key", "", "tls: file of its key")
}

// options reads what the flags name. On first use of a host, notice is written to.
func (p proof) options(target dial.Target, notice io.Writer) (o dial.Options, err error) {
	if target.Network != "tls" {
		return o, nil
	}
	o.User, o.Password = cmp.Or(p.user, os.Getenv(accountVariable)), os.Getenv(passwordVariable)
	if p.passwordFile != "" {
		data, err := os.ReadFile(p.passwordFile)
		if err != nil {
			return o, spoolerr.As(err, spoolerr.NotFound, "password file %s", p.passwordFile)
		}
		o.Password = strings.TrimRight(string(data), "\r\n")
	}
	if o.User != "" && o.Password == "" {
		return o, usagef("no password for account %s; give --password-file or set %s", o.User, passwordVariable)
	}
	if p.certificate != "" {
		pair, err := tls.LoadX509KeyPair(p.certificate, cmp.Or(p.key, p.certificate))
		if err != nil {
			return o, spoolerr.As(err, spoolerr.Invalid, "client certificate %s with key %s", p.certificate, cmp.Or(p.key, p.certificate))
		}
		o.Certificate = &pair
	}
	o.Fingerprint = p.fingerprint
	if p.ca != "" {
		data, err := os.ReadFile(p.ca)
		if err != nil {
			return o, spoolerr.As(err, spoolerr.NotFound, "authority %s", p.ca)
		}
		o.Roots, err = access.ReadAuthorities("authority "+p.ca, data)
		return o, err
	}
	o.Pins = &trust.Pins{Path: cmp.Or(p.knownHosts, os.Getenv(knownHostsVariable), defaultKnownHosts())}
	o.Pins.Met = func(addr, fingerprint string) {
		fmt.Fprintf(notice, "first time at %s: its identity is %s; compare it with \"spoolhost status\" there (kept in %s)\n", addr, fingerprint, o.Pins.Path)
	}
	return o, nil
}

func defaultKnownHosts() string {
	dir, err := os.UserConfigDir()
	if err != nil {
		dir = "/etc"
	}
	return filepath.Join(dir, "spoolhost", "known_hosts")
}
