package browser_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/keysake/keysake/bundle"
	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// signInPath returns a new link of the user dev.
func signInPath(t *testing.T, s *apptest.Server) string {
	t.Helper()
	me, err := s.Client(t).WhoAmI(t.Context())
	apptest.Must(t, err)
	link, err := s.Client(t).CreateSignInLink(t.Context(), me.ID)
	apptest.Must(t, err)
	return link.Path
}

func (b *tab) signIn() {
	b.t.Helper()
	b.visit(signInPath(b.t, b.server))
	b.press("main button")
}

// A value that is in no page, however it was sent.
func canary() string { return "canary-" + strings.Repeat("xY7", 10) }

func (b *tab) assertNoCanary(what string) {
	b.t.Helper()
	stored := eval[string](b, `document.documentElement.outerHTML +
		JSON.stringify(localStorage) + JSON.stringify(sessionStorage) + document.cookie +
		location.href + Array.from(document.querySelectorAll("input,textarea"), (e) => e.value)`)
	if strings.Contains(stored, canary()[:20]) {
		b.t.Errorf("%s: the value is in the page or what it keeps", what)
	}
	if strings.Contains(stored, "kss_") {
		b.t.Errorf("%s: a script reads the session", what)
	}
	var history []*page.NavigationEntry
	b.run("history", chromedp.NavigationEntries(new(int64), &history))
	for _, entry := range history {
		if strings.Contains(entry.URL, canary()[:20]) {
			b.t.Errorf("%s: the value is in the history", what)
		}
	}
}

// A newcomer follows the printed link, adds a key, runs a program with it, sees the use, and
// revokes it.
func TestANewcomerAddsAKeySeesItUsedAndRevokesIt(t *testing.T) {
	for name, scripts := range map[string]bool{"with scripts": true, "without scripts": false} {
		t.Run(name, func(t *testing.T) {
			s := apptest.Start(t)
			b := openTab(t, s)
			b.look(360, "light")
			b.run("scripts", emulation.SetScriptExecutionDisabled(!scripts))
			b.signIn()
			b.press(`.empty a.main`)
			b.press(`a[href$="preset=openai"]`)
			b.fill("#value", canary())
			if scripts && !strings.Contains(b.text(), "does not begin as keys of this provider") {
				t.Error("the page gives no hint about the key")
			}
			b.press("form.sheet button.main")
			b.assertNoCanary("stored")
			if text := b.text(); !strings.Contains(text, "Stored.") ||
				!strings.Contains(text, "OPENAI_API_KEY") {
				t.Fatalf("the page does not say that it was stored:\n%s", text)
			}
			b.use(t)
			b.run("reload", chromedp.Reload(), chromedp.WaitReady("main"))
			if text := b.text(); !strings.Contains(text, "the first run") {
				t.Errorf("the use is not shown:\n%s", text)
			}
			b.press(".lease button.danger")
			if text := b.text(); !strings.Contains(text, "Revoked") {
				t.Errorf("the page does not say that it was revoked:\n%s", text)
			}
			b.assertClean("all pages")
		})
	}
}

// use makes a lease of the only secret, as a program does.
func (b *tab) use(t *testing.T) {
	t.Helper()
	c := b.server.Client(t)
	secrets, err := c.ListSecrets(t.Context())
	apptest.Must(t, err)
	key, err := bundle.NewKey(bundle.XWing)
	apptest.Must(t, err)
	label, recipient := "the first run", key.Recipient().String()
	lease := wire.CreateLease{
		Delivery: "bundle", Recipient: &recipient, Run: &wire.Run{Label: &label},
	}
	for _, secret := range secrets.Secrets {
		lease.SecretIDs = append(lease.SecretIDs, secret.ID)
	}
	_, err = c.CreateLease(t.Context(), lease)
	apptest.Must(t, err)
}

