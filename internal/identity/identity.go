// Package identity tells who is calling, from what a request presents.
package identity

import (
	"context"
	"net/http"

	"github.com/keysake/keysake/internal/vault"
)

// An Identity authenticates requests. It never looks at their path, host or address.
type Identity struct{ vault *vault.Service }

// New returns an Identity that asks v who owns a token.
func New(v *vault.Service) *Identity { return &Identity{v} }

// Authenticate returns who presents the request's API key. Unauthenticated: there is none, or it is
// not valid. The error does not say what is wrong with it.
func (i *Identity) Authenticate(ctx context.Context, h http.Header) (vault.Actor, error) {
	token, ok := bearerToken(h)
	if !ok {
		return vault.Actor{}, errNoCredential
	}
	return i.vault.Authenticate(ctx, token)
}

// AuthenticateTicket is Authenticate for what a ticket is presented to in place of an API key.
func (i *Identity) AuthenticateTicket(ctx context.Context, h http.Header) (vault.Actor, error) {
	token, ok := bearerToken(h)
	if !ok {
		return vault.Actor{}, errNoCredential
	}
	return i.vault.AuthenticateTicket(ctx, token)
}

var errNoCredential = &vault.Error{
	Kind:   vault.Unauthenticated,
	Detail: "Present one API key, as Authorization: Bearer or as X-API-Key",
}
