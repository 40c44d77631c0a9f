package vault

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/plaintext"
)

// An ExchangeRequest presents a token to a rule.
type ExchangeRequest struct {
	Rule   uuid.UUID
	Token  plaintext.Value
	Scopes []string   // some of the rule's; nil for all
	Client netip.Addr // who asks
}

// Exchange gives a credential for a token that a rule lets in, and returns it with its own token,
// which is never shown again. It works until the rule says, and no longer than the rule. A token is
// exchanged once. Unauthenticated: there is no such rule, or the token is not accepted. Denied: the
// token lacks a claim, or was exchanged before. BadGateway: the issuer cannot be asked.
//
// The rule is named, not searched for: otherwise anyone could write a rule that lets another's
// program into the wrong library.
func (s *Service) Exchange(
	ctx context.Context, in ExchangeRequest,
) (APIKey, plaintext.Value, error) {
	rule, err := s.activeRule(ctx, in.Rule)
	if err != nil {
		return APIKey{}, plaintext.Value{}, err
	}
	shown, err := s.verifier.Verify(ctx, rule.Terms.Issuer, rule.Terms.Audience, in.Token)
	if err != nil {
		return APIKey{}, plaintext.Value{}, err
	}
	who := Actor{
		User: rule.User, Client: in.Client,
		Credential: audit.Credential{Kind: audit.CredentialTrust, ID: rule.ID},
	}
	scopes, err := narrowed(in.Scopes, rule.Scopes)
	if err == nil {
		err = rule.Terms.check(shown)
	}
	if err != nil {
		return APIKey{}, plaintext.Value{}, s.refuse(ctx, who, policy.TrustExchange, err)
	}
	key, token, err := newAdmission(rule, shown)
	if err != nil {
		return APIKey{}, plaintext.Value{}, err
	}
	key.Scopes = scopes
	err = s.update(ctx, inOwnLibrary(who, policy.TrustExchange), func(c *change) error {
		return c.admit(ctx, rule, &key)
	})
	if err != nil {
		return APIKey{}, plaintext.Value{}, err
	}
	return key, token, nil
}

var errNoRule = &Error{
	Kind: Unauthenticated, Detail: "There is no such rule, or not any more",
}

// activeRule returns a rule of any user that works.
func (s *Service) activeRule(ctx context.Context, id uuid.UUID) (rule TrustRule, err error) {
	err = s.core.view(ctx, func(r *snapshot) error {
		stored, err := r.rows.APIKeyByID(ctx, id)
		if err != nil {
			return err
		}
		if stored.ID != id {
			return tampered("API key "+id.String(), errIndex)
		}
		p, err := r.user(ctx, stored.User)
		if err != nil {
			return err
		}
		rule, err = p.workingRule(ctx, stored, s.now())
		return err
	})
	if errors.Is(err, ErrNotFound) {
		err = errNoRule
	}
	return rule, err
}

// workingRule returns a row as a rule that works at a time.
func (p *page) workingRule(ctx context.Context, k APIKey, now time.Time) (TrustRule, error) {
	works, err := p.works(ctx, k, now)
	switch {
	case err != nil:
		return TrustRule{}, err
	case !works || k.Kind != audit.CredentialTrust:
		return TrustRule{}, errNoRule
	}
	return k.rule()
}

// narrowed returns the scopes that are asked for, of those that a rule gives.
func narrowed(wanted []string, given []policy.Scope) (scopes []policy.Scope, err error) {
	if wanted == nil {
		return given, nil
	}
	for _, name := range wanted {
		scope := policy.Scope(name)
		if !slices.Contains(given, scope) {
			return nil, denied("The rule does not give a scope that was asked for")
		}
		if !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes, nil
}

// check refuses a token that lacks a claim, or has it with another text. It names the claim and
// shows neither text.
func (t TrustTerms) check(shown Shown) error {
	for _, c := range t.Claims {
		if got, found := shown.Claims[c.Name]; !found || got != c.Value {
			return denied("The token does not have the claim " + c.Name + " as the rule demands it")
		}
	}
	return nil
}

// newAdmission returns the credential that a rule gives for a token.
func newAdmission(rule TrustRule, shown Shown) (APIKey, plaintext.Value, error) {
	key, token, err := newAPIKey(rule.User, audit.CredentialWorkload, KeyName{})
	terms := AdmissionTerms{
		Issuer: rule.Terms.Issuer, Subject: shown.Subject,
		Until: shown.Until.Add(time.Second).Unix(),
	}
	key.Parent, key.Name, key.SelfRevoke = rule.ID, cut(shown.Subject, maxKeyName), true
	key.Presented, key.TermsJSON = shown.ID[:], encodeTerms(terms)
	return key, token, err
}

// cut returns at most so many characters of a text.
func cut(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most])
	}
	return text
}

// admit stores a credential, if its rule still is what it was and its token was not exchanged
// before.
func (c *change) admit(ctx context.Context, rule TrustRule, key *APIKey) error {
	stored, err := c.apiKey(ctx, rule.ID)
	if errors.Is(err, ErrNotFound) {
		return errNoRule
	}
	if err != nil {
		return err
	}
	if _, err := c.workingRule(ctx, stored, c.at); err != nil {
		return err
	}
	if stored.TermsJSON != rule.TermsJSON {
		return errNoRule
	}
	// The ledger lists every token that was exchanged here and is remembered, so that removing a
	// row makes none new. The index of the database is for those of other users' rules.
	keys, err := c.apiKeys(ctx, c.at)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(keys, func(k APIKey) bool {
		return k.Kind == key.Kind && bytes.Equal(k.Presented, key.Presented)
	}) {
		return errUsedToken
	}
	if err := c.makeRoom(ctx, audit.CredentialWorkload); err != nil {
		return err
	}
	key.CreatedAt, key.Active = c.at, true
	key.ExpiresAt = c.at.Add(time.Duration(rule.Terms.Seconds) * time.Second)
	if !stored.ExpiresAt.IsZero() && stored.ExpiresAt.Before(key.ExpiresAt) {
		key.ExpiresAt = stored.ExpiresAt
	}
	admitted, err := key.admission()
	if err != nil {
		return err
	}
	c.record(admitted.target())
	if err := c.addAPIKey(ctx, *key); KindOf(err) != Conflict {
		return err
	}
	return errUsedToken
}

var errUsedToken = denied("The token was exchanged before: each is good for one exchange")

// target names issuer and subject: the rule is the credential of the entry.
func (a Admission) target() audit.Target {
	return audit.Target{
		Kind: audit.TargetWorkload, ID: a.ID, Name: a.Terms.Issuer + " " + a.Terms.Subject,
	}
}
