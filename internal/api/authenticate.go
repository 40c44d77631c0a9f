package api

import (
	"log/slog"
	"net/http"

	"github.com/keysake/keysake/internal/middleware"
	"github.com/keysake/keysake/internal/vault"
)

// authenticate checks the client's version, who is calling and how often, in this order.
func (a *api) authenticate(w http.ResponseWriter, r *http.Request) (vault.Actor, error) {
	if err := checkClientVersion(a.MinClients, r.Header); err != nil {
		return vault.Actor{}, err
	}
	req := middleware.From(r.Context())
	who, err := a.Identity.Authenticate(r.Context(), r.Header)
	if vault.KindOf(err) == vault.Unauthenticated {
		// A valid key is let in even from a network whose failures are too many, so that no client
		// can lock out its neighbours.
		if err := a.failures.Take(middleware.Network(req.Client), w.Header()); err != nil {
			return vault.Actor{}, err
		}
	}
	if err != nil {
		return vault.Actor{}, err
	}
	who.Client = req.Client
	req.Caller = caller(who)
	return who, a.perKey.Take(who.Credential, w.Header())
}

// A caller is an actor as the access log shows it.
type caller vault.Actor

func (c caller) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("user", c.User.String()),
		slog.String("credential", string(c.Credential.Kind)),
		slog.String("credential_id", c.Credential.ID.String()))
}
