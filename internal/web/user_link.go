package web

import (
	"net/http"

	"github.com/keysake/keysake/internal/identity"
	"github.com/keysake/keysake/internal/vault"
)

// linkUser makes a sign-in link. Its answer is the only page that ever shows it.
func (s *site) linkUser(w http.ResponseWriter, r *request) error {
	user, err := s.user(r)
	if err != nil {
		return err
	}
	return s.showLink(w, r, user.User)
}

func (s *site) showLink(w http.ResponseWriter, r *request, user vault.User) error {
	_, token, err := s.Vault.CreateSignInLink(r.Context(), r.session.Actor, user.ID)
	if err != nil {
		return err
	}
	link := s.Sessions.Scheme() + "://" + r.Host + identity.PathOfLink(token)
	return s.show(w, r, http.StatusOK, "user_link", view{
		Title: "A sign-in link", Here: "users", Data: map[string]any{
			"User": user, "Link": link, "Own": user.ID == r.session.User,
		},
	})
}
