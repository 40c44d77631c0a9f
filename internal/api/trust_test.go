package api_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/wire"
)

const (
	trustPath    = "/api/v1/user/trust"
	exchangePath = "/api/v1/auth/exchange"
	audience     = "https://keysake.example.org"
)

// trustRule is the body of one.
const trustRule = `{"issuer": "https://issuer.example.org", "audience": "` + audience + `",
	"claims": [{"name": "sub", "value": "job"}], "scopes": []}`

// form is a call with a form.
func form(values url.Values) call {
	return post(exchangePath, noKey, values.Encode()).
		with("Content-Type", "application/x-www-form-urlencoded")
}

func exchangeForm(rule, token string) url.Values {
	return url.Values{
		"grant_type": {wire.GrantTokenExchange}, "audience": {rule}, "subject_token": {token},
		"subject_token_type": {wire.TokenTypeJWT},
	}
}

func TestAFormThatCanBeReadInTwoWaysIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	good := exchangeForm(nowhere, "a.b.c")
	change := func(name string, values ...string) url.Values {
		changed := url.Values{}
		for n, v := range good {
			changed[n] = v
		}
		changed[name] = values
		return changed
	}
	for name, c := range map[string]struct {
		values url.Values
		fault  string
	}{
		"no grant":         {change("grant_type"), "body.grant_type missing"},
		"another grant":    {change("grant_type", "password"), "body.grant_type enum"},
		"no token":         {change("subject_token"), "body.subject_token missing"},
		"an empty token":   {change("subject_token", ""), "body.subject_token missing"},
		"a token twice":    {change("subject_token", "a", "a"), "body.subject_token value_error"},
		"another kind":     {change("subject_token_type", "saml2"), "body.subject_token_type enum"},
		"no rule":          {change("audience"), "body.audience uuid_parsing"},
		"two rules":        {change("audience", nowhere, nowhere), "body.audience value_error"},
		"a rule in braces": {change("audience", "{"+nowhere+"}"), "body.audience uuid_parsing"},
		"an actor":         {change("actor_token", "a"), "body.actor_token extra_forbidden"},
		"another kind of answer": {
			change("requested_token_type", wire.TokenTypeJWT), "body.requested_token_type enum",
		},
	} {
		got := s.do(t, form(c.values)).want(t, 422)
		if !slices.Equal(got.faults(t), []string{c.fault}) {
			t.Errorf("%s: %q, want %q", name, got.faults(t), c.fault)
		}
	}
	s.do(t, post(exchangePath, noKey, encode(t, members{"audience": nowhere}))).want(t, 415)
	s.do(t, form(good).with("Content-Encoding", "gzip")).want(t, 415)
	broken := form(good)
	broken.body = "audience=%zz"
	s.do(t, broken).want(t, 400)
	s.do(t, form(change("subject_token", strings.Repeat("a", 70<<10)))).want(t, 413)
	s.do(t, form(change("unknown", "is ignored"))).want(t, 401)
	s.do(t, form(good)).want(t, 401)
}

func TestWhoGuessesTokensIsSlowedDown(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *config.Config) { c.AuthFailureLimit = 3 })
	for range 3 {
		s.do(t, form(exchangeForm(nowhere, "a.b.c"))).want(t, 401)
	}
	s.do(t, form(exchangeForm(nowhere, "a.b.c"))).want(t, 429)
}
