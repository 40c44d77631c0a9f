package web_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/identity"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/middleware"
	"github.com/keysake/keysake/internal/passkey"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/internal/web"
)

func TestWhatIsDangerousNeedsANewSignIn(t *testing.T) {
	cfg := apptest.Config(t)
	i, err := instance.Open(t.Context(), cfg, instance.NewKeys(cfg, nil), instance.Create)
	apptest.Must(t, err)
	t.Cleanup(func() { apptest.Must(t, i.Close()) })
	admin, err := vault.NewUsername("admin")
	apptest.Must(t, err)
	mia, err := vault.NewUsername("mia")
	apptest.Must(t, err)
	key, err := i.Operator.CreateAdmin(t.Context(), admin, vault.KeyName{})
	apptest.Must(t, err)
	who, err := i.Vault.Authenticate(t.Context(), key)
	apptest.Must(t, err)
	_, link, err := i.Vault.CreateSignInLink(t.Context(), who, who.User)
	apptest.Must(t, err)
	sessions := identity.NewSessions(i.Vault, true)
	site := web.New(web.Options{
		Vault: i.Vault, Sessions: sessions, Passkeys: func() *passkey.Site { return nil },
		Middleware: middleware.Options{
			Log: slog.New(slog.DiscardHandler), Strangers: middleware.NewStrangers(),
		},
	})
	server := httptest.NewServer(site)
	t.Cleanup(server.Close)
	b := open(t, &apptest.Server{URL: server.URL})
	b.send("/ui/sign-in", "link", string(link.Reveal())).leadsTo(t, "/ui/secrets")
	secret := b.add("KEPT", "value-that-stays")
	tag := b.get(secret).field(t, "tag")

	made, err := i.Vault.CreateUser(t.Context(), who, vault.UserRequest{Username: mia})
	apptest.Must(t, err)
	user := "/ui/users/" + made.ID.String()
	sessions.Fresh = 0 // as after 15 minutes
	for path, fields := range map[string][]string{
		"/ui/keys":         {"name", "x", "days", "1", "scope", "secrets:read"},
		secret + "/delete": {"tag", tag},
		"/ui/grants":       {"user", "acme-backend", "which", "all", "days", "1"},
		"/ui/device":       {"code", "BCDF-GHJK", "decision", "confirm"},
		"/ui/users":        {"username", "evil"},
		user + "/link":     nil, user + "/enable": nil, user + "/delete": nil,
	} {
		text := b.send(path, fields...).want(t, http.StatusForbidden).text
		if !strings.Contains(text, "Sign in again") {
			t.Errorf("%s does not say what to do", path)
		}
	}
	for _, path := range []string{
		"/ui/keys", "/ui/grants", secret + "/delete", "/ui/users", user, user + "/delete",
	} {
		if text := b.get(path).want(t, 200).text; !strings.Contains(text, "needs a newer sign-in") {
			t.Errorf("%s does not say what to do", path)
		}
	}
	b.get(secret).want(t, http.StatusOK)
	b.get("/ui/fleet").want(t, http.StatusOK)
	b.send(user+"/disable").leadsTo(t, user) // what stops somebody works for those in a hurry
	b.send(user+"/keep").leadsTo(t, user)
	b.send("/ui/stop", "leases", "on").want(t, http.StatusOK)
	b.send("/ui/sign-out").leadsTo(t, "/ui/sign-in")
}
