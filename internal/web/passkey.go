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

// passkeyPlace says where passkeys can be used, beside where the browser is. What a request says of
// that decides about words alone.
func (s *site) passkeyPlace(r *http.Request) passkeyPlace {
	at := s.Passkeys()
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
	at := s.Passkeys()
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
	at := s.Passkeys()
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
	v, err := s.passkeysView(r)
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, "passkeys", v)
}

// passkeysView is the passkeys, and the form that adds one.
func (s *site) passkeysView(r *request) (view, error) {
	all, err := s.Vault.ListPasskeys(r.Context(), r.session.Actor)
	return view{
		Title: "Passkeys", Here: "sessions",
		Data: map[string]any{"Passkeys": all, "Name": r.PostForm.Get("name")},
	}, err
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
	err := s.storePasskey(w, r)
	if err == nil {
		return seeOther(w, r, "/ui/passkeys?done=passkey-added")
	}
	if vault.KindOf(err) == vault.Unauthenticated { // of the attempt: the session was looked at
		err = &vault.Error{Kind: vault.Invalid, Fields: []vault.Field{{
			Msg: "That took more than 5 minutes, or was sent twice. Nothing was stored: try again.",
		}}}
	}
	v, failed := s.passkeysView(r)
	if failed != nil {
		return failed
	}
	return s.again(w, r, "passkeys", v, err)
}

func (s *site) storePasskey(w http.ResponseWriter, r *request) error {
	at, challenge, err := s.begunPasskey(w, r, purposeOf("add", r.session))
	if err != nil {
		return err
	}
	name, wrongName := vault.NewKeyName(r.PostForm.Get("name"))
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
