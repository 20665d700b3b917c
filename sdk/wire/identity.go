package wire

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"os"
	"strconv"
)

// inheritedIdentity gives the TLS of a module whose launcher has made it a certificate; nil
// if it has made none, and go-plugin makes one.
func inheritedIdentity() func() (*tls.Config, error) {
	fd, err := strconv.Atoi(os.Getenv(EnvIdentity))
	if err != nil || fd < 3 {
		return nil
	}
	return func() (*tls.Config, error) {
		return readIdentity(os.NewFile(uintptr(fd), "identity"), os.Getenv("PLUGIN_CLIENT_CERT"))
	}
}

// readIdentity reads certificate and key. Nobody but the holder of the client's certificate
// may call.
func readIdentity(from *os.File, client string) (*tls.Config, error) {
	const most = 64 << 10
	text, err := io.ReadAll(io.LimitReader(from, most))
	_ = from.Close()
	if err != nil {
		return nil, err
	}
	own, err := tls.X509KeyPair(text, text)
	if err != nil {
		return nil, err
	}
	callers := x509.NewCertPool()
	if !callers.AppendCertsFromPEM([]byte(client)) {
		return nil, errors.New("PLUGIN_CLIENT_CERT is no certificate in PEM")
	}
	return &tls.Config{
		Certificates: []tls.Certificate{own}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: callers, MinVersion: tls.VersionTLS12,
	}, nil
}
