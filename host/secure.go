package host

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/net/netutil"

	"github.com/spoolhost/spoolhost/host/frontend/access"
	"github.com/spoolhost/spoolhost/host/frontend/api"
	"github.com/spoolhost/spoolhost/host/trust"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

// APITLS says how the API is served over a network, on addresses "tls:HOST:PORT".
type APITLS struct {
	// Certificate and Key are files; without them the host makes its own.
	Certificate, Key string
	// ClientCA is a file of the authorities whose certificates prove who calls, or empty.
	ClientCA string
	// Users is the file of accounts with passwords, or empty.
	Users string
	// Names are further names of this host, for the certificate that it makes.
	Names []string
}

// apiTLSFile is the block "tls" of the configuration file.
type apiTLSFile struct {
	Certificate *string  `hcl:"certificate"`
	Key         *string  `hcl:"key"`
	ClientCA    *string  `hcl:"client_ca"`
	Users       *string  `hcl:"users"`
	Names       []string `hcl:"names,optional"`
}

func (f *apiTLSFile) apply(to *APITLS, at places) error {
	if f == nil {
		return nil
	}
	set(&to.Certificate, f.Certificate)
	set(&to.Key, f.Key)
	set(&to.ClientCA, f.ClientCA)
	set(&to.Users, f.Users)
	to.Names = f.Names
	if (to.Certificate == "") != (to.Key == "") {
		return spoolerr.New(spoolerr.Invalid, 0, "%s: tls needs certificate and key, or neither", at.of("tls.certificate"))
	}
	return nil
}

// openSecure reads what the API proves itself and others by. A host that listens on no
// network address has no identity, and makes none.
func (h *Host) openSecure() (err error) {
	if !servesTLS(h.cfg.Listen) {
		return nil
	}
	c := h.cfg.TLS
	identity, err := trust.OpenIdentity(filepath.Join(h.cfg.Data, "identity"), c.Names)
	if err != nil {
		return err
	}
	pair := &identity.Pair
	if c.Certificate != "" {
		own, err := tls.LoadX509KeyPair(c.Certificate, c.Key)
		if err != nil {
			return spoolerr.As(err, spoolerr.Invalid, "tls: certificate %s with key %s", c.Certificate, c.Key)
		}
		pair = &own
	}
	h.identity = trust.Fingerprint(pair.Leaf)
	h.secure = &access.Secure{Certificate: func() *tls.Certificate { return pair }, Guesses: access.NewRates(1, time.Now)}
	if c.ClientCA != "" {
		data, err := os.ReadFile(c.ClientCA)
		if err != nil {
			return spoolerr.As(err, spoolerr.NotFound, "tls: client_ca %s", c.ClientCA)
		}
		if h.secure.ClientCA, err = access.ReadAuthorities("tls: client_ca "+c.ClientCA, data); err != nil {
			return err
		}
	}
	if c.Users != "" {
		h.secure.Users, err = access.OpenUsers(c.Users)
	}
	return err
}

func servesTLS(addrs []string) bool {
	for _, a := range addrs {
		if strings.HasPrefix(a, "tls:") {
			return true
		}
	}
	return false
}

// listenTLS opens an address of the network. The number of its connections is bounded.
func listenTLS(ctx context.Context, addr string) (net.Listener, error) {
	const most = 4096
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return nil, spoolerr.New(spoolerr.Invalid, 0, "listen address \"tls:%s\" is not tls:HOST:PORT, such as tls:0.0.0.0:6312", addr)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, listenError("tls:"+addr, err)
	}
	return tlsListener{api.Secure(netutil.LimitListener(l, most))}, nil
}

// tlsListener is a listener whose address a client names with "tls:".
type tlsListener struct{ net.Listener }
