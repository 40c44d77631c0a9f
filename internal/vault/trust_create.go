package vault

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
)

// What a rule may have at most, in bytes and numbers.
const (
	maxIssuerText  = 512
	maxClaims      = 16
	maxClaimName   = 128
	maxClaimValue  = 512
	minTrustLife   = time.Minute
	maxTrustLife   = time.Hour
	maxTrustRules  = 50
	maxAdmissions  = 500 // that work at once, of a user
	defaultForRule = 15 * time.Minute
)

// A TrustRequest says what a new rule is to be.
type TrustRequest struct {
	Name     KeyName
	Issuer   string
	Audience string
	Claims   []Claim
	Scopes   []string
	For      time.Duration // zero for 15 minutes
}

// shared are issuers that sign for everyone, and the claims that say for whom. A rule that demands
// none of them would let in any customer of theirs.
//
//nolint:gochecknoglobals // a table that nothing writes to
var shared = map[string][]string{
	"https://token.actions.githubusercontent.com": {
		"sub", "repository", "repository_id", "repository_owner", "repository_owner_id",
	},
	"https://gitlab.com": {
		"sub", "project_path", "project_id", "namespace_path", "namespace_id",
	},
}

// CreateTrustRule lets in who shows a token of an issuer with certain claims. It needs the scope
// keys:write. Invalid: the terms break a rule. Denied: a scope that the caller's own key lacks, too
// many rules, or a line of keys that is too long.
func (s *Service) CreateTrustRule(
	ctx context.Context, who Actor, in TrustRequest,
) (TrustRule, error) {
	if err := s.authorize(ctx, who, policy.TrustAdd); err != nil {
		return TrustRule{}, err
	}
	if err := in.Check(); err != nil {
		return TrustRule{}, err
	}
	terms := in.terms()
	scopes, err := trustScopes(in.Scopes)
	if err != nil {
		return TrustRule{}, err
	}
	key, err := newWithTerms(audit.CredentialTrust, who.Owner(), in.Name.text, scopes, terms)
	if err != nil {
		return TrustRule{}, err
	}
	err = s.update(ctx, inOwnLibrary(who, policy.TrustAdd), func(c *change) (err error) {
		if len(policy.Missing(scopes, who.Scopes)) > 0 {
			return denied("A rule cannot give a scope that your API key lacks")
		}
		key.Parent, key.ExpiresAt, err = c.checkMaker(ctx, who, scopes, Expiry{})
		if err != nil {
			return err
		}
		if err := c.checkRoomBelow(ctx, who); err != nil {
			return err
		}
		if err := c.checkEnabled(); err != nil {
			return err
		}
		if err := c.makeRoom(ctx, audit.CredentialTrust); err != nil {
			return err
		}
		key.CreatedAt, key.Active = c.at, true
		c.record(key.target())
		return c.addAPIKey(ctx, key)
	})
	if err != nil {
		return TrustRule{}, err
	}
	return TrustRule{APIKey: key, Terms: terms}, nil
}

// checkRoomBelow refuses a rule whose credentials would be too far from the operator's key.
func (c *change) checkRoomBelow(ctx context.Context, who Actor) error {
	above, err := c.callersKey(ctx, who)
	if err == nil && len(above.keys) >= maxLine-1 {
		err = denied(fmt.Sprintf(
			"The API key is the %dth in its line: create the rule with a key above it",
			len(above.keys)))
	}
	return err
}

// trustScopes returns the scopes of a rule: none that could make another credential, so that all
// that a rule gives ends with it.
func trustScopes(names []string) (scopes []policy.Scope, err error) {
	scopes = []policy.Scope{}
	for i, name := range names {
		scope := policy.Scope(name)
		if !slices.Contains(policy.DefaultScopes(), scope) {
			return nil, invalid(Field{
				fmt.Sprintf("scopes.%d", i), OneOf,
				"A rule gives secrets:read, secrets:write, leases:write or audit:read",
			})
		}
		if !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes, nil
}

// Check returns what is wrong with a request. Invalid.
func (in TrustRequest) Check() error {
	_, badScopes := trustScopes(in.Scopes)
	var badLife error
	if in.For != 0 && (in.For < minTrustLife || in.For > maxTrustLife) {
		badLife = invalid(Field{"for_seconds", GoodValue, "Must be between 60 and 3600"})
	}
	return JoinInvalid(
		checkIssuer(in.Issuer), checkTermText("audience", in.Audience, maxIssuerText),
		checkClaims(in.Claims), in.checkShared(), badScopes, badLife,
	)
}

func (in TrustRequest) terms() TrustTerms {
	claims := slices.Clone(in.Claims)
	slices.SortFunc(claims, func(a, b Claim) int { return strings.Compare(a.Name, b.Name) })
	return TrustTerms{
		Issuer: in.Issuer, Audience: in.Audience, Claims: claims,
		Seconds: int64(cmp.Or(in.For, defaultForRule) / time.Second),
	}
}

// ParseIssuer returns the URL of an issuer as OpenID Connect Discovery has it. A slash at the end
// is part of it. Invalid.
func ParseIssuer(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" ||
		u.Fragment != "" || u.ForceQuery || u.Opaque != "" || strings.Contains(text, "#") ||
		u.Host != strings.ToLower(u.Host) || u.String() != text || len(text) > maxIssuerText {
		return nil, invalid(Field{
			"issuer", GoodValue,
			"Must be the issuer's https URL, as its tokens have it, without a query",
		})
	}
	return u, nil
}

func checkIssuer(text string) error {
	_, err := ParseIssuer(text)
	return err
}

func checkTermText(name, text string, most int) error {
	switch {
	case text == "":
		return invalid(Field{name, TooShort, "Must not be empty"})
	case len(text) > most:
		return invalid(Field{name, TooLong, fmt.Sprintf("Must have at most %d bytes", most)})
	case !utf8.ValidString(text) || strings.ContainsFunc(text, isControl):
		return invalid(Field{name, Pattern, "Must not contain control characters"})
	}
	return nil
}

func checkClaims(claims []Claim) error {
	switch {
	case len(claims) == 0:
		return invalid(Field{"claims", TooFew, "A rule demands at least one claim"})
	case len(claims) > maxClaims:
		return invalid(Field{"claims", TooMany, fmt.Sprintf("At most %d claims", maxClaims)})
	}
	var errs []error
	seen := map[string]bool{}
	for i, c := range claims {
		at := fmt.Sprintf("claims.%d.", i)
		errs = append(errs, checkTermText(at+"name", c.Name, maxClaimName),
			checkTermText(at+"value", c.Value, maxClaimValue))
		if seen[c.Name] {
			errs = append(errs, invalid(Field{at + "name", GoodValue, "Name a claim once"}))
		}
		seen[c.Name] = true
	}
	return JoinInvalid(errs...)
}

// checkShared refuses a rule that would let in anyone for whom an issuer signs.
func (in TrustRequest) checkShared() error {
	names, found := shared[strings.TrimSuffix(in.Issuer, "/")]
	if !found || len(in.Claims) == 0 || slices.ContainsFunc(in.Claims, func(c Claim) bool {
		return slices.Contains(names, c.Name)
	}) {
		return nil
	}
	return invalid(Field{
		"claims", GoodValue,
		"This issuer signs for everyone: demand one of " + strings.Join(names, ", "),
	})
}
