//go:build linux

package supervisor

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	plugin "github.com/hashicorp/go-plugin"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"

	monitorv2 "github.com/spoolhost/spoolhost/proto/spoolhost/monitor/v2"
	pluginv1 "github.com/spoolhost/spoolhost/proto/spoolhost/plugin/v1"
	"github.com/spoolhost/spoolhost/sdk/monitor"
	"github.com/spoolhost/spoolhost/sdk/spool"
	"github.com/spoolhost/spoolhost/sdk/spoolerr"
	"github.com/spoolhost/spoolhost/sdk/wire"
)

// runMode is what this binary does when it was launched again.
func runMode(mode string) {
	switch mode {
	case "replaced":
		replaceSelf()
	case "monitor":
		serveMonitor()
	case "noisy": // writes what a hostile module writes, and then works
		os.Stderr.WriteString(os.Getenv("NOISE"))
		serveMonitor()
	case "megaline":
		os.Stderr.Write(append(bytes.Repeat([]byte("x"), 10<<20), '\n'))
		serveMonitor()
	case "flood":
		go func() {
			real := os.NewFile(2, "stderr") // go-plugin exchanges os.Stderr
			for i := 0; ; i++ {
				fmt.Fprintf(real, "line %d %s\n", i, strings.Repeat("y", 100))
			}
		}()
		serveMonitor()
	case "big":
		wire.Serve(wire.Module{Kind: "test", Name: "big", Register: func(s grpc.ServiceRegistrar, _ *wire.Host, _ *slog.Logger) {
			monitorv2.RegisterPrintMonitorServer(s, bigServer{})
		}})
	case "simple": // a module that does no more than it must
		plugin.Serve(&plugin.ServeConfig{
			HandshakeConfig: plugin.HandshakeConfig{
				ProtocolVersion: wire.ProtocolVersion, MagicCookieKey: wire.CookieKey, MagicCookieValue: wire.CookieValue,
			},
			Plugins: plugin.PluginSet{wire.PluginName: simpleServer{}}, GRPCServer: plugin.DefaultGRPCServer,
		})
	case "exit":
		os.Exit(3)
	case "panic":
		panic("oh no")
	case "say":
		io.WriteString(os.Stdout, os.Getenv("SAY"))
		untilHostDies()
	case "binary":
		junk := make([]byte, 1<<20)
		rand.Read(junk)
		os.Stdout.Write(junk)
		untilHostDies()
	case "silent":
		untilHostDies()
	case "deaf":
		signal.Ignore(syscall.SIGTERM)
		serveMonitor()
	case "close-stdout":
		os.Stdout.Close()
		untilHostDies()
	case "handshake":
		handshake(os.Getenv("VARIANT"))
	case "host":
		runHost()
	}
}

// untilHostDies blocks on the lifeline.
func untilHostDies() { io.Copy(io.Discard, os.NewFile(wire.LifelineFD, "lifeline")) }

// handshake prints a handshake line that is well-formed, with something behind it that is not.
func handshake(variant string) {
	addr := filepath.Join(os.Getenv("PLUGIN_UNIX_SOCKET_DIR"), "s")
	cert := certificate()
	switch variant {
	case "no-socket":
	case "file":
		os.WriteFile(addr, nil, 0o600)
	case "link":
		os.Symlink(os.Getenv(wire.EnvHostAddr), addr)
	case "nobody": // a socket on which nobody listens any more
		l, _ := net.ListenUnix("unix", &net.UnixAddr{Name: addr, Net: "unix"})
		l.SetUnlinkOnClose(false)
		l.Close()
	case "mute": // takes the connection and says nothing
		l, _ := net.Listen("unix", addr)
		defer runtime.KeepAlive(l)
	case "plain", "no-cert-plain": // no TLS, so not the holder of the certificate
		l, _ := net.Listen("unix", addr)
		go grpc.NewServer().Serve(l)
		if variant == "no-cert-plain" { // as one that has the certificate of the host's making
			cert = ""
		}
	case "bad-cert":
		net.Listen("unix", addr)
		cert = strings.Repeat("A", 200)
	case "gone": // a good line, and dead
		net.Listen("unix", addr)
		fmt.Printf("1|1|unix|%s|grpc|%s|false\n", addr, cert)
		os.Exit(0)
	case "outside":
		addr = "/tmp/elsewhere/s"
	}
	fmt.Printf("1|1|unix|%s|grpc|%s|false\n", addr, cert)
	untilHostDies()
}

func certificate() string {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, _ := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	return base64.RawStdEncoding.EncodeToString(der)
}

// bigServer answers with more than the host takes.
type bigServer struct {
	monitorv2.UnimplementedPrintMonitorServer
}