// furnished signs in on a server with something on each page, and returns the paths of the pages.
func (b *tab) furnished(t *testing.T) map[string]string {
	t.Helper()
	c := b.server.Client(t)
	brokered := b.server.LeaseForBroker(t, plaintext.FromString(canary()))
	b.server.AskInVain(t, brokered, "/v1/a-model-whose-name-is-long/"+strings.Repeat("x", 200))
	secret := brokered.Secrets[0]
	for _, provider := range []string{"anthropic", "github"} {
		_, err := c.CreateFromPreset(t.Context(), wire.CreateFromPreset{
			Provider: provider, Value: plaintext.FromString(canary()),
		})
		apptest.Must(t, err)
	}
	_, err := c.UpdateSecret(t.Context(), secret.ID, wire.UpdateSecret{
		Value: plaintext.FromString(canary() + "2"),
	})
	apptest.Must(t, err)
	_, err = c.SetSecretExpiry(t.Context(), secret.ID, wire.SecretExpiry{
		ExpiresAt: wire.Timestamp{Time: time.Now().Add(72 * time.Hour)},
	})
	apptest.Must(t, err)
	b.use(t)
	leases, err := c.ListLeases(t.Context(), client.LeaseFilter{})
	apptest.Must(t, err)
	b.signIn()
	keys, err := c.ListAPIKeys(t.Context())
	apptest.Must(t, err)
	key, nightly := b.server.NewUser(t, strings.Repeat("a-user-whose-name-is-long-", 2)), "nightly"
	_, err = b.server.ClientWith(t, key).CreateAPIKey(
		t.Context(), wire.CreateAPIKey{Name: &nightly})
	apptest.Must(t, err)
	users, err := c.ListUsers(t.Context())
	apptest.Must(t, err)
	user, me := "/ui/users/"+users.Users[0].ID, "/ui/users/"+users.Users[1].ID
	b.server.NewUser(t, "acme-backend", "secrets:read", "leases:write", "act:user")
	_, err = c.CreateUserGrant(t.Context(), wire.CreateUserGrant{
		User: "acme-backend", SecretIDs: &[]string{secret.ID},
	})
	apptest.Must(t, err)
	name := "keysake on laptop"
	waits, err := c.StartDeviceLogin(t.Context(), wire.StartDeviceLogin{Name: &name})
	apptest.Must(t, err)
	return map[string]string{
		"let-in": "/ui/device?code=" + waits.UserCode, "code": "/ui/device",
		"secrets": "/ui/secrets", "add": "/ui/secrets/new",
		"preset": "/ui/secrets/new?preset=openai", "custom": "/ui/secrets/new?custom",
		"import": "/ui/secrets/import",
		"secret": "/ui/secrets/" + secret.ID,
		"delete": "/ui/secrets/" + secret.ID + "/delete", "leases": "/ui/leases",
		"lease": "/ui/leases/" + leases.Leases[0].ID, "keys": "/ui/keys",
		"brokered": "/ui/leases/" + brokered.ID,
		"revoke":   "/ui/keys/" + keys.APIKeys[0].ID + "/revoke", "sessions": "/ui/sessions",
		"users": "/ui/users", "user": user, "delete-user": user + "/delete", "me": me,
		"all-keys": "/ui/all-keys", "fleet": "/ui/fleet", "usage": "/ui/usage?days=90",
		"passkeys": "/ui/passkeys", "grants": "/ui/grants",
		"audit": "/ui/audit", "stop": "/ui/stop", "none": "/ui/none", "sign-in": "/ui/sign-in",
	}
}

func TestEveryPageIsForEveryoneOnEveryScreenInBothThemes(t *testing.T) {
	s := apptest.Start(t, func(c *config.Config) { c.Program = "serve 1.0.0" })
	b := openTab(t, s)
	pages := b.furnished(t)
	for _, width := range []int{360, 1440} {
		for _, theme := range []string{"light", "dark"} {
			b.look(width, theme)
			for name, path := range pages {
				what := fmt.Sprintf("%s-%d-%s", name, width, theme)
				if takesPictures() && inDocs[what] == "" {
					continue // make screenshots wants no others
				}
				b.visit(path)
				if wide := eval[int](b, "document.documentElement.scrollWidth"); wide > width {
					t.Errorf("%s is %d wide", what, wide)
				}
				if (width == 360) == (theme == "light") { // the rest is the same, or a colour
					b.assertAccessible(what)
				}
				b.assertNoCanary(what)
				b.screenshot(what)
			}
		}
	}
	b.assertClean("all pages")
}

