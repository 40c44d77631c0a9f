package browser_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/identity"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/middleware"
	"github.com/keysake/keysake/internal/passkey"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/internal/web"
)

// named is the address of this machine at which browsers make passkeys.
func named(url string) string { return strings.Replace(url, "127.0.0.1", "localhost", 1) }

// authenticator gives the browser one that says yes to everything, as a fingerprint would.
func (b *tab) authenticator() {
	b.t.Helper()
	b.run("authenticator", webauthn.Enable(), chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := webauthn.AddVirtualAuthenticator(&webauthn.VirtualAuthenticatorOptions{
			Protocol:       webauthn.AuthenticatorProtocolCtap2,
			Ctap2version:   webauthn.Ctap2versionCtap21,
			Transport:      webauthn.AuthenticatorTransportInternal,
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: true,
			AutomaticPresenceSimulation: true,
		}).Do(ctx)
		return err
	}))
}

// see waits for a text, to which a script leads in its own time.
func (b *tab) see(text string) {
	b.t.Helper()
	b.run("see "+text, chromedp.WaitVisible(`//main//*[text()[contains(., "`+text+`")]]`))
}

func (b *tab) click(selector string) {
	b.t.Helper()
	b.run("click "+selector, chromedp.Click(selector, chromedp.ByQuery))
}

func TestSomebodySignsInWithAPasskeyUntilItIsRemoved(t *testing.T) {
	s := apptest.Start(t)
	at := s.URL
	s.URL = named(s.URL)
	b := openTab(t, s)
	b.look(360, "dark")
	b.authenticator()
	b.signIn()
	b.visit("/ui/passkeys")
	b.assertAccessible("no passkeys yet")
	b.fill("#name", "laptop")
	b.click("form[data-passkey] button.main")
	b.see("You can sign in with it from now on")
	b.assertAccessible("a passkey")
	b.screenshot("passkeys-360-dark")

	b.click("form[data-passkey] button.main") // the same place once more
	b.see("There is one of yours in that place already")
	b.click(".out button")
	b.see("You are signed out")
	b.assertAccessible("the sign-in page")
	b.screenshot("sign-in-passkey-360-dark")
	b.click("form[data-passkey] button.main")
	b.see("You are signed in")
	b.visit("/ui/audit")
	if text := b.text(); !strings.Contains(text, "by a passkey") {
		t.Errorf("the audit log does not have the passkey:\n%s", text)
	}
	b.visit("/ui/passkeys")
	b.press("a.danger-link")
	b.assertAccessible("a removal")
	b.screenshot("passkey-remove-360-dark")
	b.press("main button.danger")
	if text := b.text(); strings.Contains(text, "laptop") {
		t.Errorf("who came by the passkey is still signed in:\n%s", text)
	}
	b.visit("/ui/sign-in")
	b.click("form[data-passkey] button.main")
	b.see("does not let anybody in here")
	b.assertClean("a passkey")

	b.run("no scripts", emulation.SetScriptExecutionDisabled(true))
	b.visit("/ui/sign-in")
	if text := b.text(); !strings.Contains(text, "needs a script") {
		t.Errorf("without scripts:\n%s", text)
	}
	b.run("by its number", chromedp.Navigate(at+"/ui/sign-in"), chromedp.WaitReady("main"))
	if text := b.text(); !strings.Contains(text, "bind passkeys to that name") {
		t.Errorf("at the address that is a number:\n%s", text)
	}
}

// What needs a new sign-in goes on when a passkey confirms it: a page that is looked at, and a form
// that was sent.
func TestWhatWasToBeDoneGoesOnAfterAPasskeyConfirmsIt(t *testing.T) {
	cfg := apptest.Config(t)
	i, err := instance.Open(t.Context(), cfg, instance.NewKeys(cfg, nil), instance.Create)
	apptest.Must(t, err)
	t.Cleanup(func() { apptest.Must(t, i.Close()) })
	admin, err := vault.NewUsername("admin")
	apptest.Must(t, err)
	key, err := i.Operator.CreateAdmin(t.Context(), admin, vault.KeyName{})
	apptest.Must(t, err)
	who, err := i.Vault.Authenticate(t.Context(), key)
	apptest.Must(t, err)
	_, link, err := i.Vault.CreateSignInLink(t.Context(), who, who.User)
	apptest.Must(t, err)
	var url string
	sessions := identity.NewSessions(i.Vault, true)
	site := web.New(web.Options{
		Vault: i.Vault, Sessions: sessions,
		Passkeys: func() *passkey.Site { at, _ := passkey.NewSite(url); return at },
		Middleware: middleware.Options{
			Log: slog.New(slog.DiscardHandler), Strangers: middleware.NewStrangers(),
		},
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if site.ServeHTTP(w, r); r.URL.Path == "/ui/confirm" {
			sessions.Fresh = time.Hour // the new session is, on a machine as slow as it may be
		}
	}))
	t.Cleanup(server.Close)
	url = named(server.URL)
	b := openTab(t, &apptest.Server{URL: url})
	b.look(1440, "light")
	b.authenticator()
	b.visit(identity.PathOfLink(link))
	b.press("main button")
	b.visit("/ui/passkeys")
	b.click("form[data-passkey] button.main")
	b.see("You can sign in with it from now on")
	b.visit("/ui/secrets/new?custom")
	b.fill("#name", "LOST")
	b.fill("#value", canary())
	b.press("form.sheet button.main")

	sessions.Fresh = 0 // as after 15 minutes
	b.press(`a[href$="/delete"]`)
	b.assertAccessible("a deletion that is to be confirmed")
	b.screenshot("delete-confirm-1440-light")
	b.click("form[data-passkey] button.main")
	b.see("Delete LOST for good")
	sessions.Fresh = 0 // as when the page was open for long
	b.press("main button.danger")
	b.see("Sign in again for this")
	b.assertAccessible("a form that is to be confirmed")
	b.screenshot("confirm-1440-light")
	b.click("form[data-passkey] button.main")
	b.see("Deleted, with all of its versions")
	b.assertNoCanary("confirmed")
	b.assertClean("confirmed")
}
