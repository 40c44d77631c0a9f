package web_test

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/issuer/issuertest"
	"github.com/keysake/keysake/plaintext"
)

const (
	issuerHost   = "id.example.org"
	publicURL    = "https://keysake.example.org"
	clientSecret = "the-secret-of-the-client"
)

// An idp is a provider at which people sign in, as a browser reaches it.
type idp struct {
	*issuertest.Issuer
	client *issuertest.Client
	dial   *http.Transport
}

// signingIn starts a provider, and a server whose people sign in at it.
func signingIn(t *testing.T, change ...func(*config.Config)) (*apptest.Server, *idp) {
	t.Helper()
	i, at := issuertest.StartAs(t, issuerHost, providerPair)
	p := &idp{
		Issuer: i,
		client: &issuertest.Client{
			ID: "keysake", Secret: clientSecret, Redirect: publicURL + "/ui/sign-in/callback",
			Claims: map[string]any{
				"sub": "00u1", "preferred_username": "mia", "groups": []string{"keysake"},
			},
		},
		dial: transportTo(at),
	}
	t.Cleanup(p.dial.CloseIdleConnections)
	i.Serve(p.client)
	file := filepath.Join(t.TempDir(), "secret")
	apptest.Must(t, os.WriteFile(file, []byte(clientSecret+"\n"), 0o600))
	return apptest.Start(t, append([]func(*config.Config){func(c *config.Config) {
		c.EgressAllow = apptest.Egress(at, issuerHost)
		c.PublicURL = publicURL
		c.SignIn = config.SignIn{
			OIDCIssuer: i.URL, OIDCName: "Acme", OIDCClientID: "keysake",
			OIDCClientSecretFile: file, OIDCScopes: "openid profile",
			OIDCUsernameClaim: "preferred_username",
			OIDCAllow:         []config.Claim{{Name: "groups", Value: "keysake"}},
			OIDCAdmin:         []config.Claim{{Name: "groups", Value: "admins"}},
		}
	}}, change...)...), p
}

// transportTo connects to one address, whatever the host.
func transportTo(at string) *http.Transport {
	var d net.Dialer
	return &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return d.DialContext(ctx, network, at)
		},
	}
}

// leaves goes to the provider, which sends the browser back, and returns where to.
func (b *browser) leaves(p *idp) string {
	b.t.Helper()
	to := b.get("/ui/sign-in/provider").leadsTo(b.t, p.URL+issuertest.Authorize+"?")
	request, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, to, nil)
	apptest.Must(b.t, err)
	answer, err := p.dial.RoundTrip(request)
	apptest.Must(b.t, err)
	apptest.Must(b.t, answer.Body.Close())
	back := answer.Header.Get("Location")
	path, found := strings.CutPrefix(back, publicURL)
	if !found {
		b.t.Fatalf("the provider answers %d, to %q", answer.StatusCode, back)
	}
	return path
}

// signsIn signs in at the provider.
func (b *browser) signsIn(p *idp) {
	b.t.Helper()
	b.get(b.leaves(p)).leadsTo(b.t, "/ui/secrets?done=signed-in")
}

const attemptCookie = cookie + "-sign-in"

// assertNobody checks that a browser has no session.
func (b *browser) assertNobody(what string) {
	b.t.Helper()
	if to := b.get("/ui/secrets").Header.Get("Location"); to != "/ui/sign-in" {
		b.t.Errorf("%s: the browser is signed in", what)
	}
}

func TestSomebodySignsInAtTheProvider(t *testing.T) {
	s, p := signingIn(t)
	b := open(t, s)
	text := b.get("/ui/sign-in").want(t, 200).text
	if !strings.Contains(text, "Sign in with Acme") ||
		!strings.Contains(text, "a link that works") {
		t.Errorf("the page does not offer both ways:\n%s", text)
	}
	b.headers = map[string]string{
		"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example",
	}
	b.signsIn(p)
	b.headers = map[string]string{}
	if got := p.Query().Get("redirect_uri"); got != publicURL+"/ui/sign-in/callback" {
		t.Errorf("the browser is to come back to %s", got)
	}
	if _, kept := b.cookies[attemptCookie]; kept {
		t.Error("the browser keeps what bound the sign-in")
	}
	b.add("KEPT", "value-that-stays")
	audit := b.get("/ui/audit").want(t, 200).text
	for _, want := range []string{"Signed in", "a sign-in at the provider"} {
		if !strings.Contains(audit, want) {
			t.Errorf("the audit log does not have %q", want)
		}
	}
	b.signsIn(p)
	if text := b.get("/ui/secrets").want(t, 200).text; !strings.Contains(text, "KEPT") {
		t.Error("the second sign-in is of another user")
	}
	b.send("/ui/sign-out").leadsTo(t, "/ui/sign-in")
	for _, secret := range []string{clientSecret, "eyJ"} {
		if strings.Contains(s.Logs.String(), secret) || strings.Contains(b.seen.String(), secret) {
			t.Errorf("%s is in the log or on a page", secret)
		}
	}
}

