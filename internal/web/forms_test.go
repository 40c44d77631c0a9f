package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/wire"
)

func TestAValueGoesInByAFormAndNeverComesOut(t *testing.T) {
	s := apptest.Start(t)
	b := open(t, s)
	b.signIn("dev")
	canary := "canary" + strings.Repeat("Zq7", 12)
	secret := b.add("CANARY", canary+"1")
	b.send("/ui/secrets/new", "preset", "openai", "value", canary+"2").leadsTo(t, "/ui/secrets/")
	tag := b.get(secret).field(t, "tag")
	b.send(secret+"/update", "tag", tag, "value", canary+"3").leadsTo(t, secret)

	// what is refused is not repeated either
	b.send("/ui/secrets/new", "name", "not a name", "value", canary+"4").want(t, 422)
	b.send("/ui/secrets/new", "name", "CANARY", "value", canary+"5").want(t, 409)
	b.send("/ui/secrets/new", "preset", "openai", "value", canary+" 6").want(t, 422)
	b.send("/ui/secrets/new", "preset", "none", "value", canary+"7").want(t, 404)
	b.send(secret+"/update", "tag", "stale", "value", canary+"8").want(t, 409)
	b.send("/ui/secrets/new", "name", "LONG", "value", strings.Repeat(canary, 20_000)).want(t, 413)
	b.send(secret+"/rename", "tag", "stale", "name", canary+" ").want(t, 409)

	for _, path := range append(everyPage, secret, secret+"/delete") {
		b.get(path).want(t, http.StatusOK)
	}
	if all := b.seen.String() + s.Logs.String(); strings.Contains(all, canary[:30]) {
		t.Error("a value is in a page, a header or the log")
	}
}

func TestASecretIsChangedRolledBackRenamedAndDeleted(t *testing.T) {
	s := apptest.Start(t)
	b := open(t, s)
	b.signIn("dev")
	secret := b.add("FIRST", "first-value-of-it")
	tag := func() string { return b.get(secret).field(t, "tag") }
	stale := tag()
	b.send(secret+"/update", "tag", stale, "value", "two\r\nlines").leadsTo(t, secret)
	b.send(secret+"/update", "tag", stale, "value", "unseen").want(t, http.StatusConflict)
	b.send(secret+"/rollback", "tag", tag(), "version", "1").leadsTo(t, secret)
	b.send(secret+"/rename", "tag", tag(), "name", "SECOND").leadsTo(t, secret)
	b.send(secret+"/rename", "tag", tag(), "name", "PATH").want(t, 422)
	if text := b.get(secret).text; !strings.Contains(text, "SECOND") ||
		!strings.Contains(text, "Use version 2 again") {
		t.Errorf("the page does not show what was done:\n%s", text)
	}
	if text := b.get(secret + "/delete").text; !strings.Contains(text, "This cannot be undone") {
		t.Error("the page does not say that it cannot be undone")
	}
	b.send(secret+"/delete", "tag", tag()).leadsTo(t, "/ui/secrets?done=deleted")
	b.get(secret).want(t, http.StatusNotFound)
}

func TestALeaseIsSeenAndRevoked(t *testing.T) {
	s := apptest.Start(t)
	b := open(t, s)
	b.signIn("dev")
	secret := b.add("LEASED", "value-of-a-lease")
	id := strings.TrimPrefix(secret, "/ui/secrets/")
	label := `a run with <b>"quotes"</b>`
	lease, err := s.Client(t).CreateLease(t.Context(), wire.CreateLease{
		SecretIDs: []string{id}, Delivery: "ticket", Run: &wire.Run{Label: &label},
	})
	apptest.Must(t, err)
	for _, path := range []string{secret, "/ui/leases", "/ui/leases/" + lease.ID} {
		text := b.get(path).want(t, http.StatusOK).text
		if !strings.Contains(text, "a run with &lt;b&gt;") || strings.Contains(text, "<b>") {
			t.Errorf("%s does not show the run, or shows it as markup", path)
		}
	}
	b.send("/ui/leases/"+lease.ID+"/revoke", "secret", id).leadsTo(t, secret+"?done=revoked")
	if text := b.get("/ui/leases/" + lease.ID).text; !strings.Contains(text, "Revoked") {
		t.Error("the lease is not shown as revoked")
	}
	b.get("/ui/leases?state=revoked").want(t, http.StatusOK)
	b.get("/ui/leases?state=nonsense").want(t, http.StatusOK)
}

func TestAnAPIKeyIsShownOnceAndWorksUntilItIsRevoked(t *testing.T) {
	s := apptest.Start(t)
	b := open(t, s)
	b.signIn("dev")
	b.send("/ui/keys", "name", "nothing", "days", "1").want(t, 422)
	for _, days := range []string{"soon", "-5", "3000000"} {
		b.send("/ui/keys", "name", "x", "days", days, "scope", "secrets:read").want(t, 400)
	}
	made := b.send("/ui/keys", "name", "laptop", "days", "30", "scope", "secrets:read")
	made.want(t, http.StatusOK)
	token := keyIn(t, made.text)
	apptest.Must(t, second(s.ClientWith(t, token).ListSecrets(t.Context())))
	list := b.get("/ui/keys").text
	if strings.Contains(list, string(token.Reveal())) || !strings.Contains(list, "laptop") {
		t.Error("the list shows the key, or not its name")
	}
	id := idIn.FindStringSubmatch(list)[1] // the newest is the first
	b.get("/ui/keys/"+id+"/revoke").want(t, http.StatusOK)
	b.send("/ui/keys/"+id+"/revoke").leadsTo(t, "/ui/keys")
	if _, err := s.ClientWith(t, token).ListSecrets(t.Context()); err == nil {
		t.Error("a revoked key works")
	}
}

