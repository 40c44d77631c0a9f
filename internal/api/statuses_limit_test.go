package api_test

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/config"
)

func TestA426NamesTheVersionToGet(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *config.Config) {
		c.MinClients = []config.MinClient{
			{Name: "dreadnode-sdk", Version: "2.1.0"}, {Name: "Keysake", Version: "1.0.0-rc.2"},
		}
	})
	for agent, upgrade := range map[string]string{
		"dreadnode-sdk/2.1.0":                    "",
		"dreadnode-sdk/2.1":                      "",
		"dreadnode-sdk/2.1.0.post1":              "",
		"dreadnode-sdk/2.1.0+build.7":            "",
		"dreadnode-sdk/v2.1.0":                   "",
		"dreadnode-sdk/2.1.1-rc.1":               "",
		"dreadnode-sdk/2.10.0":                   "",
		"dreadnode-sdk/10.0":                     "",
		"dreadnode-sdk/2.1.0 python-httpx/0.1":   "",
		"dreadnode-sdk/2.0.9":                    "dreadnode-sdk/2.1.0",
		"dreadnode-sdk/2.0.99 other/9":           "dreadnode-sdk/2.1.0",
		"dreadnode-sdk/1.99.99":                  "dreadnode-sdk/2.1.0",
		"dreadnode-sdk/2":                        "dreadnode-sdk/2.1.0",
		"dreadnode-sdk/2.1.0-rc.1":               "dreadnode-sdk/2.1.0",
		"dreadnode-sdk/2.1.0a1":                  "dreadnode-sdk/2.1.0",
		"dreadnode-sdk/2.1.0.dev3":               "dreadnode-sdk/2.1.0",
		"dreadnode-sdk":                          "dreadnode-sdk/2.1.0",
		"dreadnode-sdk/":                         "dreadnode-sdk/2.1.0",
		"dreadnode-sdk/latest":                   "dreadnode-sdk/2.1.0",
		"dreadnode-sdk/99999999999999999999.0.0": "dreadnode-sdk/2.1.0",
		"DREADNODE-SDK/2.0.0":                    "dreadnode-sdk/2.1.0",
		"Dreadnode-Sdk/2.1.0":                    "",
		"dreadnode-sdk-js/1.0":                   "",
		"python-httpx/0.27 dreadnode-sdk/1.0":    "", // the first product counts
		"curl/8.0":                               "",
		"":                                       "",
		"keysake/1.0.0-rc.2":                     "",
		"keysake/1.0.0-rc.10":                    "",
		"keysake/1.0.0":                          "",
		"keysake/1.0.0-rc.1":                     "Keysake/1.0.0-rc.2",
		"keysake/0.0.0-devel":                    "Keysake/1.0.0-rc.2",
	} {
		got := s.do(t, get(userPath, s.Key).with("User-Agent", agent))
		want := 200
		if upgrade != "" {
			want = 426
			if got.header.Get("Connection") != "Upgrade" {
				t.Errorf("%s: Connection: %s, want Upgrade", agent, got.header.Get("Connection"))
			}
		}
		if got.status != want || got.header.Get("Upgrade") != upgrade {
			t.Errorf("%s: answered %d with Upgrade %q, want %d with %q",
				agent, got.status, got.header.Get("Upgrade"), want, upgrade)
		}
	}
}

func TestAnOldClientIsToldBeforeItsKeyIsLookedAt(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *config.Config) {
		c.MinClients = []config.MinClient{{Name: "dreadnode-sdk", Version: "2.1.0"}}
	})
	old := http.Header{"User-Agent": {"dreadnode-sdk/1.0.0"}}
	for _, op := range operations(t) {
		want := 426
		if op.Public && !op.HasForm {
			want = op.Success
		}
		got := s.do(t, call{method: op.Method, path: op.URL(), body: "no JSON", header: old})
		if got.status != want {
			t.Errorf("%s: answered %d, want %d", op.ID, got.status, want)
		}
	}
	s.do(t, call{method: "GET", path: "/api/v1/nowhere", header: old}).refused(t, 404)
	s.do(t, call{method: "PATCH", path: userPath, header: old}).refused(t, 405)
}

// cut returns the name and the two numbers of `"name";q=1;w=2`.
func cut(header string) (name, first, second string) {
	name, numbers, _ := strings.Cut(header, ";")
	first, second, _ = strings.Cut(numbers, ";")
	return name, first[min(2, len(first)):], second[min(2, len(second)):]
}

