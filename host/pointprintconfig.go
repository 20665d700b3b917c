package host

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"slices"
	"strings"

	"github.com/spoolhost/spoolhost/host/frontend/access"
	"github.com/spoolhost/spoolhost/host/pointprint/client"
	"github.com/spoolhost/spoolhost/host/pointprint/confine"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// PointPrint says what this host takes from the servers whose printers it connects to.
type PointPrint struct {
	client.Policy
	// Environment is the system that drivers are asked for; empty is this machine's.
	Environment string
	// CA is a file of the authorities that servers' certificates must come from; without it
	// each server is known by the identity that it had at the first connection.
	CA string
	// Certificate and Key, or User and PasswordFile, prove to servers who this host is.
	Certificate, Key   string
	User, PasswordFile string

	roots       *x509.CertPool
	certificate *tls.Certificate
	password    string
}

// pointPrintFile is the block "point_and_print" of the configuration file.
type pointPrintFile struct {
	CopyFiles   *string  `hcl:"copy_files"`
	Servers     []string `hcl:"servers,optional"`
	Environment *string  `hcl:"environment"`

	CA           *string `hcl:"ca"`
	Certificate  *string `hcl:"certificate"`
	Key          *string `hcl:"key"`
	User         *string `hcl:"user"`
	PasswordFile *string `hcl:"password_file"`
}

func (f *pointPrintFile) apply(to *PointPrint, at places) error {
	if f == nil {
		return nil
	}
	to.Servers = slices.Clone(f.Servers)
	for _, name := range f.Servers {
		if err := spool.CheckName("spooler", name); err != nil {
			return spoolerr.Wrap(err, "%s: point_and_print: servers", at.of("point_and_print.servers"))
		}
	}
	set(&to.Environment, f.Environment)
	set(&to.CA, f.CA)
	set(&to.Certificate, f.Certificate)
	set(&to.Key, f.Key)
	set(&to.User, f.User)
	set(&to.PasswordFile, f.PasswordFile)
	if (to.Certificate == "") != (to.Key == "") || (to.User == "") != (to.PasswordFile == "") {
		return spoolerr.New(spoolerr.Invalid, 0, "%s: point_and_print: certificate goes with key, and user with password_file", at.of("point_and_print.certificate"))
	}
	if f.CopyFiles == nil {
		return nil
	}
	policy, err := confine.ParsePolicy(*f.CopyFiles)
	if err != nil {
		return spoolerr.Wrap(err, "%s: point_and_print: copy_files", at.of("point_and_print.copy_files"))
	}
	to.CopyFiles = policy
	return nil
}

// open reads the files that the settings name.
func (p *PointPrint) open() error {
	if p.CA != "" {
		data, err := os.ReadFile(p.CA)
		if err != nil {
			return spoolerr.As(err, spoolerr.NotFound, "point_and_print: ca %s", p.CA)
		}
		if p.roots, err = access.ReadAuthorities("point_and_print: ca "+p.CA, data); err != nil {
			return err
		}
	}
	if p.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(p.Certificate, p.Key)
		if err != nil {
			return spoolerr.As(err, spoolerr.Invalid, "point_and_print: certificate %s with key %s", p.Certificate, p.Key)
		}
		p.certificate = &pair
	}
	if p.PasswordFile != "" {
		data, err := os.ReadFile(p.PasswordFile)
		if err != nil {
			return spoolerr.As(err, spoolerr.NotFound, "point_and_print: password_file %s", p.PasswordFile)
		}
		p.password = strings.TrimRight(string(data), "\r\n")
	}
	return nil
}
