package netport

import (
	"strings"
	"testing"
)

func TestHosts(t *testing.T) {
	good := map[string]string{
		"printer": "printer", "lp_1.example.com": "lp_1.example.com", "printer.local.": "printer.local.",
		"3com": "3com", "10.0.0.5": "10.0.0.5", "::1": "::1", "[::1]": "::1", "2001:DB8::9": "2001:db8::9",
		"fe80::1%eth0": "fe80::1%eth0", "[fe80::1%eth0]": "fe80::1%eth0",
	}
	for host, want := range good {
		if plain, remedy := CheckHost(host); plain != want || remedy != "" {
			t.Errorf("%s: %s %s", host, plain, remedy)
		}
	}
	bad := []string{
		".", "a..b", "-a", "a-", "a b", "a/b", "pr\u00fcnter", "10.0.0.300", "10.0.0", "1", "printer:9100",
		"10.0.0.5:9100", "[10.0.0.5]", "[::1", "[::1]:9100", "0.0.0.0", "::", "224.0.0.1", "255.255.255.255",
		"ff02::1", "::ffff:0.0.0.0", "fe80::1%a/b", "fe80::1%" + strings.Repeat("x", 16), strings.Repeat("a", 64),
		strings.Repeat("a.", 127) + "a", "a\x00b",
	}
	for _, host := range bad {
		if _, remedy := CheckHost(host); !strings.HasPrefix(remedy, "give ") {
			t.Errorf("%q accepted (%s)", host, remedy)
		}
	}
}
