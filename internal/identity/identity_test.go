package identity_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/identity"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// start returns an Identity on a database of its own, and two tokens of one user.
func start(t *testing.T) (who *identity.Identity, v *vault.Service, first, second string) {
	t.Helper()
	cfg := apptest.Config(t)
	roots := instance.NewKeys(cfg, nil)
	i, err := instance.Open(t.Context(), cfg, roots, instance.Create)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	})
	admin, err := vault.NewUsername("admin")
	if err != nil {
		t.Fatal(err)
	}
	var tokens [2]plaintext.Value
	for n := range tokens {
		tokens[n], err = i.Operator.CreateAdmin(t.Context(), admin, vault.KeyName{})
		if err != nil {
			t.Fatal(err)
		}
	}
	return identity.New(i.Vault), i.Vault, string(tokens[0].Reveal()), string(tokens[1].Reveal())
}

// headers makes a header of names and values in turn, as a server that read them from a request has
// it.
func headers(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

func TestOneTokenIsItsCallerInEitherHeader(t *testing.T) {
	who, v, first, second := start(t)
	want, err := v.Authenticate(t.Context(), plaintext.FromString(first))
	if err != nil {
		t.Fatal(err)
	}
	if other, err := v.Authenticate(t.Context(), plaintext.FromString(second)); err != nil ||
		other.Credential == want.Credential {
		t.Fatalf("the two tokens are of one key (%v)", err)
	}
	for name, h := range map[string]http.Header{
		"Authorization":             headers("Authorization", "Bearer "+first),
		"a bearer in small letters": headers("Authorization", "bearer "+first),
		"a bearer in capitals":      headers("Authorization", "BEARER "+first),
		"several spaces":            headers("Authorization", "Bearer   "+first),
		"X-API-Key":                 headers("X-API-Key", first),
		"both, with the same":       headers("Authorization", "Bearer "+first, "X-API-Key", first),
		"twice the same, in one": headers(
			"Authorization", "Bearer "+first, "Authorization", "Bearer "+first,
		),
		"twice the same, in another": headers("X-API-Key", first, "X-API-Key", first),
		"what other headers there be": headers(
			"X-API-Key", first, "Cookie", "key="+second, "Proxy-Authorization", "Bearer "+second,
			"X-Api-Key-2", second,
		),
	} {
		got, err := who.Authenticate(t.Context(), h)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestAnythingElseIsNobody(t *testing.T) {
	who, _, first, second := start(t)
	for name, h := range map[string]http.Header{
		"nothing":    {},
		"two tokens": headers("Authorization", "Bearer "+first, "X-API-Key", second),
		"two tokens, the other way round": headers(
			"Authorization", "Bearer "+second, "X-API-Key", first,
		),
		"two tokens in Authorization": headers(
			"Authorization", "Bearer "+first, "Authorization", "Bearer "+second,
		),
		"two tokens in X-API-Key":  headers("X-API-Key", first, "X-API-Key", second),
		"two tokens in one line":   headers("Authorization", "Bearer "+first+", Bearer "+second),
		"a token and an empty one": headers("Authorization", "Bearer "+first, "X-API-Key", ""),
		"the same, and then another": headers(
			"X-API-Key", first, "X-API-Key", first, "X-API-Key", second,
		),
		"a token and another scheme": headers("Authorization", "Basic YTpi", "X-API-Key", first),
		"a token that is only a part": headers(
			"Authorization", "Bearer "+first, "X-API-Key", first[:len(first)-1],
		),
		"another scheme":               headers("Authorization", "Basic "+first),
		"no scheme":                    headers("Authorization", first),
		"a scheme that only begins so": headers("Authorization", "Bearerx "+first),
		"a scheme without a space":     headers("Authorization", "Bearer"+first),
		"a tab for a space":            headers("Authorization", "Bearer\t"+first),
		"a space before the scheme":    headers("Authorization", " Bearer "+first),
		"an empty Authorization":       headers("Authorization", ""),
		"a bearer of nothing":          headers("Authorization", "Bearer"),
		"a bearer of spaces":           headers("Authorization", "Bearer   "),
		"an empty X-API-Key":           headers("X-API-Key", ""),
		"a scheme in X-API-Key":        headers("X-API-Key", "Bearer "+first),
		"a space after it":             headers("X-API-Key", first+" "),
		"no token":                     headers("X-API-Key", "ksk_canary"),
		"another capital":              headers("X-API-Key", "K"+first[1:]),
		"a cookie":                     headers("Cookie", "X-API-Key="+first),
	} {
		got, err := who.Authenticate(t.Context(), h)
		if err == nil || vault.KindOf(err) != vault.Unauthenticated {
			t.Errorf("%s: got %v", name, err)
			continue
		}
		if !cmp.Equal(got, vault.Actor{}, cmpopts.EquateComparable(netip.Addr{})) {
			t.Errorf("%s: an error, and yet a caller", name)
		}
		if text := err.Error(); strings.Contains(text, "ksk_") || strings.Contains(text, "canary") {
			t.Errorf("%s: the error repeats what was presented", name)
		}
	}
}
