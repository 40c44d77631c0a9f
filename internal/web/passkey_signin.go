package web

import (
	"log/slog"
	"net/http"

	"github.com/keysake/keysake/internal/middleware"
	"github.com/keysake/keysake/internal/vault"
)

// beginPasskeySignIn asks for any passkey that is good here. It stores nothing, and tells nobody
// who has one.
func (s *site) beginPasskeySignIn(w http.ResponseWriter, _ *request) error {
	at, challenge, err := s.beginPasskey(w, "sign-in")
	if err != nil {
		return err
	}
	return ask(w, at.ToAnswer(challenge, nil))
}

// passkeySignIn opens the session of whose passkey answers. What is no good counts for the network
// of who sent it, as with links.
func (s *site) passkeySignIn(w http.ResponseWriter, r *request) error {
	at, challenge, err := s.begunPasskey(w, r, "sign-in")
	if err == nil {
		var answer vault.PasskeyAnswer
		if answer, err = at.Answered(challenge, r.PostForm.Get("answer")); err == nil {
			client := middleware.From(r.Context()).Client
			err = s.Sessions.SignInByPasskey(w, r.Request, answer, client)
		}
	}
	if err == nil {
		return seeOther(w, r, "/ui/secrets?done=signed-in")
	}
	broken, status, err := s.notByPasskey(r, err)
	if err != nil {
		return err
	}
	return s.show(w, r, status, "signin", view{
		Title: "You were not signed in", Broken: map[string]string{"": broken},
	})
}

// notByPasskey returns what to say of an answer that was no good, or the error if it is about
// something else.
func (s *site) notByPasskey(r *request, why error) (text string, status int, err error) {
	switch kind := vault.KindOf(why); kind {
	case vault.Unauthenticated:
		known := middleware.From(r.Context())
		if _, err := s.failures.Take(middleware.Network(known.Client)); err != nil {
			return "", 0, err
		}
		s.Middleware.Log.Log(r.Context(),
			s.Middleware.Strangers.Level(known, http.StatusUnauthorized, slog.LevelWarn),
			"an answer of a passkey was not accepted", "request_id", known.ID, "cause", why)
		return "That passkey does not let anybody in here. It may have been removed, or the " +
				"answer took more than 5 minutes. Begin again, or come in another way.",
			http.StatusUnauthorized, nil
	case vault.Denied, vault.Conflict:
		return problemOf(why).detail + ".", statusOf(kind), nil
	case vault.Internal, vault.Invalid, vault.NotFound, vault.Changed, vault.Unavailable,
		vault.BadGateway, vault.GatewayTimeout:
	}
	return "", 0, why
}

// notFresh says that what was asked for needs a newer sign-in, with what was sent, so that it can
// go on after a passkey has confirmed the session. The forms that need it have no value in them.
func (s *site) notFresh(w http.ResponseWriter, r *request) error {
	return s.show(w, r, errNotFresh.status, "confirm", view{
		Title: errNotFresh.title,
		Data: map[string]any{
			"Detail": errNotFresh.detail, "Path": r.URL.Path, "Form": r.PostForm,
		},
	})
}

// canConfirm reports whether the session of a page could be confirmed by a passkey.
func (s *site) canConfirm(r *request) bool {
	all, err := s.Vault.ListPasskeys(r.Context(), r.session.Actor)
	return err == nil && len(all) > 0
}

// beginConfirming asks for one of the passkeys of who is signed in.
func (s *site) beginConfirming(w http.ResponseWriter, r *request) error {
	all, err := s.Vault.ListPasskeys(r.Context(), r.session.Actor)
	if err != nil {
		return err
	}
	if len(all) == 0 { // to ask for none of one's own would be to ask for any
		return errNoPage
	}
	at, challenge, err := s.beginPasskey(w, purposeOf("confirm", r.session))
	if err != nil {
		return err
	}
	return ask(w, at.ToAnswer(challenge, all))
}

// confirm makes the session as new as a sign-in. The script asks, and goes on with what was to be
// done: nothing leads from here to elsewhere.
func (s *site) confirm(w http.ResponseWriter, r *request) error {
	at, challenge, err := s.begunPasskey(w, r, purposeOf("confirm", r.session))
	if err == nil {
		var answer vault.PasskeyAnswer
		if answer, err = at.Answered(challenge, r.PostForm.Get("answer")); err == nil {
			err = s.Sessions.Confirm(w, r.Request, r.session, answer)
		}
	}
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	broken, status, err := s.notByPasskey(r, err)
	if err != nil {
		return err
	}
	return s.show(w, r, status, "problem", view{
		Title: "That was not confirmed",
		Data: map[string]any{
			"Detail": broken, "Request": middleware.From(r.Context()).ID, "SignIn": true,
		},
	})
}
