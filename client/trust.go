package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

const trust = "/user/trust"

// CreateTrustRule lets in programs that show a token of an issuer with certain claims. It needs the
// scope keys:write. 403: the caller's key lacks one of the scopes.
func (c *Client) CreateTrustRule(
	ctx context.Context, in wire.CreateTrustRule,
) (wire.TrustRule, error) {
	return call[wire.TrustRule](ctx, c, http.MethodPost, trust, in)
}

// ListTrustRules returns the caller's rules, newest first, each with the credentials that work. It
// needs the scope keys:write.
func (c *Client) ListTrustRules(ctx context.Context) (wire.TrustRuleList, error) {
	return call[wire.TrustRuleList](ctx, c, http.MethodGet, trust, nil)
}

// RemoveTrustRule ends a rule of the caller, and at once every credential that it gave. It needs
// the scope keys:write. 404: the caller has no rule with this id.
func (c *Client) RemoveTrustRule(ctx context.Context, id string) error {
	path, err := pathOf(trust, id)
	if err != nil {
		return err
	}
	return c.do(ctx, http.MethodDelete, path, nil, nil)
}

// Exchange presents a token to the rule with this id, and returns a credential that works in place
// of an API key, for a short time. It needs no API key. 401: there is no such rule, or the token is
// not accepted. 403: the token lacks a claim, or was exchanged before: it is good for one exchange.
func (c *Client) Exchange(
	ctx context.Context, ruleID string, token plaintext.Value,
) (wire.Exchanged, error) {
	form := url.Values{
		"grant_type":         {wire.GrantTokenExchange},
		"audience":           {ruleID},
		"subject_token":      {string(token.Reveal())},
		"subject_token_type": {wire.TokenTypeJWT},
	}
	var out wire.Exchanged
	err := c.send(ctx, http.MethodPost, "/auth/exchange", []byte(form.Encode()),
		"application/x-www-form-urlencoded", &out)
	return out, err
}
