package identity_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/identity"
	"github.com/keysake/keysake/internal/vault"
)

// begun returns what a browser has after a sign-in began, and the text that binds it.
func begun(s *identity.Sessions) (cookie *http.Cookie, text string) {
	w := httptest.NewRecorder()
	text = string(s.Begin(w).Reveal())
	return w.Result().Cookies()[0], text
}

func back(cookies ...*http.Cookie) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	return r
}

func TestASignInIsBoundToItsBrowser(t *testing.T) {
	for plain, want := range map[bool]string{
		false: "__Host-keysake-sign-in=*; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax",
		true:  "keysake-dev-sign-in=*; Path=/; Max-Age=600; HttpOnly; SameSite=Lax",
	} {
		s := identity.NewSessions(nil, plain)
		cookie, text := begun(s)
		if got := strings.Replace(cookie.String(), text, "*", 1); got != want {
			t.Errorf("the cookie is %s", got)
		}
		w := httptest.NewRecorder()
		got, err := s.Begun(w, back(cookie))
		if err != nil || string(got.Reveal()) != text {
			t.Errorf("plain %v: %v", plain, err)
		}
		taken := w.Result().Cookies()
		if len(taken) != 1 || taken[0].Name != cookie.Name || taken[0].MaxAge >= 0 {
			t.Errorf("plain %v: the browser keeps it: %v", plain, taken)
		}
		if other, _ := begun(s); other.Value == cookie.Value {
			t.Error("two sign-ins have the same text")
		}
	}
}

func TestAnythingElseIsTheBeginningOfNoSignIn(t *testing.T) {
	s := identity.NewSessions(nil, false)
	cookie, text := begun(s)
	with := func(value string) *http.Cookie { return &http.Cookie{Name: cookie.Name, Value: value} }
	at := func(age time.Duration) *http.Cookie {
		_, random, _ := strings.Cut(text, ".")
		return with(strconv.FormatInt(time.Now().Add(-age).Unix(), 10) + "." + random)
	}
	for what, r := range map[string]*http.Request{
		"none":                 back(),
		"two":                  back(cookie, with("x")),
		"twice the same":       back(cookie, cookie),
		"empty":                back(with("")),
		"no time":              back(with("x." + text)),
		"after 10 minutes":     back(at(vault.AttemptTime)),
		"of the future":        back(at(-time.Hour)),
		"of another name":      back(&http.Cookie{Name: "keysake-dev-sign-in", Value: text}),
		"the name of sessions": back(&http.Cookie{Name: "__Host-keysake", Value: text}),
	} {
		w := httptest.NewRecorder()
		got, err := s.Begun(w, r)
		if vault.KindOf(err) != vault.Unauthenticated || err == nil || got.Len() > 0 {
			t.Errorf("%s: %v", what, err)
		}
		if len(w.Result().Cookies()) != 1 {
			t.Errorf("%s: the browser keeps it", what)
		}
	}
	if _, err := s.Begun(httptest.NewRecorder(), back(at(9*time.Minute))); err != nil {
		t.Errorf("after 9 minutes: %v", err)
	}
}