func TestASignInOfAnotherBrowserEndsInNone(t *testing.T) {
	s, p := signingIn(t)
	attacker, victim := open(t, s), open(t, s)
	path := attacker.leaves(p) // and has the victim follow it
	text := victim.get(path).want(t, http.StatusUnauthorized).text
	if !strings.Contains(text, "You were not signed in") || strings.Contains(text, "state") {
		t.Errorf("the page says:\n%s", text)
	}
	victim.assertNobody("a sign-in that it did not begin")
	victim.leaves(p) // one of its own is under way
	victim.get(path).want(t, http.StatusUnauthorized)
	victim.assertNobody("another one than it began")
	attacker.get(path).leadsTo(t, "/ui/secrets")

	for _, query := range []string{"", "?code=x", "?state=x&code=x", "?error=access_denied"} {
		victim.get("/ui/sign-in/callback"+query).want(t, http.StatusUnauthorized)
	}
	victim.assertNobody("an answer that is none")
}

func TestASignInAtTheProviderIsGoodOnce(t *testing.T) {
	s, p := signingIn(t)
	p.client.Twice = true // what a provider must not do
	b := open(t, s)
	path := b.leaves(p)
	kept := b.cookies[attemptCookie]
	b.get(path).leadsTo(t, "/ui/secrets")
	thief := open(t, s)
	thief.get(path).want(t, http.StatusUnauthorized)
	thief.cookies[attemptCookie] = kept
	thief.get(path).want(t, http.StatusForbidden)
	thief.assertNobody("a sign-in for the second time")
	b.send("/ui/sign-out")
	thief.cookies[attemptCookie] = kept
	thief.get(path).want(t, http.StatusForbidden)
	thief.assertNobody("a sign-in for the second time, after signing out")
	old := open(t, s)
	path = old.leaves(p)
	_, random, _ := strings.Cut(old.cookies[attemptCookie], ".")
	old.cookies[attemptCookie] = "1." + random
	old.get(path).want(t, http.StatusUnauthorized)
}

func TestASignInAtTheProviderMakesASessionOfItsOwn(t *testing.T) {
	s, p := signingIn(t)
	b := open(t, s)
	planted := "kss_" + strings.Repeat("a", 49)
	b.cookies[cookie] = planted
	b.signsIn(p)
	first := b.cookies[cookie]
	if first == planted || first == "" {
		t.Fatal("the planted cookie became the session")
	}
	b.signsIn(p)
	before := open(t, s)
	before.cookies[cookie] = first
	before.assertNobody("the session of before")
}

func TestOnlyWhomTheConfigurationLetsInSignsIn(t *testing.T) {
	s, p := signingIn(t)
	b := open(t, s)
	p.client.Claims["groups"] = []string{"others"}
	text := b.get(b.leaves(p)).want(t, http.StatusForbidden).text
	if !strings.Contains(text, "does not let you in") {
		t.Errorf("the page says:\n%s", text)
	}
	p.client.Claims["groups"] = []string{"keysake"}
	b.signsIn(p)
	users, err := s.Client(t).ListUsers(t.Context())
	apptest.Must(t, err)
	for _, u := range users.Users {
		if strings.HasPrefix(u.Username, "mia-") {
			apptest.Must(t, s.Client(t).DisableUser(t.Context(), u.ID))
		}
	}
	b.assertNobody("a disabled user")
	b.get(b.leaves(p)).want(t, http.StatusForbidden)
	b.assertNobody("a disabled user who comes again")
}

