package api

import (
	"log/slog"
	"net/http"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/middleware"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/wire"
)

// authenticate checks the client's version, who is calling and how often, in this order.
func (a *api) authenticate(
	w http.ResponseWriter, r *http.Request, by access,
) (vault.Actor, error) {
	if err := checkClientVersion(a.MinClients, r.Header); err != nil {
		return vault.Actor{}, err
	}
	req := middleware.From(r.Context())
	present := a.Identity.Authenticate
	if by == byTicket {
		present = a.Identity.AuthenticateTicket
	}
	who, err := present(r.Context(), r.Header)
	if vault.KindOf(err) == vault.Unauthenticated {
		// A valid key is let in even from a network whose failures are too many, so that no client
		// can lock out its neighbours.
		return vault.Actor{}, a.refuse(w, r, err)
	}
	if err != nil {
		return vault.Actor{}, err
	}
	who.Client = req.Client
	req.Caller = caller{who.User, who.OnBehalfOf, who.Credential}
	if err := a.takeRate(who, w.Header()); err != nil {
		return vault.Actor{}, err
	}
	if len(r.Header.Values(wire.HeaderActFor)) == 0 {
		return who, nil
	}
	who, err = a.actFor(r, who)
	if err == nil {
		req.Caller = caller{who.User, who.OnBehalfOf, who.Credential}
	}
	return who, err
}

// actFor returns the caller as one who acts for the user whom the request names. The policy says
// what can be done so. A request that names nobody, or several, is not done in the caller's own
// library instead.
func (a *api) actFor(r *http.Request, who vault.Actor) (vault.Actor, error) {
	names := r.Header.Values(wire.HeaderActFor)
	user, err := vault.NewUserRef(names[0])
	if len(names) > 1 || err != nil {
		return vault.Actor{}, errActFor
	}
	return a.Vault.ActFor(r.Context(), who, user)
}

var errActFor = invalid(wire.FieldError{
	Loc: []any{"header", wire.HeaderActFor}, Type: wire.TypePattern,
	Msg: "Must be the name or the id of one user",
})

// refuse counts a failed authentication for the network of its client, and returns why it failed
// or, if there were too many, that.
func (a *api) refuse(w http.ResponseWriter, r *http.Request, why error) error {
	if why == nil {
		return nil
	}
	left, refused := a.failures.Take(middleware.Network(middleware.From(r.Context()).Client))
	left.Show(w.Header(), refused)
	if refused != nil {
		return refused
	}
	return why
}

// exchange runs an operation for who presents a token to it.
func (a *api) exchange(w http.ResponseWriter, r *request, rt route) error {
	if err := checkClientVersion(a.MinClients, r.Header); err != nil {
		return err
	}
	return rt.handle(w, r)
}

// takeRate takes from the rate of the key, and then from that of the user: one busy key takes from
// the user's others no more than its own rate. A ticket takes nothing from them: one that was used
// may be in anybody's hands. The header says what the key has left, unless it is the user's rate
// that refuses.
func (a *api) takeRate(who vault.Actor, h http.Header) error {
	left, err := a.perKey.Take(who.Credential)
	if err == nil && who.Credential.Kind != audit.CredentialTicket {
		ofUser, refused := a.perUser.Take(who.User)
		if refused != nil {
			left, err = ofUser, refused
		}
	}
	left.Show(h, err)
	return err
}

// A caller is an actor as the access log shows it.
type caller struct {
	user, onBehalfOf uuid.UUID
	credential       audit.Credential
}

func (c caller) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.String("user", c.user.String()),
		slog.String("credential", string(c.credential.Kind)),
		slog.String("credential_id", c.credential.ID.String()),
	}
	if c.onBehalfOf != uuid.Nil {
		attrs = append(attrs, slog.String("on_behalf_of", c.onBehalfOf.String()))
	}
	return slog.GroupValue(attrs...)
}