func TestTheSignInAtAProviderIsForEveryoneOnEveryScreenInBothThemes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	apptest.Must(t, os.WriteFile(file, []byte("the-secret-of-the-client"), 0o600))
	s := apptest.Start(t, func(c *config.Config) {
		c.PublicURL = "https://keysake.example.org"
		c.SignIn = config.SignIn{
			OIDCIssuer: "https://id.example.org", OIDCName: "Acme", OIDCClientID: "keysake",
			OIDCClientSecretFile: file, OIDCScopes: "openid",
			OIDCUsernameClaim: "preferred_username",
		}
	})
	b := openTab(t, s)
	for _, width := range []int{360, 1440} {
		for _, theme := range []string{"light", "dark"} {
			b.look(width, theme)
			for name, path := range map[string]string{
				"sign-in-provider": "/ui/sign-in", "not-signed-in": "/ui/sign-in/callback?code=x",
			} {
				what := fmt.Sprintf("%s-%d-%s", name, width, theme)
				b.visit(path)
				if text := b.text(); !strings.Contains(text, "Sign in with Acme") {
					t.Errorf("%s does not offer the provider:\n%s", what, text)
				}
				if wide := eval[int](b, "document.documentElement.scrollWidth"); wide > width {
					t.Errorf("%s is %d wide", what, wide)
				}
				b.assertAccessible(what)
				b.screenshot(what)
			}
		}
	}
	b.assertClean("the pages of the sign-in")
}

// A person who is sent to the page of a login signs in, types the code, and lets the program in.
func TestAProgramIsLetInByTheCodeThatItShows(t *testing.T) {
	s := apptest.Start(t)
	b := openTab(t, s)
	b.look(360, "dark")
	c := s.Client(t)
	login, err := c.StartDeviceLogin(t.Context(), wire.StartDeviceLogin{})
	apptest.Must(t, err)
	b.visit("/account/device?code=" + login.UserCode)
	if text := b.text(); !strings.Contains(text, login.UserCode) {
		t.Errorf("who is not signed in does not see what to come back with:\n%s", text)
	}
	b.signIn()
	b.visit("/ui/device")
	b.fill("#code", strings.ToLower(strings.ReplaceAll(login.UserCode, "-", "")))
	b.press("form.sheet button.main")
	if text := b.text(); !strings.Contains(text, login.UserCode) {
		t.Errorf("the page does not show the code:\n%s", text)
	}
	b.press("main button.main")
	if text := b.text(); !strings.Contains(text, "The program is let in") {
		t.Errorf("the page does not say that it was let in:\n%s", text)
	}
	made, err := c.FetchDeviceLogin(t.Context(), plaintext.FromString(login.DeviceCode))
	if err != nil || !strings.HasPrefix(made.AccessToken, "ksk_") {
		t.Errorf("the program has no key: %v", err)
	}
	b.assertClean("a login")
}

// The keyboard alone is enough: each thing that can be used is reached by Tab, and shows that.
func TestTheKeyboardReachesEverythingAndShowsWhere(t *testing.T) {
	s := apptest.Start(t)
	b := openTab(t, s)
	b.signIn()
	b.visit("/ui/secrets/new?custom")
	reached := map[string]bool{}
	for range 20 {
		b.run("tab", chromedp.KeyEvent("\t"))
		at := eval[string](b, `(() => { const e = document.activeElement, s = getComputedStyle(e);
			return (e.id || e.innerText) + "|" + (s.outlineStyle !== "none"); })()`)
		name, shown, _ := strings.Cut(at, "|")
		reached[strings.TrimSpace(name)] = shown == "true"
	}
	for _, want := range []string{
		"Skip to the page", "Emergency stop", "name", "value", "Store it",
	} {
		if shown, found := reached[want]; !found || !shown {
			t.Errorf("%s: reached %v, shown %v", want, found, shown)
		}
	}
}
