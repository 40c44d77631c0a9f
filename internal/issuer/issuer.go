// Package issuer verifies tokens of issuers such as GitHub Actions, GitLab and Kubernetes: JWTs,
// whose keys it asks of the issuer itself, by OpenID Connect Discovery.
//
// Which issuer, and for which audience, is never a token's own choice: it is that of a rule, or of
// the configuration.
//
// It also signs people in, at one issuer, by the authorization code flow of OpenID Connect: see
// [Provider].
package issuer

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

const (
	// leeway is how much the clocks of an issuer and of this server may differ.
	leeway = time.Minute
	// maxLife is how long a token may last from now. It must be remembered until it ends, and a
	// token that lasts longer is no proof of what runs now.
	maxLife = 24 * time.Hour
	// maxSubject is the length of the longest subject. OpenID Connect allows 255; those of GitHub
	// can be longer.
	maxSubject = 512
	// maxIssuers is of how many issuers the keys are kept.
	maxIssuers = 1024
	// maxPauses is of how many issuers is known when they were last asked. To make this server
	// forget one, that many others must be asked in its pause.
	maxPauses = 16 * maxIssuers
)

// algorithms are those that a token may be signed with. All are asymmetric: an issuer's public key
// must not be good for signing.
//
//nolint:gochecknoglobals // a list that nothing writes to
var algorithms = []string{"RS256", "PS256", "ES256", "EdDSA"}

// A Verifier verifies tokens. It is safe for concurrent use.
type Verifier struct {
	client *http.Client
	now    func() time.Time
	known  *lru.Cache[string, *keySet]
	asked  *lru.Cache[string, time.Time] // when an issuer last was, also one that is not known now
}

// New returns a verifier that asks issuers through a transport, which must connect to public hosts
// alone. now is nil for the system's clock.
func New(transport http.RoundTripper, now func() time.Time) *Verifier {
	if now == nil {
		now = time.Now
	}
	return &Verifier{
		client: newClient(transport), now: now,
		known: newCache[*keySet](maxIssuers), asked: newCache[time.Time](maxPauses),
	}
}

func newCache[V any](size int) *lru.Cache[string, V] {
	cache, err := lru.New[string, V](size)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return cache
}

// Verify returns what a token says that the issuer made for an audience. Unauthenticated: it is no
// such token, with the reason. BadGateway: the issuer's keys cannot be had.
func (v *Verifier) Verify(
	ctx context.Context, issuer, audience string, token plaintext.Value,
) (vault.Shown, error) {
	text := string(token.Reveal())
	claims, err := v.claims(ctx, issuer, audience, text)
	if err != nil {
		return vault.Shown{}, err
	}
	return v.shown(issuer, text, claims)
}

// claims returns those of a token, with the errors of [Verifier.Verify].
func (v *Verifier) claims(
	ctx context.Context, issuer, audience, text string,
) (jwt.MapClaims, error) {
	if err := checkForm(text); err != nil {
		return nil, err
	}
	var unavailable error
	claims := jwt.MapClaims{}
	_, err := jwt.NewParser(
		jwt.WithValidMethods(algorithms), jwt.WithStrictDecoding(),
		jwt.WithIssuer(issuer), jwt.WithAudience(audience),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(leeway),
		jwt.WithTimeFunc(v.now),
	).ParseWithClaims(text, claims, func(t *jwt.Token) (any, error) {
		id, _ := t.Header["kid"].(string)
		var key any
		key, unavailable = v.key(ctx, issuer, id, t.Method.Alg())
		return key, unavailable
	})
	switch {
	case unavailable != nil:
		return nil, unavailable
	case err != nil:
		return nil, refused(reason(err), err)
	}
	return claims, nil
}

// shown returns what a token says whose signature, issuer, audience and times are right.
func (v *Verifier) shown(issuer, token string, claims jwt.MapClaims) (vault.Shown, error) {
	s := vault.Shown{Claims: map[string]string{}}
	for name, value := range claims {
		if text, ok := value.(string); ok {
			s.Claims[name] = text
		}
	}
	s.Subject = s.Claims["sub"]
	if !isSubject(s.Subject) {
		return vault.Shown{}, refused("it has no subject, or one that is too long", nil)
	}
	ends, err := claims.GetExpirationTime()
	if err != nil || ends == nil || ends.After(v.now().Add(maxLife+leeway)) {
		return vault.Shown{}, refused("it lasts longer than 24 hours", err)
	}
	s.Until = ends.Add(leeway)
	s.ID = identityOf(issuer, token, s.Claims["jti"])
	return s, nil
}

// identityOf returns what tells a token from all others. Without an id it is what was signed: a
// signature has several spellings.
func identityOf(issuer, token, id string) [sha256.Size]byte {
	if id != "" {
		return sha256.Sum256([]byte("id\n" + issuer + "\n" + id))
	}
	return sha256.Sum256([]byte("token\n" + signedPart(token)))
}

func refused(why string, cause error) error {
	return &vault.Error{
		Kind: vault.Unauthenticated, Detail: "The token is not accepted: " + why, Cause: cause,
	}
}

// reason says what is wrong with a token, in words of our own.
func reason(err error) string {
	for _, known := range []struct {
		is   error
		text string
	}{
		{jwt.ErrTokenMalformed, "it is no JWT"},
		{jwt.ErrTokenSignatureInvalid, "its signature is not the issuer's, or not of a kind " +
			"that is accepted: RS256, PS256, ES256 or EdDSA"},
		{jwt.ErrTokenUnverifiable, "its signature is of no kind that is accepted: RS256, PS256, " +
			"ES256 or EdDSA"},
		{jwt.ErrTokenInvalidIssuer, "it is of another issuer than the rule names"},
		{jwt.ErrTokenInvalidAudience, "it is for another audience than the rule names"},
		{jwt.ErrTokenExpired, "it has expired"},
		{jwt.ErrTokenNotValidYet, "it is not valid yet"},
		{jwt.ErrTokenUsedBeforeIssued, "it was issued in the future"},
		{jwt.ErrTokenRequiredClaimMissing, "it lacks its issuer, audience or expiry"},
	} {
		if errors.Is(err, known.is) {
			return known.text
		}
	}
	return "its claims are not those of a token"
}