// limits checks the headers of a limit and returns Retry-After, 0 where it is not there.
func (a answer) limits(t *testing.T, policy, left string) int {
	t.Helper()
	if got := a.header.Get("RateLimit-Policy"); got != policy {
		t.Errorf("RateLimit-Policy: %s, want %s", got, policy)
	}
	got := a.header.Get("RateLimit")
	name, _, _ := cut(policy)
	quota, remaining, wait := cut(got)
	if quota != name || remaining != left {
		t.Errorf("RateLimit: %s, want %s left of %s", got, left, name)
	}
	retry := a.header.Get("Retry-After")
	if a.status != http.StatusTooManyRequests {
		if retry != "" {
			t.Errorf("a %d with Retry-After", a.status)
		}
		return 0
	}
	if retry != wait {
		t.Errorf("Retry-After says %s, and RateLimit %s", retry, wait)
	}
	seconds, err := strconv.Atoi(retry)
	if err != nil || seconds < 1 {
		t.Errorf("Retry-After: %s", retry)
	}
	return seconds
}

func TestAKeyThatAsksTooOftenIsA429AndNobodyElseIs(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *config.Config) { c.RateLimit, c.RateBurst = 0.001, 4 })
	me := s.person(t) // two requests by the admin
	ask := get(secretsPath, me.key)
	const policy = `"key";q=4;w=4000`
	for _, left := range []string{"3", "2", "1", "0"} {
		s.do(t, ask).want(t, 200).limits(t, policy, left)
	}
	for range 3 {
		got := s.do(t, ask)
		got.refused(t, 429)
		if wait := got.limits(t, policy, "0"); wait > 1000 {
			t.Errorf("to wait for %d s, and a request is free again after 1000", wait)
		}
	}
	create := post(secretsPath, me.key, custom)
	s.do(t, create).refused(t, 429)
	got := s.do(t, get(userPath, s.Key)).want(t, 200)
	got.limits(t, policy, "1")
	s.do(t, get("/api/v1/health", me.key)).want(t, 200)
	users := s.do(t, get(usersPath, s.Key)).want(t, 200)
	if into[quotaUsed](t, users).used() > 0 {
		t.Error("a request that was refused did its work")
	}
}

// quotaUsed adds up what the list of users says of their secrets.
type quotaUsed struct {
	Users []struct {
		Limits struct{ Secrets struct{ Used int } }
	}
}

func (q quotaUsed) used() (n int) {
	for _, u := range q.Users {
		n += u.Limits.Secrets.Used
	}
	return n
}

// from is a request with a wrong key that claims to come from an address.
func from(address string) call {
	return call{
		method: "GET",
		path:   userPath,
		header: http.Header{"X-Api-Key": {"no-key"}, "X-Forwarded-For": {address}},
	}
}

func TestAnAddressThatFailsTooOftenIsA429ButARightKeyIsLetIn(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *config.Config) { c.AuthFailureLimit = 3 })
	const policy = `"failures";q=3;w=60`
	for i, left := range []string{"2", "1", "0"} {
		// no proxy is trusted: one address
		s.do(t, from("192.0.2."+strconv.Itoa(i))).want(t, 401).limits(t, policy, left)
	}
	for range 2 {
		got := s.do(t, from("192.0.2.9"))
		got.refused(t, 429)
		if wait := got.limits(t, policy, "0"); wait > 20 {
			t.Errorf("to wait for %d s, and a failure is free again after 20", wait)
		}
	}
	s.do(t, get(userPath, noKey)).refused(t, 429)
	s.do(t, get(userPath, s.Key)).want(t, 200)
	s.do(t, get("/api/v1/health", noKey)).want(t, 200)
	s.do(t, from("192.0.2.9")).refused(t, 429)
}

func TestBehindATrustedProxyEachClientFailsOnItsOwn(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *config.Config) {
		c.AuthFailureLimit = 1
		c.TrustedProxies = []netip.Prefix{
			netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"),
		}
	})
	for _, address := range []string{
		"192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8:0:1::1", "",
	} {
		s.do(t, from(address)).want(t, 401)
	}
	for _, same := range []string{
		"192.0.2.1", "198.51.100.7, 192.0.2.1", "no-address, 192.0.2.1", "192.0.2.1, 10.1.2.3",
		"192.0.2.1:4711", "::ffff:192.0.2.1",
		"2001:db8::ffff", "127.0.0.1", "no-address",
	} {
		if got := s.do(t, from(same)); got.status != 429 {
			t.Errorf("X-Forwarded-For: %s: answered %d, want 429", same, got.status)
		}
	}
}

func TestWithoutLimitsNothingIsSaidOfThem(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *config.Config) { c.RateLimit, c.AuthFailureLimit = 0, 0 })
	for range 20 {
		for _, got := range []answer{
			s.do(t, get(userPath, s.Key)).want(t, 200), s.do(t, get(userPath, noKey)).want(t, 401),
		} {
			if got.header.Get("RateLimit") != "" || got.header.Get("RateLimit-Policy") != "" {
				t.Fatalf("a %d has headers of a limit that is off", got.status)
			}
		}
	}
}
