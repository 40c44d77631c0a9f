package web_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/plaintext"
)

const providerHost = "api.openai.com"

var providerPair = apptest.TrustedPair(providerHost, issuerHost)

// refusing starts a server before a provider that refuses every key.
func refusing(t *testing.T) *apptest.Server {
	t.Helper()
	provider := httptest.NewUnstartedServer(http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"error": {"code": "invalid_api_key"}}`))
		}))
	provider.TLS = &tls.Config{
		Certificates: []tls.Certificate{providerPair}, MinVersion: tls.VersionTLS12,
	}
	provider.StartTLS()
	t.Cleanup(provider.Close)
	return apptest.Start(t, func(c *config.Config) {
		c.EgressAllow = apptest.Egress(provider.Listener.Addr().String(), providerHost)
	})
}

func TestAKeyThatItsProviderRefusedAtTheBrokerIsShownUntilItIsProbed(t *testing.T) {
	s := refusing(t)
	b := open(t, s)
	b.signIn("dev")
	lease := s.LeaseForBroker(t, plaintext.FromString("key-of-a-run-that-is-refused"))
	s.Ask(t, lease, http.MethodPost, "/v1/responses", http.StatusUnauthorized)
	secret := "/ui/secrets/" + lease.Secrets[0].ID
	const suspected = `<span class="badge bad">refused by its provider `
	for _, path := range []string{secret, "/ui/secrets"} {
		text := b.get(path).text
		if !strings.Contains(text, suspected) || !strings.Contains(text, ": probe it</span>") ||
			strings.Contains(text, "Last refused") != (path == secret) {
			t.Errorf("%s does not show that the key was refused:\n%s", path, text)
		}
	}
	b.send(secret+"/probe").leadsTo(t, secret+"?done=asked")
	if text := b.get(secret).text; strings.Contains(text, suspected) ||
		!strings.Contains(text, "does not work") {
		t.Errorf("after a probe:\n%s", text)
	}
}

func TestAProbeIsOneButtonOnTheListAndOnThePageOfASecret(t *testing.T) {
	s := refusing(t)
	b := open(t, s)
	b.signIn("dev")
	to := b.send("/ui/secrets/new", "preset", "openai", "value", "sk-of-a-probe").
		leadsTo(t, "/ui/secrets/")
	secret, _, _ := strings.Cut(to, "?")
	const bad = `<span class="badge bad">does not work</span>`
	for _, path := range []string{secret, "/ui/secrets"} {
		text := b.get(path).text
		if strings.Contains(text, bad) || !strings.Contains(text, "Probe now") {
			t.Errorf("%s before a probe:\n%s", path, text)
		}
	}
	b.send(secret+"/probe").leadsTo(t, secret+"?done=asked")
	b.send(secret+"/probe", "from", "list").leadsTo(t, "/ui/secrets?done=asked")
	for _, path := range []string{secret, "/ui/secrets"} {
		text := b.get(path).text
		if !strings.Contains(text, bad) || !strings.Contains(text, "refused by its provider") {
			t.Errorf("%s does not show what the provider said:\n%s", path, text)
		}
	}
	custom := b.add("CUSTOM", "value-of-nobody-we-know")
	b.send(custom+"/probe").leadsTo(t, custom+"?done=no-check")
	if text := b.get(custom).text; strings.Contains(text, "Probe now") {
		t.Error("there is a button that asks nobody")
	}
}

func TestTheDayOnWhichASecretExpiresIsSetAndTakenAway(t *testing.T) {
	s := apptest.Start(t)
	b := open(t, s)
	b.signIn("dev")
	secret := b.add("EXPIRES", "value-that-expires")
	in := func(days int) string { return time.Now().UTC().AddDate(0, 0, days).Format("2006-01-02") }
	shown := func(want string) {
		t.Helper()
		for _, path := range []string{secret, "/ui/secrets"} {
			text := b.get(path).text
			_, badge, _ := strings.Cut(text, `<span class="badge`)
			badge, _, _ = strings.Cut(badge, "</span>")
			if !strings.Contains(badge, want) || want == "" && strings.Contains(badge, "expires") {
				t.Errorf("%s shows %q, not %q", path, badge, want)
			}
		}
	}
	shown("")
	for _, c := range []struct{ day, remind, says string }{
		{"", "14", "Give a day"},
		{"31.1.2027", "14", "Give a day"},
		{in(30), "", "Give a number of days"},
		{in(30), "367", "Give a number of days"},
		{in(30), "-1", "Give a number of days"},
		{in(-1), "14", "Expiry must be in the future"},
	} {
		text := b.send(secret+"/expiry", "expires_at", c.day, "remind_before", c.remind).
			want(t, http.StatusUnprocessableEntity).text
		if !strings.Contains(text, c.says) || !strings.Contains(text, "aria-invalid") {
			t.Errorf("%+v: the form does not say what is wrong:\n%s", c, text)
		}
	}
	shown("")
	b.send(secret+"/expiry", "expires_at", in(30), "remind_before", "14").
		leadsTo(t, secret+"?done=expiry-set")
	shown("") // not yet
	b.send(secret+"/expiry", "expires_at", in(30), "remind_before", "60").leadsTo(t, secret)
	at, err := time.Parse(time.DateOnly, in(30))
	apptest.Must(t, err)
	shown("expires " + at.Format("2 Jan 2006"))
	text := b.get(secret).text
	if !strings.Contains(text, `value="`+in(30)+`"`) || !strings.Contains(text, `value="60"`) {
		t.Errorf("the form does not have what is set:\n%s", text)
	}
	b.send(secret+"/expiry", "never", "1", "expires_at", "", "remind_before", "").
		leadsTo(t, secret+"?done=expiry-cleared")
	shown("")
	s.NewUser(t, "mia")
	other := open(t, s)
	other.signIn("mia")
	other.send(secret+"/expiry", "never", "1").want(t, http.StatusNotFound)
	other.send(secret+"/expiry", "expires_at", in(30), "remind_before", "14").
		want(t, http.StatusNotFound)
}
