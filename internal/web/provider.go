package web

import (
	"log/slog"
	"net/http"

	"github.com/keysake/keysake/internal/middleware"
	"github.com/keysake/keysake/internal/vault"
)

// providerName returns what people know the provider of sign-ins by, empty if there is none.
func (s *site) providerName() string {
	if s.Provider == nil {
		return ""
	}
	return s.Provider.Name
}

// beginSignIn leads a browser to the provider. It is a link and no form: form-action is for these
// pages alone. So that no other site has people sign in, only these pages may lead here.
func (s *site) beginSignIn(w http.ResponseWriter, r *request) error {
	if s.Provider == nil {
		return errNoPage
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return errForeign
	}
	to, err := s.Provider.Address(r.Context(), s.Sessions.Begin(w))
	if err != nil {
		return err
	}
	http.Redirect(w, r.Request, to, http.StatusSeeOther)
	return nil
}

// finishSignIn opens the session of who comes back from the provider, and leads to these pages
// alone, whatever the request says. A network from which too many come back waits: each of them is
// a request to the provider, which could become tired of this server.
func (s *site) finishSignIn(w http.ResponseWriter, r *request) error {
	if s.Provider == nil {
		return errNoPage
	}
	err := s.signInPerson(w, r)
	if vault.KindOf(err) == vault.Unauthenticated {
		known := middleware.From(r.Context())
		s.Middleware.Log.Log(r.Context(),
			s.Middleware.Strangers.Level(known, http.StatusUnauthorized, slog.LevelWarn),
			"a sign-in at the provider was not accepted", "request_id", known.ID, "cause", err)
		return s.show(w, r, http.StatusUnauthorized, "signin", view{
			Title: "You were not signed in",
			Broken: map[string]string{"": "What came back from the provider is not the end of a " +
				"sign-in that this browser began in the last 10 minutes, or was used before. " +
				"Begin again."},
		})
	}
	if err != nil {
		return err
	}
	return seeOther(w, r, "/ui/secrets?done=signed-in")
}

func (s *site) signInPerson(w http.ResponseWriter, r *request) error {
	attempt, err := s.Sessions.Begun(w, r.Request)
	if err != nil {
		return err
	}
	client := middleware.From(r.Context()).Client
	if _, err := s.returns.Take(middleware.Network(client)); err != nil {
		return err
	}
	person, err := s.Provider.Person(r.Context(), attempt, r.URL.Query())
	if err != nil {
		return err
	}
	_, err = s.Sessions.SignInPerson(w, r.Request, person, client)
	return err
}
