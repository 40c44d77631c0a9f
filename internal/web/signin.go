package web

import (
	"net/http"

	"github.com/keysake/keysake/internal/middleware"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// signInPage says whom a link signs in, and leaves it unused: programs that look at links before
// people do must not use them up. Without a link it says how to get one.
func (s *site) signInPage(w http.ResponseWriter, r *request) error {
	link := r.URL.Query().Get("link")
	if link == "" {
		return s.show(w, r, http.StatusOK, "signin", view{Title: "Sign in"})
	}
	user, err := s.Sessions.LinkUser(r.Context(), plaintext.FromString(link))
	if vault.KindOf(err) == vault.Unauthenticated {
		return s.usedLink(w, r)
	}
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, "signin", view{
		Title: "Sign in as " + user.Username, Data: map[string]any{"Link": link, "User": user},
	})
}

func (s *site) signIn(w http.ResponseWriter, r *request) error {
	client := middleware.From(r.Context()).Client
	_, err := s.Sessions.SignIn(w, r.Request, plaintext.FromString(r.PostForm.Get("link")), client)
	if vault.KindOf(err) == vault.Unauthenticated {
		return s.usedLink(w, r)
	}
	if err != nil {
		return err
	}
	return seeOther(w, r, "/ui/secrets?done=signed-in")
}

// usedLink says that a link is no good, and counts that for the network of who tried it. A good
// link is let in even from a network that has tried too many, so that nobody locks out a newcomer
// beside them: nobody guesses one.
func (s *site) usedLink(w http.ResponseWriter, r *request) error {
	network := middleware.Network(middleware.From(r.Context()).Client)
	if _, err := s.failures.Take(network); err != nil {
		return err
	}
	return s.show(w, r, http.StatusUnauthorized, "signin", view{
		Title:  "This link does not work any more",
		Broken: map[string]string{"": "A sign-in link works once, and for 15 minutes."},
	})
}

func (s *site) signOut(w http.ResponseWriter, r *request) error {
	if err := s.Sessions.SignOut(w, r.Request, r.session); err != nil {
		return err
	}
	return seeOther(w, r, "/ui/sign-in?done=signed-out")
}
