package dial

import "testing"

func TestParse(t *testing.T) {
	for in, want := range map[string]Target{
		"unix:/run/x.sock":         {"unix", "/run/x.sock"},
		"unix:///run/x.sock":       {"unix", "/run/x.sock"},
		"unix:x.sock":              {"unix", "x.sock"},
		"127.0.0.1:6310":           {"tcp", "127.0.0.1:6310"},
		"[::1]:6310":               {"tcp", "[::1]:6310"},
		":6310":                    {"tcp", ":6310"},
		"tls:print.example.com:63": {"tls", "print.example.com:63"},
		"tls:[::1]:6312":           {"tls", "[::1]:6312"},
	} {
		if got, err := Parse(in); err != nil || got != want {
			t.Errorf("%q is %v (%v), want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "unix:", "/run/x.sock", "host", "host:", "tls:", "tls:host", "tls::6312"} {
		if got, err := Parse(in); err == nil {
			t.Errorf("%q was taken as %v", in, got)
		}
	}
}

func TestAccount(t *testing.T) {
	m, _ := password("ann:se:cret").GetRequestMetadata(t.Context())
	if user, secret, ok := Account(m["authorization"]); !ok || user != "ann" || secret != "se:cret" {
		t.Error(user, secret, ok)
	}
	for _, bad := range []string{"", "Basic", "Basic %%", "Bearer eA==", "Basic eA=="} {
		if _, _, ok := Account(bad); ok {
			t.Errorf("%q was taken", bad)
		}
	}
}
