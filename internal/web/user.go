package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

func (s *site) listUsers(w http.ResponseWriter, r *request) error {
	v, err := s.usersView(r)
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, "users", v)
}

// usersView is a page of users. After a form that was refused it is the first, with what was sent.
func (s *site) usersView(r *request) (view, error) {
	query := r.URL.Query()
	q := vault.UserQuery{
		Prefix: strings.ToLower(strings.TrimSpace(query.Get("q"))), After: query.Get("after"),
	}
	users, next, err := s.Vault.PageOfUsers(r.Context(), r.session.Actor, q)
	if err != nil {
		return view{}, err
	}
	more := ""
	if next != "" {
		more = "/ui/users?" + url.Values{"q": {q.Prefix}, "after": {next}}.Encode()
	}
	return view{Title: "Users", Here: "users", Data: map[string]any{
		"Users": users, "Search": q.Prefix, "More": more, "First": q.After == "",
		"Max": s.Vault.MaxSecrets(), "This": r.session.User,
		"Username": r.PostForm.Get("username"), "Email": r.PostForm.Get("email_address"),
	}}, nil
}

// user returns the user of the path.
func (s *site) user(r *request) (vault.UserOverview, error) {
	id, err := r.id()
	if err != nil {
		return vault.UserOverview{}, err
	}
	return s.Vault.GetUser(r.Context(), r.session.Actor, id)
}

// showUser shows one user, and what an admin can do with them.
func (s *site) showUser(w http.ResponseWriter, r *request) error {
	user, err := s.user(r)
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, "user", view{
		Title: user.Username, Here: "users", Data: map[string]any{
			"User": user, "Own": user.ID == r.session.User, "Max": s.Vault.MaxSecrets(),
		},
	})
}

// createUser makes a user, and shows the link that signs the user in.
func (s *site) createUser(w http.ResponseWriter, r *request) error {
	username, badName := vault.NewUsername(strings.TrimSpace(r.PostForm.Get("username")))
	email, badEmail := vault.NewEmail(strings.TrimSpace(r.PostForm.Get("email_address")))
	err := vault.JoinInvalid(badName, badEmail)
	var user vault.User
	if err == nil {
		user, err = s.Vault.CreateUser(r.Context(), r.session.Actor,
			vault.UserRequest{Username: username, Email: email})
	}
	if err != nil {
		v, failed := s.usersView(r)
		if failed != nil {
			return failed
		}
		return s.again(w, r, "users", v, err)
	}
	if s.showLink(w, r, user) != nil { // the page of the user has a button that makes another
		return seeOther(w, r, userPath(user.ID)+"?done=user-created")
	}
	return nil
}

func userPath(id uuid.UUID) string { return "/ui/users/" + id.String() }
