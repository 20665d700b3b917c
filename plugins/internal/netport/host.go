package netport

import (
	"net/netip"
	"strings"
)

// CheckHost gives a host in the form in which it is stored: a name, or an address
// without brackets. Otherwise it says what to give instead.
func CheckHost(host string) (plain, remedy string) {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		if addr, err := netip.ParseAddr(inner); !ok || err != nil || !addr.Is6() {
			return "", "give an IPv6 address between the brackets"
		}
		host = inner
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return checkAddr(addr)
	}
	return host, checkHostName(host)
}

func checkAddr(addr netip.Addr) (plain, remedy string) {
	switch one := addr.WithZone("").Unmap(); {
	case one.IsUnspecified() || one.IsMulticast() || one == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "", "give the address of one printer"
	case !isZone(addr.Zone()):
		return "", "give the name of a network interface after the percent sign"
	}
	return addr.String(), ""
}

func isZone(zone string) bool {
	const most = 15 // IFNAMSIZ without its NUL
	return len(zone) <= most && !strings.ContainsFunc(zone, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune("/%[]", r)
	})
}

// checkHostName takes what DNS, mDNS and hosts files take, but nothing that someone
// meant as an address and mistyped.
func checkHostName(host string) (remedy string) {
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	last := labels[len(labels)-1]
	switch {
	case strings.Contains(host, ":"):
		return "give the name or address alone, and the port number as port=..."
	case len(host) > 253:
		return "give a name of at most 253 characters"
	case last != "" && strings.Trim(last, "0123456789") == "":
		return "give an IPv4 address as four numbers from 0 to 255"
	}
	for _, label := range labels {
		if !isLabel(label) {
			return "give a host name (letters, digits, hyphens, underscores and dots), or an IP address"
		}
	}
	return ""
}

// labelCharacters are those of a host name's label, and the underscore that real ones have.
const labelCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

func isLabel(s string) bool {
	return s != "" && len(s) <= 63 && s[0] != '-' && s[len(s)-1] != '-' &&
		strings.Trim(s, labelCharacters) == ""
}