func (bigServer) EnumPorts(context.Context, *monitorv2.EnumPortsRequest) (*monitorv2.EnumPortsResponse, error) {
	return &monitorv2.EnumPortsResponse{Ports: []*monitorv2.PortInfo{{Name: "p", Description: strings.Repeat("d", wire.MaxReply+1)}}}, nil
}

// simpleServer serves neither Drain nor Settle, and its EnumPorts lasts until it is
// cancelled.
type simpleServer struct {
	plugin.NetRPCUnsupportedPlugin
	monitorv2.UnimplementedPrintMonitorServer
	pluginv1.UnimplementedPluginServer
}

func (s simpleServer) GRPCServer(_ *plugin.GRPCBroker, to *grpc.Server) error {
	monitorv2.RegisterPrintMonitorServer(to, s)
	pluginv1.RegisterPluginServer(to, s)
	return nil
}

func (simpleServer) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.ErrUnsupported
}

func (simpleServer) EnumPorts(ctx context.Context, _ *monitorv2.EnumPortsRequest) (*monitorv2.EnumPortsResponse, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func serveMonitor() {
	monitor.Serve(func(context.Context, monitor.Init) (monitor.Monitor, error) { return puppet{}, nil },
		monitor.Name("puppet"), monitor.Version("7"))
}

// puppet is a monitor that does what XcvData says.
type puppet struct{}

func (puppet) EnumPorts(context.Context) ([]spool.PortInfo, error) { return nil, nil }
func (puppet) OpenPort(context.Context, string) (monitor.Port, error) {
	return nil, spoolerr.New(spoolerr.NotFound, spoolerr.CodeUnknownPort, "no ports here")
}

func (puppet) XcvOpenPort(context.Context, string, spool.Access) (monitor.Xcv, error) {
	return puppet{}, nil
}
func (puppet) Shutdown(context.Context) error { return nil }
func (puppet) Close(context.Context) error    { return nil }

func (puppet) Data(ctx context.Context, name string, in []byte) ([]byte, error) {
	switch name {
	case "environ":
		return []byte(strings.Join(os.Environ(), "\n")), nil
	case "fds":
		return openFiles(), nil
	case "cwd":
		dir, err := os.Getwd()
		return []byte(dir), err
	case "hang":
		os.NewFile(2, "stderr").WriteString("hanging\n")
		select {} // obeys nobody
	case "wait": // obeys
		os.NewFile(2, "stderr").WriteString("hanging\n")
		<-ctx.Done()
		return nil, ctx.Err()
	case "linger": // obeys when a file is there
		os.NewFile(2, "stderr").WriteString("hanging\n")
		<-ctx.Done()
		for range time.Tick(time.Millisecond) {
			if _, err := os.Stat(string(in)); err == nil {
				break
			}
		}
		return nil, ctx.Err()
	case "exit":
		os.Exit(4)
	case "panic":
		panic("puppet: " + string(in))
	case "stop":
		runtime.LockOSThread() // sent to the process, another thread might take it, and this one answer
		return nil, unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGSTOP)
	case "spawn": // a grandchild that holds standard output and standard error
		cmd := exec.Command("/bin/sleep", "3600")
		cmd.Stdout, cmd.Stderr = os.NewFile(1, "stdout"), os.NewFile(2, "stderr")
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		return []byte(strconv.Itoa(cmd.Process.Pid)), nil
	case "read":
		return os.ReadFile(string(in))
	case "identity":
		groups, err := os.Getgroups()
		return fmt.Appendf(nil, "%d %d %v", os.Geteuid(), os.Getegid(), groups), err
	case "write":
		return nil, os.WriteFile(filepath.Join(os.TempDir(), "file"), in, 0o600)
	case "dial": // the host services
		conn, err := net.Dial("unix", os.Getenv(wire.EnvHostAddr))
		if err == nil {
			conn.Close()
		}
		return nil, err
	case "leave": // a grandchild that leaves the group and the session
		cmd := exec.Command("/bin/sleep", "3600")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		return []byte(strconv.Itoa(cmd.Process.Pid)), nil
	case "print":
		n, _ := strconv.Atoi(string(in))
		for i := range n {
			fmt.Printf("%d %s\n", i, strings.Repeat("z", 1000))
		}
	}
	return nil, nil
}

func openFiles() []byte {
	entries, _ := os.ReadDir("/proc/self/fd")
	var b bytes.Buffer
	for _, e := range entries {
		target, _ := os.Readlink("/proc/self/fd/" + e.Name())
		fmt.Fprintln(&b, e.Name(), target)
	}
	return b.Bytes()
}
