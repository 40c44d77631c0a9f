package web_test

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
)

// The provider here is nobody's stand-in: it is Zitadel's, with the users of its example.
func TestSomebodySignsInAtAProviderOfOthers(t *testing.T) {
	const issuer = "https://" + issuerHost
	people := storage.NewStorageWithClients(storage.NewUserStore(issuer),
		map[string]*storage.Client{
			"keysake": storage.WebClient("keysake", clientSecret, publicURL+"/ui/sign-in/callback"),
		})
	provider := httptest.NewUnstartedServer(exampleop.SetupServer(
		issuer, people, slog.New(slog.DiscardHandler), false))
	provider.TLS = &tls.Config{
		Certificates: []tls.Certificate{providerPair}, MinVersion: tls.VersionTLS12,
	}
	provider.StartTLS()
	t.Cleanup(provider.Close)
	at := provider.Listener.Addr().String()
	file := filepath.Join(t.TempDir(), "secret")
	apptest.Must(t, os.WriteFile(file, []byte(clientSecret), 0o600))
	s := apptest.Start(t, func(c *config.Config) {
		c.EgressAllow = apptest.Egress(at, issuerHost)
		c.PublicURL = publicURL
		c.SignIn = config.SignIn{
			OIDCIssuer: issuer, OIDCClientID: "keysake", OIDCClientSecretFile: file,
			OIDCScopes: "openid profile email", OIDCUsernameClaim: "preferred_username",
			OIDCAllow: []config.Claim{{Name: "sub", Value: "id1"}},
		}
	})
	there := &http.Client{
		Transport: transportTo(at),
		CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			if strings.HasPrefix(r.URL.String(), publicURL) {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
	t.Cleanup(there.CloseIdleConnections)
	// signIn types a name and a password at the provider, and returns where that leads.
	signIn := func(b *browser, name string) string {
		page, err := there.Get(b.get("/ui/sign-in/provider").leadsTo(t, issuer))
		apptest.Must(t, err)
		apptest.Must(t, page.Body.Close())
		form := page.Request.URL
		back, err := there.PostForm(form.Scheme+"://"+form.Host+form.Path, url.Values{
			"id": {form.Query().Get("authRequestID")}, "username": {name},
			"password": {"verysecure"},
		})
		apptest.Must(t, err)
		apptest.Must(t, back.Body.Close())
		return strings.TrimPrefix(back.Header.Get("Location"), publicURL)
	}
	b := open(t, s)
	path := signIn(b, "test-user@"+issuerHost)
	b.get(path).leadsTo(t, "/ui/secrets?done=signed-in")
	b.add("KEPT", "value-that-stays")
	open(t, s).get(path).want(t, http.StatusUnauthorized)

	other := open(t, s)
	other.get(signIn(other, "test-user2")).want(t, http.StatusForbidden)
	other.assertNobody("who is not let in")
}
