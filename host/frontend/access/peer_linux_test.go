package access

import (
	"net/netip"
	"strings"
	"testing"
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
