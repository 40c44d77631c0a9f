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
	key, err := i.Operator.CreateAdmin(t.Context(), admin, vault.KeyName{})
	apptest.Must(t, err)
	who, err := i.Vault.Authenticate(t.Context(), key)
	apptest.Must(t, err)
	_, link, err := i.Vault.CreateSignInLink(t.Context(), who, who.User)
	apptest.Must(t, err)
	sessions := identity.NewSessions(i.Vault, true)
	site := web.New(web.Options{
		Vault: i.Vault, Sessions: sessions,
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

	sessions.Fresh = 0 // as after 15 minutes
	for path, fields := range map[string][]string{
		"/ui/keys":         {"name", "x", "days", "1", "scope", "secrets:read"},
		secret + "/delete": {"tag", tag},
		"/ui/device":       {"code", "BCDF-GHJK", "decision", "confirm"},
	} {
		text := b.send(path, fields...).want(t, http.StatusForbidden).text
		if !strings.Contains(text, "Sign in again") {
			t.Errorf("%s does not say what to do", path)
		}
	}
	for _, path := range []string{"/ui/keys", secret + "/delete"} {
		if text := b.get(path).want(t, 200).text; !strings.Contains(text, "needs a newer sign-in") {
			t.Errorf("%s does not say what to do", path)
		}
	}
	b.get(secret).want(t, http.StatusOK)
	b.send("/ui/stop", "leases", "on").want(t, http.StatusOK)
	b.send("/ui/sign-out").leadsTo(t, "/ui/sign-in")
}
