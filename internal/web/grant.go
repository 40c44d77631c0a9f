package web

import (
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

// A shownGrant is a grant as its page shows it.
type shownGrant struct {
	vault.UserGrant

	Secrets []string // their names; none for all
}

// listGrants says who may act for the person.
func (s *site) listGrants(w http.ResponseWriter, r *request) error {
	v, err := s.grantsView(r)
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, "grants", v)
}

func (s *site) grantsView(r *request) (view, error) {
	grants, err := s.Vault.ListUserGrants(r.Context(), r.session.Actor)
	if err != nil {
		return view{}, err
	}
	secrets, err := s.Vault.ListSecrets(r.Context(), r.session.Actor)
	if err != nil {
		return view{}, err
	}
	names := map[uuid.UUID]string{}
	for _, secret := range secrets {
		names[secret.ID] = secret.Name
	}
	shown := make([]shownGrant, len(grants))
	for i, g := range grants {
		shown[i].UserGrant = g
		for _, id := range g.Terms.Secrets {
			name, found := names[id]
			if !found {
				name = "one that was deleted"
			}
			shown[i].Secrets = append(shown[i].Secrets, name)
		}
	}
	return view{Title: "Who may act for you", Here: "grants", Data: map[string]any{
		"Grants": shown, "Secrets": secrets, "User": r.PostForm.Get("user"),
		"Chosen": r.PostForm["secret"], "Some": r.PostForm.Get("which") == "some",
		"Until": "you withdraw it",
	}}, nil
}

// createGrant lets another user act for the person.
func (s *site) createGrant(w http.ResponseWriter, r *request) error {
	end, err := r.end()
	if err != nil {
		return err
	}
	which := r.PostForm.Get("which")
	if which != "all" && which != "some" { // what the page offers
		return badForm(nil)
	}
	request := vault.GrantRequest{ExpiresAt: end}
	var badUser, badSecrets error
	request.To, badUser = vault.NewUserRef(strings.TrimSpace(r.PostForm.Get("user")))
	if which == "some" {
		var chosen vault.SecretIDs
		chosen, badSecrets = vault.NewSecretIDs(r.PostForm["secret"])
		request.Secrets = &chosen
	}
	err = vault.JoinInvalid(badUser, badSecrets)
	if err == nil {
		_, err = s.Vault.CreateUserGrant(r.Context(), r.session.Actor, request)
	}
	if err == nil {
		return seeOther(w, r, "/ui/grants?done=granted")
	}
	if vault.KindOf(err) == vault.NotFound {
		err = &vault.Error{Kind: vault.Invalid, Fields: []vault.Field{
			{Name: "user", Msg: "No user of this name may act for others: ask the platform"},
		}}
	}
	v, failed := s.grantsView(r)
	if failed != nil {
		return failed
	}
	return s.again(w, r, "grants", v, err)
}

// removeGrant withdraws a grant. It takes access away, and so needs no new sign-in.
func (s *site) removeGrant(w http.ResponseWriter, r *request) error {
	id, err := r.id()
	if err != nil {
		return err
	}
	if err := s.Vault.RemoveUserGrant(r.Context(), r.session.Actor, id); err != nil {
		return err
	}
	return seeOther(w, r, "/ui/grants?done=withdrawn")
}
