//go:build linux

package chaos

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/spoolhost/spoolhost/host/trust"
)

// The external etcd is closed as one of an operator's is: TLS with certificates of its
// clients, and a user who may use nothing but what is the cluster's.
const (
	etcdUser     = "spoolhost"
	etcdPassword = "a password"
)

func (w *world) etcdURL(m int) string {
	return fmt.Sprintf("https://%s:%d", w.net.address(etcdMachine), 2379+10*m)
}

func (w *world) startEtcd() {
	w.Helper()
	w.certify()
	peer := func(m int) string { return fmt.Sprintf("http://%s:%d", w.net.address(etcdMachine), 2380+10*m) }
	var all []string
	for m := range etcds {
		all = append(all, fmt.Sprintf("e%d=%s", m, peer(m)))
	}
	for m := range etcds {
		name := "e" + strconv.Itoa(m)
		p := &process{make: func() *exec.Cmd {
			return w.logged(w.net.command(etcdMachine, "etcd", "--name", name, "--data-dir", w.path(name), "--max-txn-ops", "8192",
				"--client-cert-auth", "--trusted-ca-file", w.path("tls/"+trust.CAFile), "--cert-file", w.path("tls/"+trust.CertificateFile), "--key-file", w.path("tls/key.pem"),
				"--listen-client-urls", w.etcdURL(m), "--advertise-client-urls", w.etcdURL(m), "--listen-peer-urls", peer(m),
				"--initial-advertise-peer-urls", peer(m), "--initial-cluster", strings.Join(all, ",")), name)
		}}
		w.etcd = append(w.etcd, p)
		if err := p.start(); err != nil {
			w.Fatalf("this form needs etcd (apt-get install etcd-server): %v", err)
		}
	}
	w.closeEtcd()
}

// certify makes an authority and one certificate, which all use.
func (w *world) certify() {
	w.Helper()
	authority, err := trust.NewAuthority("etcd")
	w.ok(err)
	identity, err := trust.OpenIdentity(w.path("tls"), nil)
	w.ok(err)
	request, err := identity.Request("etcd", []string{w.net.address(etcdMachine)})
	w.ok(err)
	certificate, err := authority.Sign("etcd", request)
	w.ok(err)
	w.ok(trust.Membership{Authority: authority, Certificate: certificate}.Save(w.path("tls")))
}

// closeEtcd lets nobody in without a password, and the user to the cluster's keys only.
func (w *world) closeEtcd() {
	w.Helper()
	info := transport.TLSInfo{CertFile: w.path("tls/" + trust.CertificateFile), KeyFile: w.path("tls/key.pem"), TrustedCAFile: w.path("tls/" + trust.CAFile)}
	tls, err := info.ClientConfig()
	w.ok(err)
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{w.etcdURL(0)}, TLS: tls, Logger: zap.NewNop()})
	w.ok(err)
	defer func() { _ = client.Close() }()
	steps := []func(context.Context) error{
		func(ctx context.Context) error { _, err := client.UserAdd(ctx, "root", "another password"); return err },
		func(ctx context.Context) error { _, err := client.UserGrantRole(ctx, "root", "root"); return err },
		func(ctx context.Context) error { _, err := client.RoleAdd(ctx, etcdUser); return err },
		func(ctx context.Context) error {
			const keys = "/spoolhost/chaos/"
			_, err := client.RoleGrantPermission(ctx, etcdUser, keys, clientv3.GetPrefixRangeEnd(keys), clientv3.PermissionType(clientv3.PermReadWrite))
			return err
		},
		func(ctx context.Context) error { _, err := client.UserAdd(ctx, etcdUser, etcdPassword); return err },
		func(ctx context.Context) error { _, err := client.UserGrantRole(ctx, etcdUser, etcdUser); return err },
		func(ctx context.Context) error { _, err := client.AuthEnable(ctx); return err },
	}
	w.until("etcd answers", func() string {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := client.Get(ctx, "-"); err != nil {
			return err.Error()
		}
		return ""
	})
	for _, step := range steps {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		w.ok(step(ctx))
		cancel()
	}
}
