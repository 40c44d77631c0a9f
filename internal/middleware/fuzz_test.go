package middleware

import (
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// hops are seeds: what X-Forwarded-For has, and what an attacker might write into it.
var hops = []string{
	"",
	"192.0.2.1",
	"192.0.2.1, 10.0.0.1",
	"10.0.0.2, 10.0.0.1",
	"192.0.2.1:80",
	"[2001:db8::1]:80",
	"2001:db8::1",
	"::ffff:192.0.2.1",
	"fe80::1%eth0",
	"unknown",
	"192.0.2.1,,10.0.0.1",
	" , ",
	"256.0.0.1",
	"10.0.0.1",
	"1.2.3.4, \"quoted\"",
}

func FuzzClientAddress(f *testing.F) {
	if len(hops) == 0 {
		f.Fatal("there are no seeds")
	}
	for _, h := range hops {
		f.Add("192.0.2.7:4711", h)
		f.Add("10.0.0.1:4711", h)
		f.Add("[::1]:4711", h)
		f.Add(h, h)
	}
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	f.Fuzz(func(t *testing.T, remote, forwarded string) {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.RemoteAddr = remote
		r.Header["X-Forwarded-For"] = []string{forwarded}
		peer, got := hostAddress(remote), clientAddress(r, trusted)
		if !isTrusted(peer, trusted) && got != peer {
			t.Fatal("an untrusted peer chose its address")
		}
		if peer.IsValid() != got.IsValid() || got.Is4In6() || got.Zone() != "" {
			t.Fatalf("%v is not a plain address", got)
		}
		if got != peer &&
			!slices.ContainsFunc(
				strings.Split(forwarded, ","),
				func(hop string) bool { return hostAddress(strings.TrimSpace(hop)) == got },
			) {
			t.Fatalf("%v is in none of the hops", got)
		}
		checkRightmost(t, got, trusted)
		if net := Network(got); got.IsValid() &&
			(!net.Contains(got) || net.Bits() != map[bool]int{true: 32, false: 64}[got.Is4()]) {
			t.Fatalf("%v counts as %v", got, net)
		}
	})
}

// checkRightmost checks that an address which a trusted proxy reports counts, and that nothing
// before it does.
func checkRightmost(t *testing.T, got netip.Addr, trusted []netip.Prefix) {
	t.Helper()
	if isTrusted(got, trusted) || !got.IsValid() {
		return
	}
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
	r.RemoteAddr = "10.0.0.1:1"
	r.Header["X-Forwarded-For"] = []string{got.String()}
	if clientAddress(r, trusted) != got {
		t.Fatalf("%v is not taken from a trusted proxy", got)
	}
	r.Header["X-Forwarded-For"] = []string{"203.0.113.99, " + got.String()}
	if clientAddress(r, trusted) != got {
		t.Fatalf("what stands before %v counts", got)
	}
}