func TestAnAdminByClaimIsOneUntilTheClaimIsGone(t *testing.T) {
	s, p := signingIn(t)
	b := open(t, s)
	p.client.Claims["groups"] = []string{"keysake", "admins"}
	b.signsIn(p)
	text := b.send("/ui/keys", "name", "mine", "days", "0", "scope", "admin").want(t, 200).text
	key := keyIn(t, text)
	if _, err := s.ClientWith(t, key).ListUsers(t.Context()); err != nil {
		t.Errorf("the admin's key: %v", err)
	}
	p.client.Claims["groups"] = []string{"keysake"}
	open(t, s).signsIn(p)
	b.assertNobody("the session of an admin")
	if _, err := s.ClientWith(t, key).ListUsers(t.Context()); err == nil {
		t.Error("the key of who is no admin any more works")
	}
}

func TestAProviderThatIsAwayLeavesTheLinks(t *testing.T) {
	s, p := signingIn(t)
	b := open(t, s)
	path := b.leaves(p)
	p.client.Answer = func(w http.ResponseWriter) bool {
		w.WriteHeader(http.StatusInternalServerError)
		return true
	}
	text := b.get(path).want(t, http.StatusBadGateway).text
	if !strings.Contains(text, "cannot be reached") || !strings.Contains(text, "sign-in link") {
		t.Errorf("the page says:\n%s", text)
	}
	b.assertNobody("while the provider is away")

	p.SetDown(true)
	there, _ := signingIn(t, func(c *config.Config) { c.EgressAllow = nil }) // from its start
	b = open(t, there)
	text = b.get("/ui/sign-in/provider").want(t, http.StatusBadGateway).text
	if !strings.Contains(text, "cannot be reached") {
		t.Errorf("the page says:\n%s", text)
	}
	b.signIn("dev")
	b.get("/ui/secrets").want(t, 200)
}

func TestNoOtherSiteHasSomebodySignIn(t *testing.T) {
	s, p := signingIn(t)
	b := open(t, s)
	for _, from := range []string{"cross-site", "same-site"} {
		b.headers = map[string]string{"Sec-Fetch-Site": from}
		b.get("/ui/sign-in/provider").want(t, http.StatusForbidden)
		if len(b.cookies) > 0 {
			t.Errorf("%s: a sign-in began", from)
		}
	}
	b.headers = map[string]string{}
	const evil = "https://evil.example/"
	b.get("/ui/sign-in/provider?next="+evil+"&redirect_uri="+evil).leadsTo(t, p.URL)
	path := b.leaves(p) + "&next=" + url.QueryEscape(evil) + "&return_to=" + url.QueryEscape(evil)
	b.get(path).leadsTo(t, "/ui/secrets?done=signed-in")
}

func TestAStrangerComesBackFromTheProviderOnlySoOften(t *testing.T) {
	s, p := signingIn(t, func(c *config.Config) { c.AuthFailureLimit = 6 })
	b := open(t, s)
	for range 9 { // of no sign-in that began here, and so nothing to the provider
		b.get("/ui/sign-in/callback?code=x&state=x").want(t, http.StatusUnauthorized)
	}
	back := func() page {
		b.get("/ui/sign-in/provider").want(t, http.StatusSeeOther)
		return b.get("/ui/sign-in/callback?code=x&state=x")
	}
	for range 6 {
		back().want(t, http.StatusUnauthorized)
	}
	back().want(t, http.StatusTooManyRequests)
	if n := p.Asked(issuertest.Exchange); n != 0 {
		t.Errorf("the provider was asked for %d tokens", n)
	}
	b.signIn("dev") // by a link
}

func TestWithoutAProviderNoPageSpeaksOfOne(t *testing.T) {
	s := apptest.Start(t)
	b := open(t, s)
	if text := b.get("/ui/sign-in").want(t, 200).text; strings.Contains(text, "Sign in with") {
		t.Error("the page offers one")
	}
	b.get("/ui/sign-in/provider").want(t, http.StatusNotFound)
	b.get("/ui/sign-in/callback?code=x&state=x").want(t, http.StatusNotFound)
}

func TestAProvidersTokenIsNoCredential(t *testing.T) {
	s, p := signingIn(t)
	var token string
	p.client.Token = func(text string) string { token = text; return text }
	open(t, s).signsIn(p)
	if _, err := s.ClientWith(t, plaintext.FromString(token)).WhoAmI(t.Context()); err == nil {
		t.Error("the API takes an ID token for an API key")
	}
	b := open(t, s)
	b.cookies[cookie] = token
	b.assertNobody("an ID token as a session")
}
