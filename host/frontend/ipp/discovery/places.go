package discovery

import (
	"net"
	"net/netip"
)

// Places says where listeners are reached from other machines: none for one on loopback. A
// listener on every address covers the others; an interface has one port.
func Places(listeners []net.Addr, interfaces []net.Interface, addrsOf func(net.Interface) ([]net.Addr, error)) []Place {
	var places []Place
	seen := make(map[int]bool)
	for _, l := range listeners {
		ap, err := netip.ParseAddrPort(l.String())
		if err != nil || ap.Addr().IsLoopback() {
			continue
		}
		if ap.Addr().IsUnspecified() {
			return []Place{{Port: ap.Port(), Family: unspecifiedFamily(ap.Addr())}}
		}
		if index := interfaceOf(ap.Addr(), interfaces, addrsOf); index > 0 && !seen[index] {
			seen[index] = true
			places = append(places, Place{Interface: index, Port: ap.Port()})
		}
	}
	return places
}

// unspecifiedFamily: a listener on [::] takes IPv4 too.
func unspecifiedFamily(a netip.Addr) int {
	if a.Is4() {
		return 4
	}
	return 0
}

func interfaceOf(a netip.Addr, interfaces []net.Interface, addrsOf func(net.Interface) ([]net.Addr, error)) int {
	for _, i := range interfaces {
		addrs, err := addrsOf(i)
		if err != nil {
			continue
		}
		for _, own := range addrs {
			prefix, err := netip.ParsePrefix(own.String())
			if err == nil && prefix.Addr().Unmap() == a.Unmap().WithZone("") {
				return i.Index
			}
		}
	}
	return 0
}
