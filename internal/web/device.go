package web

import (
	"net/http"
	"strings"

	"github.com/keysake/keysake/internal/identity"
	"github.com/keysake/keysake/internal/vault"
)

// How many codes of programs that do not wait a person may try, in a minute and at once. A code has
// 34 bits and is good for ten minutes.
const (
	codesAMinute = 6
	codesAtOnce  = 30
)

// toDevice leads from where clients of the public API send people.
func toDevice(w http.ResponseWriter, r *request) error {
	code, _ := vault.NormalUserCode(r.URL.Query().Get("code"))
	return seeOther(w, r, identity.PathOfDevice(code))
}

// devicePage says what waits for a code and what it gets, and asks. A link with a code confirms
// nothing by itself, so that nobody is led into it. Who is not signed in is told to come back.
func (s *site) devicePage(w http.ResponseWriter, r *request) error {
	typed := r.URL.Query().Get("code")
	err := s.authenticate(r, signedIn)
	if vault.KindOf(err) == vault.Unauthenticated {
		code, _ := vault.NormalUserCode(typed)
		return s.show(w, r, http.StatusOK, "device", view{
			Title: "Sign in first", Data: map[string]any{"Code": code},
		})
	}
	if err != nil {
		return err
	}
	if strings.TrimSpace(typed) == "" {
		return s.askForCode(w, r, http.StatusOK, "", nil)
	}
	if _, err := s.codes.Check(r.session.User); err != nil {
		return err
	}
	login, err := s.Vault.FindDeviceLogin(r.Context(), r.session.Actor, typed)
	if err != nil {
		return s.askForCodeAgain(w, r, typed, err)
	}
	return s.show(w, r, http.StatusOK, "device", view{
		Title: "Let this program in?", Here: "keys", Data: map[string]any{
			"Login": login, "Gets": scopesGiven(login.Scopes),
			"Here": r.session.Client, "Elsewhere": login.Client != r.session.Client.String(),
		},
	})
}

// askForCode shows the form for a code.
func (s *site) askForCode(
	w http.ResponseWriter, r *request, status int, typed string, broken map[string]string,
) error {
	return s.show(w, r, status, "device", view{
		Title: "Let a program in", Here: "keys", Broken: broken,
		Data: map[string]any{"Typed": typed},
	})
}

// askForCodeAgain says why a code was no good, and counts one that could have been good for another
// program. What cannot be a code is not repeated.
func (s *site) askForCodeAgain(
	w http.ResponseWriter, r *request, typed string, why error,
) error {
	code, ok := vault.NormalUserCode(typed)
	if vault.KindOf(why) == vault.NotFound {
		if ok {
			s.codes.Owe(r.session.User)
		}
		return s.askForCode(w, r, http.StatusNotFound, code, map[string]string{
			"code": "No program waits with this code. Codes are good for ten minutes, and once.",
		})
	}
	broken, status := fieldsOf(why)
	if broken == nil {
		return why
	}
	return s.askForCode(w, r, status, code, broken)
}

// decideDevice lets a program in, or refuses it. To let one in gives access away.
func (s *site) decideDevice(w http.ResponseWriter, r *request) error {
	typed, confirm := r.PostForm.Get("code"), r.PostForm.Get("decision") == "confirm"
	decide, done := s.Vault.RefuseDeviceLogin, "device-refused"
	if confirm {
		if !s.Sessions.IsFresh(r.session) {
			return s.notFresh(w, r)
		}
		decide, done = s.Vault.ConfirmDeviceLogin, "device-confirmed"
	}
	if _, err := s.codes.Check(r.session.User); err != nil {
		return err
	}
	if err := decide(r.Context(), r.session.Actor, typed); err != nil {
		return s.askForCodeAgain(w, r, typed, err)
	}
	return seeOther(w, r, "/ui/device?done="+done)
}

// scopesGiven says what scopes let a program do.
func scopesGiven[Scope ~string](scopes []Scope) (given []scopeChoice) {
	texts := append(scopeTexts(),
		scopeChoice{Name: "admin", Text: "Create, stop and delete users, as an admin"},
		scopeChoice{Name: "act:user", Text: "Use the secrets of users who let you act for them"})
	for _, choice := range texts {
		for _, scope := range scopes {
			if string(scope) == choice.Name {
				given = append(given, choice)
			}
		}
	}
	return given
}
