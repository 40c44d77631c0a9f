// Package identity tells who is calling, from what a request presents.
package identity

import (
	"context"
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// Identity tells who is calling. It never looks at the path, the host or the address.
type Identity struct{ vault *vault.Service }

// New returns an Identity that asks v who owns a token.
func New(v *vault.Service) *Identity { return &Identity{v} }

// Caller returns who presents the request's API key, or an [vault.Unauthenticated] error that does
// not tell what is wrong with it.
func (i *Identity) Caller(ctx context.Context, h http.Header) (vault.Actor, error) {
	token, ok := credential(h)
	if !ok {
		return vault.Actor{}, errNoCredential
	}
	return i.vault.Authenticate(ctx, token)
}

var errNoCredential = &vault.Error{
	Kind:   vault.Unauthenticated,
	Detail: "Present one API key, as Authorization: Bearer or as X-API-Key",
}

// credential returns the one token of a request. Both headers mean the same; where two tokens are
// given they must be equal, because it is nobody's to guess which one was meant.
func credential(h http.Header) (plaintext.Value, bool) {
	var tokens []string
	for _, value := range h.Values("Authorization") {
		scheme, token, found := strings.Cut(value, " ")
		// RFC 9110, section 11.1: case does not matter
		if !found || !strings.EqualFold(scheme, "Bearer") {
			return plaintext.Value{}, false
		}
		tokens = append(tokens, strings.TrimLeft(token, " "))
	}
	tokens = append(tokens, h.Values("X-Api-Key")...)
	if len(tokens) == 0 {
		return plaintext.Value{}, false
	}
	for _, other := range tokens[1:] {
		if subtle.ConstantTimeCompare([]byte(other), []byte(tokens[0])) == 0 {
			return plaintext.Value{}, false
		}
	}
	return plaintext.FromString(tokens[0]), true
}
