package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// newSecret shows the providers, or the form for one of them or for a secret of any name.
func (s *site) newSecret(w http.ResponseWriter, r *request) error {
	query := r.URL.Query()
	if query.Has("custom") {
		return s.show(w, r, http.StatusOK, "secret_form", newView(nil, query))
	}
	presets, err := s.Vault.ListPresets(r.Context(), r.session.Actor)
	if err != nil {
		return err
	}
	if query.Has("preset") {
		chosen, err := presetOf(presets, query.Get("preset"))
		if err != nil {
			return err
		}
		return s.show(w, r, http.StatusOK, "secret_form", newView(chosen, query))
	}
	search := strings.TrimSpace(query.Get("q"))
	var found []vault.Preset
	for _, p := range presets {
		if contains(search, p.Name, p.Provider, p.EnvVarName) {
			found = append(found, p)
		}
	}
	return s.show(w, r, http.StatusOK, "secret_new", view{
		Title: "Add a secret", Here: "secrets",
		Data: map[string]any{"Presets": found, "Search": search, "Total": len(presets)},
	})
}

func presetOf(presets []vault.Preset, provider string) (*vault.Preset, error) {
	for _, p := range presets {
		if p.Provider == provider {
			return &p, nil
		}
	}
	return nil, errNoPage
}

// newView is the form of a new secret. Of what was sent before, it never has the value.
func newView(chosen *vault.Preset, sent url.Values) view {
	title := "Add a secret of any name"
	if chosen != nil {
		title = "Add a key of " + chosen.Name
	}
	return view{Title: title, Here: "secrets", Data: map[string]any{
		"Preset": chosen, "Name": sent.Get("name"),
	}}
}

// createSecret stores a secret. The value of the form is in no page.
func (s *site) createSecret(w http.ResponseWriter, r *request) error {
	var chosen *vault.Preset
	if provider := r.PostForm.Get("preset"); provider != "" {
		presets, err := s.Vault.ListPresets(r.Context(), r.session.Actor)
		if err != nil {
			return err
		}
		if chosen, err = presetOf(presets, provider); err != nil {
			return err
		}
	}
	secret, err := s.storeSecret(r, chosen)
	if err != nil {
		return s.again(w, r, "secret_form", newView(chosen, r.PostForm), err)
	}
	if chosen != nil && r.PostForm.Has("ask") {
		// It is stored, whatever comes of this: the page says what is known.
		_, _ = s.Vault.ProbeSecret(r.Context(), r.session.Actor, secret.ID)
	}
	return seeOther(w, r, "/ui/secrets/"+secret.ID.String()+"?done=stored")
}

func (s *site) storeSecret(r *request, chosen *vault.Preset) (vault.Secret, error) {
	value, badValue := formValue(r)
	if chosen != nil {
		if badValue != nil {
			return vault.Secret{}, badValue
		}
		return s.Vault.CreateFromPreset(r.Context(), r.session.Actor,
			vault.FromPreset{Provider: chosen.Provider, Value: value})
	}
	name, badName := vault.NewName(strings.TrimSpace(r.PostForm.Get("name")))
	if err := vault.JoinInvalid(badName, badValue); err != nil {
		return vault.Secret{}, err
	}
	return s.Vault.CreateSecret(
		r.Context(), r.session.Actor, vault.SecretRequest{Name: name, Value: value})
}

// formValue returns the value that was typed or pasted. A browser ends the lines of a form by CR
// and LF, whatever was pasted, so these become LF.
func formValue(r *request) (vault.Value, error) {
	text := strings.ReplaceAll(r.PostForm.Get("value"), "\r\n", "\n")
	return vault.NewValue(plaintext.FromString(text))
}
