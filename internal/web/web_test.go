package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/plaintext"
)

// everyPage are the pages of someone who is signed in, without those of one thing.
var everyPage = append([]string{
	"/ui/secrets", "/ui/secrets/new", "/ui/secrets/new?preset=openai", "/ui/secrets/new?custom",
	"/ui/secrets/import",
	"/ui/leases", "/ui/keys", "/ui/grants", "/ui/sessions", "/ui/audit", "/ui/stop",
}, adminPages...)

func TestEveryPageNeedsASession(t *testing.T) {
	s := apptest.Start(t)
	b := open(t, s)
	for _, path := range append(everyPage, "/", "/ui/") {
		if path == "/" || path == "/ui/" {
			b.get(path).leadsTo(t, "/ui/secrets")
			continue
		}
		b.get(path).leadsTo(t, "/ui/sign-in")
	}
	b.send("/ui/secrets/new", "name", "X", "value", "y").want(t, http.StatusUnauthorized)
	b.signIn("dev")
	for _, path := range everyPage {
		b.get(path).want(t, http.StatusOK)
	}
	for _, path := range []string{
		"/ui/none", "/ui/secrets/x", "/ui/secrets/" + strings.Repeat("0", 36), "/ui//secrets",
		"/ui/secrets/../keys", "/ui/static/none.css", "/ui/secrets/new?preset=none",
		"/ui/leases/01968b20-41aa-7c55-8f0e-93f1f4f9a6b7",
	} {
		b.get(path).want(t, http.StatusNotFound)
	}
}

func TestTheHeadersAllowNothingFromElsewhere(t *testing.T) {
	s := apptest.Start(t)
	b := open(t, s)
	b.signIn("dev")
	for _, path := range append(everyPage, "/ui/none", "/ui/sign-in") {
		got := b.get(path)
		policy := got.Header.Get("Content-Security-Policy")
		for _, want := range []string{
			"default-src 'none'", "frame-ancestors 'none'", "form-action 'self'",
			"base-uri 'none'", "script-src 'self'",
		} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: the policy lacks %s", path, want)
			}
		}
		if strings.Contains(policy, "unsafe") || got.Header.Get("X-Frame-Options") != "DENY" ||
			got.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", path, got.Header)
		}
		for _, inline := range []string{
			" style=", "<style", "<script>", " onclick=", "javascript:",
		} {
			if strings.Contains(got.text, inline) {
				t.Errorf("%s has %s in it", path, inline)
			}
		}
	}
}

