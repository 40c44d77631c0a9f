package identity

import (
	"crypto/rand"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// attemptName is the end of the name of the cookie that binds a sign-in at a provider to a browser.
const attemptName = "-sign-in"

// Begin gives the browser what binds a sign-in at a provider to it, and returns that. What must
// come back from the provider is derived from it, so that a sign-in which began in another browser
// ends in none.
func (s *Sessions) Begin(w http.ResponseWriter) plaintext.Value {
	return s.begin(w, attemptName, s.Attempt)
}

// begin sets a cookie that ends after a time.
func (s *Sessions) begin(w http.ResponseWriter, name string, lasts time.Duration) plaintext.Value {
	// When it began is derived from, too: a browser cannot make it later.
	text := strconv.FormatInt(time.Now().Unix(), 10) + "." + rand.Text() + rand.Text()
	c := s.cookie(s.cookieName()+name, text) //nolint:gosec // as in cookie
	c.MaxAge = int(lasts / time.Second)
	http.SetCookie(w, c)
	return plaintext.FromString(text)
}

// Begun returns what Begin gave the browser, and takes it from there: it is good for one answer.
// Unauthenticated: there is none, there are several, or it is too old.
func (s *Sessions) Begun(w http.ResponseWriter, r *http.Request) (plaintext.Value, error) {
	return s.begun(w, r, attemptName, s.Attempt)
}

// begun returns what begin put into a cookie, and takes it from there.
func (s *Sessions) begun(
	w http.ResponseWriter, r *http.Request, name string, lasts time.Duration,
) (plaintext.Value, error) {
	name = s.cookieName() + name
	c := s.cookie(name, "") //nolint:gosec // as in cookie
	c.MaxAge = -1
	http.SetCookie(w, c)
	cookies := r.CookiesNamed(name)
	if len(cookies) != 1 {
		return plaintext.Value{}, errNoAttempt
	}
	at, _, _ := strings.Cut(cookies[0].Value, ".")
	began, err := strconv.ParseInt(at, 10, 64)
	age := time.Since(time.Unix(began, 0))
	if err != nil || age < 0 || age >= lasts {
		return plaintext.Value{}, errNoAttempt
	}
	return plaintext.FromString(cookies[0].Value), nil
}

var errNoAttempt = &vault.Error{
	Kind: vault.Unauthenticated, Detail: "This browser has begun no sign-in in the last minutes",
}

// SignInPerson gives the browser of somebody who signed in at a provider a session of its own, and
// ends the one that it had, as [Sessions.SignIn] does.
func (s *Sessions) SignInPerson(
	w http.ResponseWriter, r *http.Request, p vault.Person, client netip.Addr,
) (vault.Session, error) {
	session, token, err := s.vault.SignInPerson(r.Context(), p, client)
	if err != nil {
		return vault.Session{}, err
	}
	s.replace(w, r, token, client)
	return session, nil
}
