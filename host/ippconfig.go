package host

import (
	"time"

	"github.com/spoolhost/spoolhost/host/frontend/ipp"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// DefaultIPP is where print dialogs of this machine find the host.
const DefaultIPP = "127.0.0.1:8631"

// ippFile is the block "ipp" of the configuration file.
type ippFile struct {
	Listen      []string `hcl:"listen,optional"`
	Users       *string  `hcl:"users"`
	Anonymous   *string  `hcl:"anonymous"`
	Names       []string `hcl:"names,optional"`
	Connections *int     `hcl:"connections"`
	MaxDocument *int64   `hcl:"max_document"`
	Silence     *string  `hcl:"silence"`
	Rate        *float64 `hcl:"rate"`
	Discovery   *bool    `hcl:"discovery"`
	TLS         *tlsFile `hcl:"tls,block"`
}

type tlsFile struct {
	Certificate *string `hcl:"certificate"`
	Key         *string `hcl:"key"`
	ClientCA    *string `hcl:"client_ca"`
}

func (f *ippFile) apply(to *IPP, at places) error {
	if f == nil {
		return nil
	}
	to.Listen, to.Names = f.Listen, f.Names
	if f.Listen == nil {
		to.Listen = []string{DefaultIPP}
	}
	set(&to.Users, f.Users)
	set(&to.Discovery, f.Discovery)
	set(&to.Limits.Connections, f.Connections)
	set(&to.Limits.Document, f.MaxDocument)
	if f.Anonymous != nil {
		to.Anonymous = ipp.Anonymous(*f.Anonymous)
	}
	if f.TLS != nil {
		to.TLS = &IPPTLS{}
		set(&to.TLS.Certificate, f.TLS.Certificate)
		set(&to.TLS.Key, f.TLS.Key)
		set(&to.TLS.ClientCA, f.TLS.ClientCA)
		if (to.TLS.Certificate == "") != (to.TLS.Key == "") {
			return spoolerr.New(spoolerr.Invalid, 0, "%s: ipp: tls needs certificate and key, or neither", at.of("ipp.listen"))
		}
	}
	if to.Limits.Document < 0 || to.Limits.Connections < 0 {
		return spoolerr.New(spoolerr.Invalid, 0, "%s: ipp: connections and max_document must be positive numbers", at.of("ipp.connections"))
	}
	if err := f.applyRate(to, at); err != nil {
		return err
	}
	var silence time.Duration
	if err := setDuration(&silence, f.Silence, at.of("ipp.silence"), "silence"); err != nil {
		return err
	}
	to.Limits.Silence = silence
	if err := to.check(); err != nil {
		return spoolerr.Wrap(err, "%s", at.of("ipp.listen"))
	}
	return nil
}

// applyRate reads the limit of requests, where 0 is none.
func (f *ippFile) applyRate(to *IPP, at places) error {
	set(&to.Limits.Rate, f.Rate)
	switch {
	case f.Rate == nil:
	case *f.Rate == 0:
		to.Limits.Rate = -1
	case !(*f.Rate > 0):
		return spoolerr.New(spoolerr.Invalid, 0, "%s: ipp: rate must be a number of requests a second, or 0 for no limit", at.of("ipp.rate"))
	}
	return nil
}
