package issuertest

import (
	"crypto/rand"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Claims returns those of a token for an audience that is valid now, with more, of which nil
// removes one.
func (i *Issuer) Claims(audience string, more map[string]any) jwt.MapClaims {
	now := time.Now().Unix()
	claims := jwt.MapClaims{
		"iss": i.URL, "aud": audience, "sub": "job", "jti": rand.Text(),
		"iat": now, "nbf": now, "exp": now + 300,
	}
	for name, value := range more {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	return claims
}

// Token returns a token with these claims, signed with the key for an algorithm.
func (i *Issuer) Token(alg string, claims jwt.MapClaims) string {
	return i.TokenWith(alg, claims, nil)
}

// TokenWith is Token with other members in the header, of which nil removes one.
func (i *Issuer) TokenWith(alg string, claims jwt.MapClaims, header map[string]any) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.sign(alg, claims, header)
}

func (i *Issuer) sign(alg string, claims jwt.MapClaims, header map[string]any) string {
	token := jwt.NewWithClaims(jwt.GetSigningMethod(alg), claims)
	token.Header["kid"] = alg
	for name, value := range header {
		if token.Header[name] = value; value == nil {
			delete(token.Header, name)
		}
	}
	text, err := token.SignedString(i.keys[alg])
	if err != nil {
		panic(err)
	}
	return text
}
