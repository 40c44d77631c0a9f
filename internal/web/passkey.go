package web

import (
	"encoding/json"
	"net/http"

	"github.com/keysake/keysake/internal/passkey"
	"github.com/keysake/keysake/internal/vault"
)

// A passkeyPlace says on a page whether passkeys can be used where it is shown.
type passkeyPlace struct {
	Here bool
	At   string // where else; empty if nowhere
}

// passkeySite returns where passkeys are good, and nil if nowhere.
func (s *site) passkeySite() *passkey.Site {
	if s.Passkeys == nil {
		return nil
	}
	return s.Passkeys()
}

// passkeyPlace says where passkeys can be used, beside where the browser is. What a request says of
// that decides about words alone.
func (s *site) passkeyPlace(r *http.Request) passkeyPlace {
	at := s.passkeySite()
	switch {
	case at == nil:
		return passkeyPlace{}
	case r.Host == at.Host:
		return passkeyPlace{Here: true}
	}
	return passkeyPlace{At: at.Origin}
}

// ask sends what the script hands to the browser.
func ask(w http.ResponseWriter, options passkey.Options) error {
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(options)
}

// beginPasskey begins to have a passkey answer, for a purpose of which no other answer is any use.
func (s *site) beginPasskey(
	w http.ResponseWriter, purpose string,
) (*passkey.Site, [32]byte, error) {
	at := s.passkeySite()
	if at == nil {
		return nil, [32]byte{}, errNoPage
	}
	challenge, err := s.Sessions.BeginPasskey(w, purpose)
	return at, challenge, err
}

// begunPasskey ends what beginPasskey began.
func (s *site) begunPasskey(
	w http.ResponseWriter, r *request, purpose string,
) (*passkey.Site, [32]byte, error) {
	at := s.passkeySite()
	if at == nil {
		return nil, [32]byte{}, errNoPage
	}
	challenge, err := s.Sessions.BegunPasskey(w, r.Request, purpose)
	return at, challenge, err
}

// purposeOf names a purpose within a session.
func purposeOf(what string, of vault.Session) string {
	return what + " " + of.Credential.ID.String()
}

func (s *site) listPasskeys(w http.ResponseWriter, r *request) error {
	return s.passkeysAgain(w, r, http.StatusOK, "", nil)
}

// passkeysAgain shows the passkeys, and the form that adds one.
func (s *site) passkeysAgain(
	w http.ResponseWriter, r *request, status int, name string, broken map[string]string,
) error {
	all, err := s.Vault.ListPasskeys(r.Context(), r.session.Actor)
	if err != nil {
		return err
	}
	return s.show(w, r, status, "passkeys", view{
		Title: "Passkeys", Here: "sessions", Broken: broken,
		Data: map[string]any{"Passkeys": all, "Name": name},
	})
}

// beginAdding asks for a new passkey.
func (s *site) beginAdding(w http.ResponseWriter, r *request) error {
	at, challenge, err := s.beginPasskey(w, purposeOf("add", r.session))
	if err != nil {
		return err
	}
	me, err := s.Vault.WhoAmI(r.Context(), r.session.Actor)
	if err != nil {
		return err
	}
	existing, err := s.Vault.ListPasskeys(r.Context(), r.session.Actor)
	if err != nil {
		return err
	}
	return ask(w, at.ToAdd(challenge, me.ID, me.Username, existing))
}

func (s *site) addPasskey(w http.ResponseWriter, r *request) error {
	name := r.PostForm.Get("name")
	err := s.storePasskey(w, r, name)
	if err == nil {
		return seeOther(w, r, "/ui/passkeys?done=passkey-added")
	}
	if vault.KindOf(err) == vault.Unauthenticated { // of the attempt: the session was looked at
		return s.passkeysAgain(w, r, http.StatusUnauthorized, name, map[string]string{
			"": "That took more than 5 minutes, or was sent twice. Nothing was stored: try again.",
		})
	}
	broken, status := fieldsOf(err)
	if broken == nil {
		return err
	}
	return s.passkeysAgain(w, r, status, name, broken)
}

func (s *site) storePasskey(w http.ResponseWriter, r *request, text string) error {
	at, challenge, err := s.begunPasskey(w, r, purposeOf("add", r.session))
	if err != nil {
		return err
	}
	name, wrongName := vault.NewKeyName(text)
	terms, wrongAnswer := at.Added(challenge, r.PostForm.Get("answer"))
	if err := vault.JoinInvalid(wrongName, wrongAnswer); err != nil {
		return err
	}
	_, err = s.Vault.AddPasskey(r.Context(), r.session.Actor, name, terms)
	return err
}

// confirmRemoval says what removing a passkey does.
func (s *site) confirmRemoval(w http.ResponseWriter, r *request) error {
	id, err := r.id()
	if err != nil {
		return err
	}
	all, err := s.Vault.ListPasskeys(r.Context(), r.session.Actor)
	if err != nil {
		return err
	}
	for _, k := range all {
		if k.ID == id {
			return s.show(w, r, http.StatusOK, "passkey_remove", view{
				Title: "Remove a passkey", Here: "sessions",
				Data: map[string]any{"Passkey": k, "Last": len(all) == 1},
			})
		}
	}
	return errNoPage
}

func (s *site) removePasskey(w http.ResponseWriter, r *request) error {
	id, err := r.id()
	if err != nil {
		return err
	}
	if err := s.Vault.RemovePasskey(r.Context(), r.session.Actor, id); err != nil {
		return err
	}
	return seeOther(w, r, "/ui/passkeys?done=passkey-removed")
}
