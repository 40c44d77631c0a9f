package web

import (
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

// A scopeChoice is a scope in the form of a new key.
type scopeChoice struct {
	Name, Text string
	Checked    bool
}

// scopeTexts say what each scope lets a key do.
func scopeTexts() []scopeChoice {
	return []scopeChoice{
		{"secrets:read", "See names and masks of secrets, and where they are used", true},
		{"leases:write", "Use the values: what a program needs", true},
		{"secrets:write", "Add, replace and delete secrets", false},
		{"audit:read", "Read the audit log", false},
		{
			"keys:write",
			"Make and revoke API keys, and what else lets somebody in or act for you", false,
		},
	}
}

func (s *site) listKeys(w http.ResponseWriter, r *request) error {
	v, err := s.keysView(r)
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, "keys", v)
}

func (s *site) keysView(r *request) (view, error) {
	keys, err := s.Vault.ListAPIKeys(r.Context(), r.session.Actor)
	if err != nil {
		return view{}, err
	}
	var active, ended []vault.APIKey
	for _, k := range keys {
		if k.Active {
			active = append(active, k)
		} else {
			ended = append(ended, k)
		}
	}
	scopes := scopeTexts()
	if r.Method == http.MethodPost {
		for i := range scopes {
			scopes[i].Checked = false
			for _, sent := range r.PostForm["scope"] {
				scopes[i].Checked = scopes[i].Checked || sent == scopes[i].Name
			}
		}
	}
	return view{Title: "API keys", Here: "keys", Data: map[string]any{
		"Active": active, "Ended": ended, "Scopes": scopes, "Name": r.PostForm.Get("name"),
		"Until": "it is revoked",
	}}, nil
}

// createKey makes an API key. Its answer is the only page that ever shows the key.
func (s *site) createKey(w http.ResponseWriter, r *request) error {
	end, err := r.end()
	if err != nil {
		return err
	}
	name, badName := vault.NewKeyName(strings.TrimSpace(r.PostForm.Get("name")))
	sent := append([]string{}, r.PostForm["scope"]...)
	scopes, badScopes := vault.NewScopes(sent)
	request := vault.APIKeyRequest{
		Name: name, Scopes: scopes, ExpiresAt: end, SelfRevoke: true,
	}
	err = vault.JoinInvalid(badName, badScopes)
	if err == nil && len(sent) == 0 {
		err = &vault.Error{Kind: vault.Invalid, Fields: []vault.Field{
			{Name: "allowed_scopes", Msg: "Choose at least one: a key without any can do nothing"},
		}}
	}
	if err == nil {
		key, token, failed := s.Vault.CreateAPIKey(r.Context(), r.session.Actor, request)
		if err = failed; err == nil {
			return s.show(w, r, http.StatusOK, "key_made", view{
				Title: "Your new API key", Here: "keys",
				Data: map[string]any{"Key": key, "Token": string(token.Reveal())},
			})
		}
	}
	v, failed := s.keysView(r)
	if failed != nil {
		return failed
	}
	return s.again(w, r, "keys", v, err)
}

// confirmRevoke says what ends with a key.
func (s *site) confirmRevoke(w http.ResponseWriter, r *request) error {
	id, err := r.id()
	if err != nil {
		return err
	}
	keys, err := s.Vault.ListAPIKeys(r.Context(), r.session.Actor)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if k.ID != id || !k.Active {
			continue
		}
		return s.show(w, r, http.StatusOK, "key_revoke", view{
			Title: "Revoke an API key?", Here: "keys",
			Data: map[string]any{"Key": k, "Below": below(keys, id)},
		})
	}
	return errNoPage
}

// below returns the active keys that end with one.
func below(keys []vault.APIKey, id uuid.UUID) (all []vault.APIKey) {
	for _, k := range keys {
		if k.Parent == id && k.Active {
			all = append(append(all, k), below(keys, k.ID)...)
		}
	}
	return all
}

func (s *site) revokeKey(w http.ResponseWriter, r *request) error {
	id, err := r.id()
	if err != nil {
		return err
	}
	if err := s.Vault.RevokeAPIKey(r.Context(), r.session.Actor, id); err != nil {
		return err
	}
	return seeOther(w, r, "/ui/keys?done=key-revoked")
}
