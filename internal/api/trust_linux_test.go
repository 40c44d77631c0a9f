package api_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/issuer/issuertest"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// issuerHost is the host of the issuer in these tests, whose certificate this process trusts.
const issuerHost = "issuer.example.org"

func TestAJobLeasesWithATokenOfItsIssuer(t *testing.T) {
	t.Parallel()
	i, at := issuertest.StartAs(t, issuerHost, providerPair)
	s := start(t, func(c *config.Config) { c.EgressAllow = apptest.Egress(at, issuerHost) })
	me := s.person(t)
	s.secret(t, me.key, "MINE", "any-value")
	rule := into[wire.TrustRule](t, s.do(t, post(trustPath, me.key, encode(t, members{
		"issuer": i.URL, "audience": audience, "scopes": []string{"secrets:read", "leases:write"},
		"claims": []members{{"name": "repository", "value": "acme/evals"}},
	}))).want(t, 201))
	claims := map[string]any{"repository": "acme/evals"}
	token := i.Token("RS256", i.Claims(audience, claims))
	got := into[wire.Exchanged](t, s.do(t, form(exchangeForm(rule.ID, token))).want(t, 200))
	want := wire.Exchanged{
		AccessToken: got.AccessToken, IssuedTokenType: wire.TokenTypeAccess, TokenType: "Bearer",
		ExpiresIn: 900, Scope: "secrets:read leases:write",
	}
	if diff := cmp.Diff(want, got); diff != "" || !strings.HasPrefix(got.AccessToken, "ksw_") {
		t.Errorf("the answer (-want +got):\n%s", diff)
	}
	key := plaintext.FromString(got.AccessToken)
	list := into[wire.SecretList](t, s.do(t, get(secretsPath, key)).want(t, 200))
	if list.Total != 1 || list.Secrets[0].Name != "MINE" {
		t.Errorf("the job sees %+v", list)
	}
	s.do(t, get(trustPath, key)).want(t, 403)
	s.do(t, form(exchangeForm(rule.ID, token))).want(t, 403)
	s.do(t, del(keysPath+"/self", key)).want(t, 204)
	s.do(t, get(secretsPath, key)).want(t, 401)

	narrow := exchangeForm(rule.ID, i.Token("ES256", i.Claims(audience, claims)))
	narrow.Set("scope", "secrets:read")
	got = into[wire.Exchanged](t, s.do(t, form(narrow)).want(t, 200))
	if got.Scope != "secrets:read" {
		t.Errorf("the scope is %s", got.Scope)
	}
	s.do(t, del(trustPath+"/"+rule.ID, me.key)).want(t, 204)
	s.do(t, get(secretsPath, plaintext.FromString(got.AccessToken))).want(t, 401)
	if strings.Contains(s.Logs.String(), token) || strings.Contains(s.Logs.String(), "ksw_") {
		t.Error("the log has a token")
	}
}