func TestSessionsAreListedAndEnded(t *testing.T) {
	s := apptest.Start(t)
	here, there := open(t, s), open(t, s)
	here.signIn("dev")
	there.signIn("dev")
	text := here.get("/ui/sessions").text
	if n := strings.Count(text, "/end\""); n != 2 {
		t.Fatalf("%d sessions are listed", n)
	}
	other := idIn.FindStringSubmatch(text[strings.Index(text, "Another browser"):])[1]
	here.send("/ui/sessions/"+other+"/end").leadsTo(t, "/ui/sessions")
	there.get("/ui/secrets").leadsTo(t, "/ui/sign-in")
	here.get("/ui/secrets").want(t, http.StatusOK)
}

func TestAStopEndsWhatWasChosen(t *testing.T) {
	s := apptest.Start(t)
	s.NewUser(t, "mia")
	here, there := open(t, s), open(t, s)
	here.signIn("mia")
	there.signIn("mia")
	secret := here.add("USED", "value-in-use")
	made := here.send("/ui/keys", "days", "1", "scope", "secrets:read", "scope", "leases:write")
	token := keyIn(t, made.want(t, 200).text)
	lease, err := s.ClientWith(t, token).CreateLease(t.Context(), wire.CreateLease{
		SecretIDs: []string{strings.TrimPrefix(secret, "/ui/secrets/")}, Delivery: "ticket",
	})
	apptest.Must(t, err)
	unused := link(t, s, "mia")
	here.send("/ui/stop").want(t, 422)
	text := here.send("/ui/stop", "leases", "on", "sessions", "on", "keys", "on").want(t, 200).text
	for _, want := range []string{
		"1 lease revoked", "1 other session ended", "1 unused sign-in link or login ended",
		"API keys revoked",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say: %s\n%s", want, text)
		}
	}
	there.get("/ui/secrets").leadsTo(t, "/ui/sign-in")
	there.get(unused).want(t, http.StatusUnauthorized)
	if _, err := s.ClientWith(t, token).GetLease(t.Context(), lease.ID); err == nil {
		t.Error("the API key works")
	}
	text = here.send("/ui/stop", "leases", "on", "sessions", "on", "keys", "on").want(t, 200).text
	if !strings.Contains(text, "0 leases revoked") {
		t.Errorf("it cannot be done again:\n%s", text)
	}
	if text := here.get("/ui/audit").text; !strings.Contains(text, "Emergency stop</") {
		t.Error("the audit log does not call it an emergency stop")
	}
}

func TestAStopEndsRulesUnlessTheyAreLeft(t *testing.T) {
	s := apptest.Start(t)
	b := open(t, s)
	b.signIn("dev")
	apptest.Must(t, second(s.Client(t).CreateTrustRule(t.Context(), wire.CreateTrustRule{
		Issuer: "https://issuer.example.org", Audience: s.URL,
		Claims: []wire.TrustClaim{{Name: "sub", Value: "job"}}, Scopes: []string{"secrets:read"},
	})))
	if text := b.get("/ui/stop").text; !strings.Contains(text, `name="rules" checked`) {
		t.Error("the rules are not chosen to begin with")
	}
	for _, c := range []struct {
		choice string
		want   int
	}{{"leases", 1}, {"rules", 0}} {
		b.send("/ui/stop", c.choice, "on").want(t, http.StatusOK)
		left, err := s.Client(t).ListTrustRules(t.Context())
		apptest.Must(t, err)
		if left.Total != c.want {
			t.Errorf("after a stop of %s there are %d rules", c.choice, left.Total)
		}
	}
}

func TestANetworkThatTriedTooManyLinksLocksNoNewcomerOut(t *testing.T) {
	const tries = 3
	s := apptest.Start(t, func(c *config.Config) { c.AuthFailureLimit = tries })
	stranger, b := open(t, s), open(t, s)
	for range tries {
		stranger.get("/ui/sign-in?link=nonsense").want(t, http.StatusUnauthorized)
	}
	stranger.get("/ui/sign-in?link=nonsense").want(t, http.StatusTooManyRequests)
	stranger.send("/ui/sign-in", "link", "nonsense").want(t, http.StatusTooManyRequests)
	b.signIn("dev")
	for range 2 * tries { // to look at a good link is no failure
		b.get(link(t, s, "dev")).want(t, http.StatusOK)
	}
}

func TestAnotherUsersThingsAreNotThere(t *testing.T) {
	s := apptest.Start(t)
	s.NewUser(t, "mia")
	dev, mia := open(t, s), open(t, s)
	dev.signIn("dev")
	mia.signIn("mia")
	secret := dev.add("DEVS", "not for mia at all")
	for _, path := range []string{secret, secret + "/delete"} {
		mia.get(path).want(t, http.StatusNotFound)
	}
	for _, path := range []string{"/update", "/rename", "/rollback", "/delete", "/probe"} {
		got := mia.send(secret+path, "value", "hers", "name", "HERS", "version", "1", "tag", "x")
		got.want(t, http.StatusNotFound)
	}
	if text := mia.get("/ui/secrets").text; strings.Contains(text, "DEVS") {
		t.Error("the list has another user's secret")
	}
}
