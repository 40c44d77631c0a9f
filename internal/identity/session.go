package identity

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// The names of the cookie. With the prefix a browser takes it from this very host alone, over TLS,
// and for all paths, so that no neighbour can set one. A development server on plain HTTP has none
// of that, and a name of its own.
const (
	secureCookie = "__Host-keysake"
	plainCookie  = "keysake-dev"
)

// freshTime is how long after a sign-in a session may do what is dangerous.
const freshTime = 15 * time.Minute

// Sessions sign people in and out by a cookie.
type Sessions struct {
	// Fresh is how long after its sign-in a session may do what is dangerous.
	Fresh time.Duration
	// Attempt is how long a sign-in at a provider may take.
	Attempt time.Duration

	vault *vault.Service
	plain bool
	first firstLink
}

// NewSessions returns sessions of v. plain is for a development server that is reached over HTTP:
// not every browser takes a Secure cookie from it.
func NewSessions(v *vault.Service, plain bool) *Sessions {
	return &Sessions{Fresh: freshTime, Attempt: vault.AttemptTime, vault: v, plain: plain}
}

func (s *Sessions) cookieName() string {
	if s.plain {
		return plainCookie
	}
	return secureCookie
}

// Of returns the session of a request. Unauthenticated: there is none, or there are several, of
// which a server cannot tell which its own cookie is.
func (s *Sessions) Of(r *http.Request) (vault.Session, error) {
	return s.find(r, s.vault.AuthenticateSession)
}

// Look is Of for a request that is no use of the session.
func (s *Sessions) Look(r *http.Request) (vault.Session, error) {
	return s.find(r, s.vault.LookAtSession)
}

func (s *Sessions) find(
	r *http.Request, by func(context.Context, plaintext.Value) (vault.Session, error),
) (vault.Session, error) {
	cookies := r.CookiesNamed(s.cookieName())
	if len(cookies) != 1 {
		return vault.Session{}, errNoCredential
	}
	return by(r.Context(), plaintext.FromString(cookies[0].Value))
}

// SignIn uses a sign-in link up, gives the browser a session of its own, and ends the one that it
// had. What the browser presents is never taken over into the new session.
func (s *Sessions) SignIn(
	w http.ResponseWriter, r *http.Request, link plaintext.Value, client netip.Addr,
) (vault.Session, error) {
	link, err := s.stored(r.Context(), link)
	if err != nil {
		return vault.Session{}, err
	}
	session, token, err := s.vault.SignIn(r.Context(), link, client)
	if err != nil {
		return vault.Session{}, err
	}
	s.replace(w, r, token, client)
	return session, nil
}

// replace gives the browser a session in place of the one that it had.
func (s *Sessions) replace(
	w http.ResponseWriter, r *http.Request, token plaintext.Value, client netip.Addr,
) {
	if before, err := s.Of(r); err == nil {
		before.Client = client
		// It ends by itself if this fails, and the new one is what was asked for.
		_ = s.vault.RevokeSelf(r.Context(), before.Actor)
	}
	http.SetCookie(w, s.cookie(s.cookieName(), string(token.Reveal())))
}

// SignOut ends a session, and takes its cookie from the browser.
func (s *Sessions) SignOut(w http.ResponseWriter, r *http.Request, of vault.Session) error {
	s.Forget(w)
	return s.vault.RevokeSelf(r.Context(), of.Actor)
}

// Forget takes the cookie from the browser.
func (s *Sessions) Forget(w http.ResponseWriter) {
	c := s.cookie(s.cookieName(), "") //nolint:gosec // as in cookie
	c.MaxAge = -1
	http.SetCookie(w, c)
}

// cookie has no end of its own: it goes with the browser, and the server knows when it ends.
func (s *Sessions) cookie(name, value string) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // without Secure only for a development server on HTTP
		Name: name, Value: value, Path: "/",
		Secure: !s.plain, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// IsFresh reports whether a session began so short a time ago that it may do what is dangerous.
func (s *Sessions) IsFresh(of vault.Session) bool { return time.Since(of.SignedInAt) < s.Fresh }

// Scheme returns by what browsers reach the pages.
func (s *Sessions) Scheme() string {
	if s.plain {
		return "http"
	}
	return "https"
}

// PathOfLink is where the token of a sign-in link is presented.
func PathOfLink(token plaintext.Value) string {
	var path strings.Builder
	path.WriteString("/ui/sign-in?link=")
	path.Write(token.Reveal())
	return path.String()
}

// PathOfDevice is where a user confirms the login of a program.
func PathOfDevice(userCode string) string { return "/ui/device?code=" + userCode }
