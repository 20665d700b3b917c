package access

import (
	"net"
	"os"
	"testing"

	"github.com/spoolhost/spoolhost/host/job"
)

func TestPeerUID(t *testing.T) {
	for _, network := range []string{"unix", "tcp"} {
		t.Run(network, func(t *testing.T) {
			addr := "127.0.0.1:0"
			if network == "unix" {
				addr = shortDir(t) + "/s"
			}
			l, err := net.Listen(network, addr)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			client, err := net.Dial(network, l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			conn, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if uid, err := PeerUID(conn); err != nil || uid != int64(os.Getuid()) {
				t.Errorf("%d %v", uid, err)
			}
			// One who hung up is nobody, though the kernel's table says uid 0 of it.
			_ = client.Close()
			if network == "tcp" {
				if uid, err := PeerUID(conn); err == nil {
					t.Errorf("a caller who hung up is uid %d", uid)
				}
			}
		})
	}
	a, c := net.Pipe()
	defer a.Close()
	defer c.Close()
	if uid, err := PeerUID(a); err == nil {
		t.Errorf("a pipe has uid %d", uid)
	}
}

func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "access") // t.TempDir is too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestOwns(t *testing.T) {
	root, ann := Caller{UID: 0, Name: "root", Role: Administrator}, Caller{UID: 1000, Name: "ann"}
	web, said := Caller{UID: -1, Name: "ann", Account: "ann"}, Caller{UID: -1, Name: "ann"}
	kernels, accounts, anybodys := &job.Job{UID: 1000, User: "ann"}, &job.Job{UID: -1, User: "ann", Account: "ann"}, &job.Job{UID: -1, User: "ann"}
	for _, c := range []struct {
		name          string
		caller        Caller
		job           *job.Job
		owns, handles bool
	}{
		{"the administrator handles all", root, kernels, false, true},
		{"the kernel's user owns by number", ann, kernels, true, true},
		{"an account is another world", ann, accounts, false, false},
		{"an account owns its own", web, accounts, true, true},
		{"an account does not own what a name said", web, anybodys, false, false},
		{"a name owns what came under it", said, anybodys, true, false},
		{"a name proves nothing", said, kernels, false, false},
		{"nor against an account", said, accounts, false, false},
		{"no name owns nothing", Caller{UID: -1}, &job.Job{UID: -1}, false, false},
	} {
		if c.caller.Owns(c.job) != c.owns || c.caller.MayHandle(c.job) != c.handles {
			t.Errorf("%s: owns %v, handles %v", c.name, c.caller.Owns(c.job), c.caller.MayHandle(c.job))
		}
	}
}

func TestMayPrint(t *testing.T) {
	ann, said, op := Caller{UID: 1000, Name: "ann"}, Caller{UID: -1, Name: "ann"}, Caller{UID: 5, Name: "op", Role: Operator}
	for _, c := range []struct {
		caller      Caller
		allow, deny []string
		may         bool
	}{
		{ann, nil, nil, true}, {said, nil, nil, true},
		{ann, []string{"bob", "ANN"}, nil, true}, {said, []string{"ann"}, nil, false},
		{ann, []string{"bob"}, nil, false}, {op, []string{"bob"}, nil, true},
		{ann, nil, []string{"ann"}, false}, {said, nil, []string{"ann"}, false}, {ann, []string{"ann"}, []string{"ann"}, false},
		{ann, []string{"@no such group"}, nil, false},
		{Caller{UID: 0, Name: "root"}, []string{"@root"}, nil, true}, {Caller{UID: -1, Name: "root"}, []string{"@root"}, nil, false},
	} {
		if got := c.caller.MayPrint(c.allow, c.deny); got != c.may {
			t.Errorf("%+v with allow %v deny %v: %v", c.caller, c.allow, c.deny, got)
		}
	}
}
