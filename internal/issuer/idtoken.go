package issuer

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/keysake/keysake/internal/vault"
)

// person returns who an ID token is about, which must be of this sign-in.
func (p *Provider) person(
	ctx context.Context, token, nonce string,
) (person vault.Person, err error) {
	claims, err := p.verifier.claims(ctx, p.Issuer, p.ClientID, token)
	if vault.KindOf(err) == vault.BadGateway {
		err = away(err)
	}
	if err == nil {
		err = p.checkClaims(claims, nonce)
	}
	if err != nil {
		return vault.Person{}, err
	}
	if verified(claims) {
		person.Email = text(claims, "email")
	} else {
		delete(claims, "email") // anyone's: it is no claim that lets somebody in
	}
	person.Identity = vault.Identity{Issuer: p.Issuer, Subject: text(claims, "sub")}
	person.Attempt = sha256.Sum256([]byte("sign-in\n" + nonce))
	if person.Name = text(claims, p.Username); person.Name == "" {
		person.Name = person.Email
	}
	lacks := func(c vault.Claim) bool { return !has(claims, c) }
	person.Enters = !slices.ContainsFunc(p.Allow, lacks)
	person.Joins = person.Enters && len(p.Allow) > 0
	person.Admin = len(p.Admin) > 0 && !slices.ContainsFunc(p.Admin, lacks)
	return person, nil
}

// checkClaims refuses a token of another sign-in, for another client, or of too old a sign-in.
func (p *Provider) checkClaims(claims jwt.MapClaims, nonce string) error {
	_, hasParty := claims["azp"]
	audience, _ := claims.GetAudience() // it was verified
	at, hasTime := claims["auth_time"]
	seconds, isNumber := at.(float64)
	late := p.verifier.now().Add(-maxSignIn - leeway)
	switch {
	case subtle.ConstantTimeCompare([]byte(text(claims, "nonce")), []byte(nonce)) != 1:
		return refused("it is of another sign-in", nil)
	case (hasParty || len(audience) > 1) && text(claims, "azp") != p.ClientID:
		return refused("it was made for another client", nil)
	case hasTime && (!isNumber || time.Unix(int64(seconds), 0).Before(late)):
		return refused("the sign-in at the provider is too old", nil)
	case !isSubject(text(claims, "sub")):
		return refused("it has no subject, or one that is too long", nil)
	}
	return nil
}

// text returns a claim that is a text.
func text(claims jwt.MapClaims, name string) string {
	text, _ := claims[name].(string)
	return text
}

// verified reports whether the provider says that it has verified the email address. Some say it in
// a text.
func verified(claims jwt.MapClaims) bool {
	return has(claims, vault.Claim{Name: "email_verified", Value: "true"})
}

// has reports whether a claim has exactly this text, or a list that has it. true and false are
// texts, too.
func has(claims jwt.MapClaims, want vault.Claim) bool {
	switch claim := claims[want.Name].(type) {
	case string:
		return claim == want.Value
	case bool:
		return claim && want.Value == "true" || !claim && want.Value == "false"
	case []any:
		return slices.Contains(claim, any(want.Value))
	}
	return false
}
