package vault

import (
	"cmp"
	"context"
	"crypto/sha256"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/plaintext"
)

// A TrustRule lets in who shows a token of an issuer that says certain things, for a short time. It
// is stored as an API key is, and ends as one does: with the key that made it.
type TrustRule struct {
	APIKey // without a token

	Terms    TrustTerms
	Admitted []Admission // whose credentials work, newest first
}

// TrustTerms are what a token must show, and what it is exchanged for.
type TrustTerms struct {
	Issuer   string  `json:"issuer"`
	Audience string  `json:"audience"`
	Claims   []Claim `json:"claims"`  // ordered by name
	Seconds  int64   `json:"seconds"` // how long the credential works
}

// A Claim is one that a token must have, with exactly this text.
type Claim struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// An Admission is a credential that was given for a token.
type Admission struct {
	APIKey // of the kind [audit.CredentialWorkload]

	Terms AdmissionTerms
}

// AdmissionTerms say what the token was.
type AdmissionTerms struct {
	Issuer  string `json:"issuer"`
	Subject string `json:"subject"`
	Until   int64  `json:"until"` // in seconds: how long the token is remembered
}

// Shown is what a token says that was verified.
type Shown struct {
	Subject string
	Claims  map[string]string // those that are texts
	ID      [sha256.Size]byte // no other token has it
	Until   time.Time         // nobody accepts it after that
}

// A TokenVerifier verifies tokens of issuers.
type TokenVerifier interface {
	// Verify returns what a token says that the issuer made for an audience. Unauthenticated: it is
	// no such token. BadGateway: the issuer cannot be asked.
	Verify(
		ctx context.Context, issuer, audience string, token plaintext.Value,
	) (Shown, error)
}

// VerifyTokensBy sets who verifies tokens, before the first request.
func (s *Service) VerifyTokensBy(v TokenVerifier) { s.verifier = v }

// rule returns a row as the rule that it is.
func (k APIKey) rule() (TrustRule, error) {
	terms, err := termsOf[TrustTerms](k, audit.CredentialTrust)
	return TrustRule{APIKey: k, Terms: terms}, err
}

// admission returns a row as the credential that it is.
func (k APIKey) admission() (Admission, error) {
	terms, err := termsOf[AdmissionTerms](k, audit.CredentialWorkload)
	return Admission{k, terms}, err
}

// remembered reports whether the token that a row was given for must not be accepted again.
func (a Admission) remembered(now time.Time) bool {
	return a.Terms.Until > now.Unix()
}

// ListTrustRules returns the caller's rules, newest first, each with the credentials that work. It
// needs the scope keys:write.
func (s *Service) ListTrustRules(ctx context.Context, who Actor) (rules []TrustRule, err error) {
	err = s.view(ctx, who, policy.TrustList, func(p *page) error {
		keys, err := p.apiKeys(ctx, s.now())
		if err != nil {
			return err
		}
		rules, err = rulesOf(keys)
		return err
	})
	return rules, err
}

// rulesOf returns the rules among keys that were not removed.
func rulesOf(keys []APIKey) (rules []TrustRule, err error) {
	at := map[uuid.UUID]int{}
	for _, k := range keys {
		if k.Kind != audit.CredentialTrust || !k.RevokedAt.IsZero() {
			continue
		}
		rule, err := k.rule()
		if err != nil {
			return nil, err
		}
		at[k.ID] = len(rules)
		rules = append(rules, rule)
	}
	for _, k := range keys {
		i, found := at[k.Parent]
		if k.Kind != audit.CredentialWorkload || !k.Active || !found {
			continue
		}
		a, err := k.admission()
		if err != nil {
			return nil, err
		}
		rules[i].Admitted = append(rules[i].Admitted, a)
	}
	return rules, nil
}

// RuleNames returns the names of the caller's rules, by their ids and by those of the credentials
// that they gave, as far as these are stored: what the audit log has of them. One without a name is
// named by its id. It needs the scope audit:read.
func (s *Service) RuleNames(ctx context.Context, who Actor) (map[uuid.UUID]string, error) {
	names := map[uuid.UUID]string{}
	err := s.view(ctx, who, policy.AuditList, func(p *page) error {
		clear(names)
		keys, err := p.apiKeys(ctx, s.now())
		if err != nil {
			return err
		}
		for _, k := range keys {
			if k.Kind == audit.CredentialTrust {
				names[k.ID] = cmp.Or(k.Name, k.ID.String())
			}
		}
		for _, k := range keys {
			if name, found := names[k.Parent]; found && k.Kind == audit.CredentialWorkload {
				names[k.ID] = name
			}
		}
		return nil
	})
	return names, err
}

// RemoveTrustRule ends a rule, and at once every credential that it gave. It needs the scope
// keys:write. NotFound: there is none of that id, it is another user's, or it was removed.
func (s *Service) RemoveTrustRule(ctx context.Context, who Actor, id uuid.UUID) error {
	return s.revoke(ctx, who, policy.TrustRemove, id)
}
