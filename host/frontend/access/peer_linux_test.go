package access

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// As the kernel writes it, cut to what matters.
const socketTable = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 100 1
   1: 0100007F:C001 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 101 1
   2: 0100007F:C002 0100007F:1F90 06 00000000:00000000 03:00000000 00000000     0        0 0 3
   3: 0100007F:C003 0100007F:1F90 05 00000000:00000000 00:00000000 00000000     0        0 0 3
   4: 0100007F:C004 0100007F:1F90 01 00000000:00000000 00:00000000 00000000   bad        0 104 1
   5: 00000000000000000000000001000000:C005 00000000000000000000000001000000:1F90 01 0:0 0:0 0 1001 0 105 1
   6: 0000000000000000FFFF00000100007F:C006 0000000000000000FFFF00000100007F:1F90 01 0:0 0:0 0 1002 0 106 1
   7: 0100007F:C007 0100007F:1F90 01 00000000:00000000 00:00000000 00000000 4294967295 0 107 1
   8: short
`

func TestFindSocket(t *testing.T) {
	cases := []struct {
		local, remote string
		uid           int64
		found         bool
	}{
		{"127.0.0.1:49153", "127.0.0.1:8080", 1000, true},
		{"127.0.0.1:49153", "127.0.0.1:8081", 0, false},
		{"127.0.0.2:49153", "127.0.0.1:8080", 0, false},
		{"127.0.0.1:49154", "127.0.0.1:8080", 0, false}, // TIME_WAIT: uid 0 is nobody's
		{"127.0.0.1:49155", "127.0.0.1:8080", 0, false}, // FIN_WAIT2: the same
		{"127.0.0.1:49156", "127.0.0.1:8080", 0, false},
		{"[::1]:49157", "[::1]:8080", 1001, true},
		{"127.0.0.1:49158", "127.0.0.1:8080", 1002, true}, // by way of IPv6
		{"127.0.0.1:49159", "127.0.0.1:8080", 0, false},
		{"127.0.0.1:8080", "127.0.0.1:49153", 0, false}, // the other end
	}
	for _, c := range cases {
		uid, found := findSocket(strings.NewReader(socketTable), netip.MustParseAddrPort(c.local), netip.MustParseAddrPort(c.remote))
		if found != c.found || found && uid != c.uid {
			t.Errorf("%s to %s: %d %v, want %d %v", c.local, c.remote, uid, found, c.uid, c.found)
		}
	}
}

// The kernel answers what its table says, for each way in which two ends can be connected.
func TestAskKernel(t *testing.T) {
	for _, c := range []struct{ listen, dial string }{
		{"127.0.0.1:0", "127.0.0.1"}, {"[::1]:0", "::1"}, {"[::]:0", "127.0.0.1"}, {"[::]:0", "::1"}, {"127.0.0.1:0", "::ffff:127.0.0.1"},
	} {
		t.Run(c.listen+" "+c.dial, func(t *testing.T) {
			l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", c.listen)
			if errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.EAFNOSUPPORT) {
				t.Logf("this machine has no IPv6: %v", err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = l.Close() }()
			_, port, _ := net.SplitHostPort(l.Addr().String())
			client, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", net.JoinHostPort(c.dial, port))
			if err != nil {
				t.Fatal(err)
			}
			here, there := netip.MustParseAddrPort(client.LocalAddr().String()), netip.MustParseAddrPort(client.RemoteAddr().String())
			if uid, found := askKernel(here, there); !found || uid != int64(os.Getuid()) {
				t.Errorf("uid %d %v, want %d", uid, found, os.Getuid())
			}
			nobody := netip.AddrPortFrom(here.Addr(), there.Port())
			if uid, found := askKernel(nobody, there); found {
				t.Errorf("a socket that is not there has uid %d", uid)
			}
			_ = client.Close() // the server's end stays: FIN_WAIT2 has no owner
			if uid, found := askKernel(here, there); found {
				t.Errorf("a caller who hung up has uid %d", uid)
			}
		})
	}
}

func TestDiagOwner(t *testing.T) {
	local, remote := netip.MustParseAddrPort("127.0.0.1:49153"), netip.MustParseAddrPort("127.0.0.1:8080")
	good := make([]byte, diagAnswerLen)
	binary.NativeEndian.PutUint16(good[4:], diagByFamily)
	good[diagState] = 1
	binary.BigEndian.PutUint16(good[diagPorts:], local.Port())
	binary.BigEndian.PutUint16(good[diagPorts+2:], remote.Port())
	binary.NativeEndian.PutUint32(good[diagUID:], 1000)
	if uid, found := diagOwner(good, local, remote); !found || uid != 1000 {
		t.Fatalf("uid %d %v", uid, found)
	}
	for name, spoil := range map[string]func(b []byte) []byte{
		"an error":       func(b []byte) []byte { b[4] = 2; return b },
		"cut":            func(b []byte) []byte { return b[:diagAnswerLen-1] },
		"hung up":        func(b []byte) []byte { b[diagState] = 4; return b },
		"listens":        func(b []byte) []byte { b[diagState] = 10; return b },
		"another port":   func(b []byte) []byte { b[diagPorts]++; return b },
		"another remote": func(b []byte) []byte { b[diagPorts+2]++; return b },
		"nobody":         func(b []byte) []byte { copy(b[diagUID:], "\xff\xff\xff\xff"); return b },
	} {
		if uid, found := diagOwner(spoil(slices.Clone(good)), local, remote); found {
			t.Errorf("%s: uid %d", name, uid)
		}
	}
}

func FuzzFindSocket(f *testing.F) {
	f.Add(socketTable)
	f.Add("0: :: : 01 a b c 0")
	f.Fuzz(func(t *testing.T, table string) {
		local, remote := netip.MustParseAddrPort("127.0.0.1:49153"), netip.MustParseAddrPort("127.0.0.1:8080")
		if uid, found := findSocket(strings.NewReader(table), local, remote); found && (uid < 0 || !strings.Contains(strings.ToUpper(table), ":C001")) {
			t.Errorf("uid %d from %q", uid, table)
		}
	})
}
