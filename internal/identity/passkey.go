package identity

import (
	"crypto/sha256"
	"net/http"
	"net/netip"

	"github.com/keysake/keysake/internal/vault"
)

// passkeyName is the end of the name of the cookie that binds what a passkey is asked for to a
// browser.
const passkeyName = "-passkey"

// BeginPasskey gives the browser what binds a challenge for its passkey to it, and returns the
// challenge. A challenge for one purpose is none for another.
func (s *Sessions) BeginPasskey(
	w http.ResponseWriter, purpose string,
) ([sha256.Size]byte, error) {
	return s.vault.PasskeyChallenge(purpose, s.begin(w, passkeyName, vault.PasskeyTime))
}

// BegunPasskey returns the challenge that BeginPasskey returned, and takes what binds it from the
// browser: it is good for one answer. Unauthenticated: there is none, there are several, or it is
// too old.
func (s *Sessions) BegunPasskey(
	w http.ResponseWriter, r *http.Request, purpose string,
) (challenge [sha256.Size]byte, err error) {
	attempt, err := s.begun(w, r, passkeyName, vault.PasskeyTime)
	if err != nil {
		return challenge, err
	}
	return s.vault.PasskeyChallenge(purpose, attempt)
}

// SignInByPasskey gives the browser of somebody whose passkey answered a session of its own, and
// ends the one that it had, as [Sessions.SignIn] does.
func (s *Sessions) SignInByPasskey(
	w http.ResponseWriter, r *http.Request, answer vault.PasskeyAnswer, client netip.Addr,
) error {
	_, token, err := s.vault.SignInByPasskey(r.Context(), answer, client)
	if err == nil {
		s.replace(w, r, token, client)
	}
	return err
}

// Confirm gives the browser a new session in place of the one that it had, as
// [vault.Service.ConfirmSession] does.
func (s *Sessions) Confirm(
	w http.ResponseWriter, r *http.Request, of vault.Session, answer vault.PasskeyAnswer,
) error {
	_, token, err := s.vault.ConfirmSession(r.Context(), of.Actor, answer)
	if err == nil {
		http.SetCookie(w, s.cookie(s.cookieName(), string(token.Reveal())))
	}
	return err
}
