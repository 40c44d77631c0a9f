package issuer_test

import (
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/issuer/issuertest"
)

func TestAProviderIsExaminedForAllThatKeepsPeopleOut(t *testing.T) {
	s := startSignIn(t)
	document := func(change map[string]any) map[string]any {
		d := map[string]any{
			"issuer": s.URL, "jwks_uri": s.URL + issuertest.KeySet,
			"authorization_endpoint": s.URL + issuertest.Authorize,
			"token_endpoint":         s.URL + issuertest.Exchange,
		}
		for name, value := range change {
			d[name] = value
		}
		return d
	}
	for what, c := range map[string]struct {
		said any    // in place of the document
		keys any    // in place of its keys
		want string // in the only fault; empty for none
		away bool
	}{
		"its own":       {said: nil},
		"little":        {said: document(nil)},
		"what we know":  {said: document(map[string]any{"id_token_signing_alg_values_supported": []string{"HS256", "RS256"}, "token_endpoint_auth_methods_supported": []string{"client_secret_post", "x"}})},
		"another name":  {said: document(map[string]any{"issuer": s.URL + "/"}), want: "is of another issuer: \"" + s.URL + "/\""},
		"no page":       {said: document(map[string]any{"authorization_endpoint": ""}), want: "no https URL as authorization_endpoint"},
		"plain http":    {said: document(map[string]any{"token_endpoint": "http://x/"}), want: "no https URL as token_endpoint"},
		"a shared key":  {said: document(map[string]any{"id_token_signing_alg_values_supported": []string{"HS256"}}), want: "no algorithm that is accepted"},
		"another proof": {said: document(map[string]any{"token_endpoint_auth_methods_supported": []string{"private_key_jwt"}}), want: "takes no secret"},
		"no keys":       {said: document(map[string]any{"jwks_uri": ""}), want: "not an https URL"},
		"an empty set":  {keys: map[string]any{"keys": []any{}}, want: "no key of a kind that is accepted"},
		"no JSON":       {said: []int{1}, want: "not the JSON that was expected"},
		"a redirect":    {said: s.URL + "/elsewhere", want: "answered 302"},
	} {
		s.Replace(issuertest.Discovery, c.said)
		s.Replace(issuertest.KeySet, c.keys)
		faults := s.provider.Examine(t.Context())
		if c.want == "" && len(faults) == 0 {
			continue
		}
		if len(faults) != 1 || c.want == "" || !strings.Contains(faults[0].Err.Error(), c.want) ||
			faults[0].Advice == "" || faults[0].Away {
			t.Errorf("%s: %+v", what, faults)
		}
	}
	s.Replace(issuertest.Discovery, nil)
	s.Replace(issuertest.KeySet, nil)
	s.SetDown(true)
	if faults := s.provider.Examine(t.Context()); len(faults) != 1 || !faults[0].Away {
		t.Errorf("a provider that is down: %+v", faults)
	}
}
