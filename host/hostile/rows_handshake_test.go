//go:build linux

package hostile

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/proto"

	"github.com/spoolhost/spoolhost/host/eventlog"
	pluginv1 "github.com/spoolhost/spoolhost/proto/spoolhost/plugin/v1"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// handshakeRows end or lie before the first call of the monitor's own service.
func handshakeRows() []row {
	rows := []row{
		{name: "says nothing", do: waits, says: "no handshake within"},
		{name: "stops itself", do: func(*module) { stopSelf(); waits(nil) }, says: "no handshake within"},
		{name: "takes the connection and is mute", do: func(m *module) { listen(); lines("1|1|unix|%s|grpc|%s|false", waits)(m) }, says: "no handshake within"},
		{name: "blocks in Describe", do: on("Describe", hang), says: "Describe"},
		{name: "exits before any output", do: exits, says: "without a handshake line"},
		{name: "exits after half a line", do: saying("1|1|unix|/tmp", exits), says: "is cut off"},
		{name: "exits after the line", do: lines("1|1|unix|%s|grpc|%s|false", exits), says: "is not a socket"},
		{name: "exits when it listens", do: func(m *module) { listen(); lines("1|1|unix|%s|grpc|%s|false", exits)(m) }, says: "it ended during its start: exit status 3"},
		{name: "exits in Describe", do: on("Describe", exit), says: "ended unexpectedly: exit status 3"},
		{name: "panics at once", do: func(*module) { panic("no such luck") }, says: "no such luck"},
		{name: "closes standard output", do: func(*module) { _ = os.Stdout.Close(); waits(nil) }, says: "without a handshake line"},
		{name: "writes a gigabyte without a newline", do: func(*module) { flood(os.Stdout, bytes.Repeat([]byte("x"), 64<<10), 1<<30); waits(nil) }, says: "longer than"},
		{name: "writes a gigabyte of lines", do: func(*module) { flood(os.Stdout, bytes.Repeat([]byte("y\n"), 32<<10), 1<<30); waits(nil) }, says: "handshake failed"},
		{name: "writes binary", do: func(*module) { flood(os.Stdout, junk(1<<20), 1<<20); waits(nil) }, says: "handshake failed"},
		{name: "writes a line of 10 MB", do: func(*module) { flood(os.Stdout, append(bytes.Repeat([]byte("z"), 10<<20), '\n'), 10<<20); waits(nil) }, says: "longer than"},
		{name: "says hello", do: saying("hello world\n", waits), says: "handshake failed"},
		{name: "speaks another core protocol", do: lines("2|1|unix|%s|grpc|%s|false", waits), says: "handshake failed"},
		{name: "speaks another version", do: lines("1|99|unix|%s|grpc|%s|false", waits), says: "handshake failed"},
		{name: "speaks net rpc", do: lines("1|1|unix|%s|netrpc|%s|false", waits), says: "is not grpc"},
		{name: "gives a TCP address elsewhere", do: saying("1|1|tcp|192.0.2.1:22|grpc|"+certificate()+"|false\n", waits), says: "only a Unix socket is accepted"},
		{name: "gives a socket elsewhere", do: saying("1|1|unix|/var/run/docker.sock|grpc|"+certificate()+"|false\n", waits), says: "not in the directory"},
		{name: "gives a link to a socket", do: func(m *module) {
			_ = os.Symlink(os.Getenv(wire.EnvHostAddr), socketPath())
			lines("1|1|unix|%s|grpc|%s|false", waits)(m)
		}, says: "is not a socket"},
		{name: "gives no certificate", do: func(m *module) { listen(); saying("1|1|unix|"+socketPath()+"|grpc||false\n", waits)(m) }, says: "no certificate"},
		{name: "gives rubbish for a certificate", do: func(m *module) {
			listen()
			saying("1|1|unix|"+socketPath()+"|grpc|"+strings.Repeat("A", 200)+"|false\n", waits)(m)
		}, says: "certificate"},
		{name: "serves with another certificate", do: func(m *module) {
			der, key := newCertificate()
			serving := credentials.NewServerTLSFromCert(&tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key})
			l := listen() // before the line
			go func() { _ = grpc.NewServer(grpc.Creds(serving)).Serve(l) }()
			lines("1|1|unix|%s|grpc|%s|false", waits)(m)
		}, says: "not with the certificate of its handshake"},
		{name: "serves in plain text", do: func(m *module) {
			l := listen()
			go func() { _ = grpc.NewServer().Serve(l) }()
			lines("1|1|unix|%s|grpc|%s|false", waits)(m)
		}, says: "not with the certificate of its handshake"},
		{name: "is a toaster", do: func(m *module) { m.kind = "toaster" }, says: `is of kind "toaster"`},
		{name: "serves no monitor", do: func(m *module) { m.services = []string{"acme.v1.Toaster"} }, says: "serves neither"},
		{name: "describes itself in 20 MB", do: after("Describe", func(r proto.Message) {
			r.(*pluginv1.DescribeResponse).Version = strings.Repeat("v", 20<<20)
		}), says: "Describe"},
	}
	for i := range rows {
		r := &rows[i]
		r.refused, r.state, r.event = r.says, "backoff", eventlog.MonitorInitializeFailed
		if strings.Contains(r.name, "in Describe") && strings.HasPrefix(r.name, "exits") {
			r.event = eventlog.MonitorRestarting
		}
	}
	quarantined := row{
		name: "fails at every start until it is quarantined", do: exits, says: "is quarantined",
		event: eventlog.MonitorQuarantined, state: "quarantined",
	}
	return append([]row{quarantined}, rows...) // what takes longest begins first
}

// The pieces that misbehaviours are made of.

func exit(context.Context) error { os.Exit(3); return nil }

func exits(*module) { os.Exit(3) }

// waits serves nobody until the host ends it.
func waits(*module) {
	_, _ = io.Copy(io.Discard, os.NewFile(wire.LifelineFD, "lifeline"))
	os.Exit(0)
}

func hang(context.Context) error { select {} }

// on does something at the beginning of a method.
func on(method string, fault func(context.Context) error) func(*module) {
	return func(m *module) { m.before[method] = fault }
}

// after changes a method's reply.
func after(method string, change func(proto.Message)) func(*module) {
	return func(m *module) { m.after[method] = change }
}

func saying(text string, then func(*module)) func(*module) {
	return func(m *module) {
		_, _ = os.Stdout.WriteString(text)
		then(m)
	}
}

// lines says a handshake line with the address and the certificate that it should have.
func lines(format string, then func(*module)) func(*module) {
	return func(m *module) { saying(fmt.Sprintf(format, socketPath(), certificate())+"\n", then)(m) }
}

func socketPath() string { return filepath.Join(os.Getenv("PLUGIN_UNIX_SOCKET_DIR"), "s") }

func listen() net.Listener {
	l, err := net.Listen("unix", socketPath())
	if err != nil {
		panic(err)
	}
	return l
}

func certificate() string {
	der, _ := newCertificate()
	return base64.RawStdEncoding.EncodeToString(der)
}

func newCertificate() (der []byte, key *ecdsa.PrivateKey) {
	key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, _ = x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	return der, key
}

func junk(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

// flood writes at least so many bytes.
func flood(w io.Writer, chunk []byte, total int) {
	for sent := 0; sent < total; {
		n, err := w.Write(chunk)
		if sent += n; err != nil {
			return
		}
	}
}