func TestAFormOfAnotherSiteChangesNothing(t *testing.T) {
	s := apptest.Start(t)
	s.NewUser(t, "mia")
	mia := userPage(t, s, "mia")
	b := open(t, s)
	b.signIn("dev")
	for name, headers := range map[string]map[string]string{
		"cross-site":    {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
		"a sibling":     {"Sec-Fetch-Site": "same-site", "Origin": "https://evil.example"},
		"an old client": {"Sec-Fetch-Site": "", "Origin": "https://evil.example"},
		"no origin":     {"Sec-Fetch-Site": "", "Origin": "null"},
	} {
		b.headers = headers
		for _, path := range []string{
			"/ui/secrets/new", "/ui/keys", "/ui/stop", "/ui/sign-out", "/ui/sign-in", "/ui/users",
			mia + "/disable", mia + "/delete", mia + "/link",
		} {
			got := b.send(path, "name", "EVIL", "username", "evil", "value", "x", "keys", "on")
			if got.StatusCode != http.StatusForbidden {
				t.Errorf("%s to %s: %d", name, path, got.StatusCode)
			}
		}
	}
	b.headers = map[string]string{}
	if text := b.get("/ui/secrets").want(t, 200).text; strings.Contains(text, "EVIL") {
		t.Error("a secret was stored")
	}
	if text := b.get(mia).want(t, 200).text; !strings.Contains(text, "Disable mia") {
		t.Error("a user was changed")
	}
	if text := b.get("/ui/users").want(t, 200).text; strings.Contains(text, "evil") {
		t.Error("a user was created")
	}
}

func TestASignInMakesASessionOfItsOwnAndEndsTheOneBefore(t *testing.T) {
	s := apptest.Start(t)
	// fixation: what an attacker put into the browser is never a session
	victim := open(t, s)
	victim.cookies[cookie] = "kss_" + strings.Repeat("a", 49)
	planted := victim.cookies[cookie]
	victim.signIn("dev")
	first := victim.cookies[cookie]
	if first == planted || first == "" {
		t.Fatal("the planted cookie became the session")
	}
	attacker := open(t, s)
	attacker.cookies[cookie] = planted
	attacker.get("/ui/secrets").leadsTo(t, "/ui/sign-in")

	victim.signIn("dev")
	before := open(t, s)
	before.cookies[cookie] = first
	before.get("/ui/secrets").leadsTo(t, "/ui/sign-in")

	last := victim.cookies[cookie]
	victim.send("/ui/sign-out").leadsTo(t, "/ui/sign-in")
	if _, kept := victim.cookies[cookie]; kept {
		t.Error("the cookie stays")
	}
	before.cookies[cookie] = last
	before.get("/ui/secrets").leadsTo(t, "/ui/sign-in")
}

func TestTheCookieOfADevelopmentServerIsClosedToScriptsAndToOtherSites(t *testing.T) {
	s := apptest.Start(t)
	b := open(t, s)
	path := link(t, s, "dev")
	_, token, _ := strings.Cut(path, "?link=")
	set := b.send("/ui/sign-in", "link", token).Header.Get("Set-Cookie")
	for _, want := range []string{"HttpOnly", "SameSite=Lax", "Path=/"} {
		if !strings.Contains(set, want) {
			t.Errorf("no %s in the cookie", want)
		}
	}
	if strings.Contains(set, "Domain") || strings.Contains(set, "Max-Age") {
		t.Error("the cookie is for other hosts, or outlives the browser")
	}
}

func TestTwoCookiesOfTheNameAreNoSession(t *testing.T) { // tossed by a neighbour
	s := apptest.Start(t)
	b := open(t, s)
	b.signIn("dev")
	token := b.cookies[cookie]
	delete(b.cookies, cookie)
	for _, both := range []string{
		cookie + "=" + token + "; " + cookie + "=x", cookie + "=x; " + cookie + "=" + token,
	} {
		b.headers = map[string]string{"Cookie": both}
		b.get("/ui/secrets").leadsTo(t, "/ui/sign-in")
	}
	b.headers = map[string]string{"Cookie": cookie + "=" + token}
	b.get("/ui/secrets").want(t, http.StatusOK)
}

func TestALinkIsUsedByASendAndNotByALook(t *testing.T) {
	s := apptest.Start(t)
	path := link(t, s, "dev")
	_, token, _ := strings.Cut(path, "?link=")
	for range 3 { // as programs do that look at links in messages
		open(t, s).get(path).want(t, http.StatusOK)
	}
	b := open(t, s)
	b.send("/ui/sign-in", "link", token).leadsTo(t, "/ui/secrets")
	thief := open(t, s)
	thief.send("/ui/sign-in", "link", token).want(t, http.StatusUnauthorized)
	thief.get(path).want(t, http.StatusUnauthorized)
	if len(thief.cookies) > 0 {
		t.Error("a used link signs in")
	}
}

func TestNoRequestLeadsABrowserToAnotherSite(t *testing.T) {
	s := apptest.Start(t)
	b := open(t, s)
	b.signIn("dev")
	const evil = "https://evil.example/"
	for _, path := range []string{
		"/ui/sign-in?next=" + evil, "//evil.example/ui/", "/ui//evil.example", "/ui/\\evil.example",
		"/ui/secrets?done=" + evil, "/?next=" + evil, "/ui/%2f%2fevil.example",
		"/ui/https://evil.example",
	} {
		got := b.get(path)
		if to := got.Header.Get("Location"); strings.Contains(to, "evil") ||
			strings.Contains(got.text, `href="`+evil) {
			t.Errorf("%s leads to %q", path, to)
		}
	}
}

func TestACredentialOfOneKindIsNoneAtTheOtherDoor(t *testing.T) {
	s := apptest.Start(t)
	b := open(t, s)
	b.signIn("dev")
	if _, err := s.ClientWith(t, plaintext.FromString(b.cookies[cookie])).
		WhoAmI(t.Context()); err == nil {
		t.Error("the API takes a session for an API key")
	}
	b.cookies[cookie] = string(s.Key.Reveal())
	b.get("/ui/secrets").leadsTo(t, "/ui/sign-in")
}
