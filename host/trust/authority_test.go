package trust

import (
	"crypto/x509"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spoolhost/spoolhost/sdk/spoolerr"
)

func newTestAuthority(t testing.TB, name string) *Authority {
	t.Helper()
	a, err := NewAuthority(name)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestTokens(t *testing.T) {
	a, now := newTestAuthority(t, "print"), time.Now()
	good, err := a.Token("print", "10.0.0.1:6312", now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	data, err := a.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	same, err := ParseAuthority(data) // as another node has it
	if err != nil {
		t.Fatal(err)
	}
	if got, err := same.Check(good, now); err != nil || got.Cluster != "print" || got.Address != "10.0.0.1:6312" || got.Authority != Fingerprint(a.Cert) {
		t.Errorf("%+v, %v", got, err)
	}
	late, err := a.Token("print", "10.0.0.1:6312", now.Add(48*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	body, _, _ := strings.Cut(late, ".")
	_, seal, _ := strings.Cut(good, ".")
	for name, c := range map[string]struct {
		token string
		by    *Authority
		at    time.Time
		want  spoolerr.Kind
	}{
		"another cluster's": {good, newTestAuthority(t, "print"), now, spoolerr.Denied},
		"run out":           {good, a, now.Add(2 * time.Hour), spoolerr.Denied},
		"prolonged":         {body + "." + seal, a, now, spoolerr.Denied},
		"cut":               {good[:len(good)-3], a, now, spoolerr.Denied},
		"no token":          {"spoolhost-join-", a, now, spoolerr.Invalid},
		"something else":    {"hello", a, now, spoolerr.Invalid},
		"empty":             {"", a, now, spoolerr.Invalid},
	} {
		if _, err := c.by.Check(c.token, c.at); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMembership(t *testing.T) {
	dir := t.TempDir()
	a := newTestAuthority(t, "print")
	identity, err := OpenIdentity(filepath.Join(dir, "identity"), nil)
	if err != nil {
		t.Fatal(err)
	}
	request, err := identity.Request("Node1", []string{"print.example.com", "10.1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	der, err := a.Sign("node1", request) // under the name that the cluster knows
	if err != nil {
		t.Fatal(err)
	}
	if err := (Membership{Authority: a, Certificate: der}).Save(filepath.Join(dir, "cluster")); err != nil {
		t.Fatal(err)
	}
	m, err := LoadMembership(filepath.Join(dir, "cluster"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := OpenIdentity(filepath.Join(dir, "identity"), nil)
	if err != nil || again.Fingerprint() != identity.Fingerprint() {
		t.Fatalf("the identity changed: %v", err)
	}
	pair, err := again.NodePair(m.Certificate, m.Authority)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"node1", "print.example.com", "10.1.2.3", "127.0.0.1"} {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: a.Pool(), DNSName: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if pair.Leaf.Subject.CommonName != "node1" || Fingerprint(pair.Leaf) != identity.Fingerprint() {
		t.Errorf("%s %s", pair.Leaf.Subject.CommonName, Fingerprint(pair.Leaf))
	}
	other, err := OpenIdentity(filepath.Join(dir, "other"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.NodePair(m.Certificate, m.Authority); !errors.Is(err, spoolerr.Corrupt) {
		t.Errorf("another's certificate: %v", err)
	}
	if _, err := a.Sign("node1", request[:len(request)-2]); !errors.Is(err, spoolerr.Invalid) {
		t.Errorf("a damaged request: %v", err)
	}
}

func FuzzParseToken(f *testing.F) {
	a := newTestAuthority(f, "print")
	good, _ := a.Token("print", "a:1", time.Now().Add(time.Hour))
	f.Add(good)
	f.Add("spoolhost-join-e30.x")
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := a.Check(token, time.Now()); err == nil && token != good {
			t.Errorf("%q was taken", token)
		}
	})
}
