package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/wire"
)

func TestAPersonLetsAPlatformActSeesItAndWithdrawsIt(t *testing.T) {
	s := apptest.Start(t)
	s.NewUser(t, "mia")
	backend := s.NewUser(t, "acme-backend", "secrets:read", "leases:write", "act:user")
	b := open(t, s)
	b.signIn("mia")
	secret := b.add("HERS", "value-of-hers-to-use")
	other := b.add("OTHER", "value-of-another-one")
	id := strings.TrimPrefix(secret, "/ui/secrets/")
	text := b.get("/ui/grants").want(t, http.StatusOK).text
	if !strings.Contains(text, "Nobody but you") || !strings.Contains(text, "nothing takes back") {
		t.Errorf("the page does not say what happens:\n%s", text)
	}
	text = b.send("/ui/grants", "user", "nobody", "which", "all", "days", "1").want(t, 422).text
	if !strings.Contains(text, "No user of this name may act for others") {
		t.Errorf("it does not say what is wrong:\n%s", text)
	}
	b.send("/ui/grants", "user", "acme-backend", "which", "some", "days", "1").want(t, 422)
	b.send("/ui/grants", "user", "acme-backend", "which", "x", "days", "1").want(t, 400)
	b.send("/ui/grants", "user", "acme-backend", "which", "all", "days", "2").want(t, 400)
	b.send("/ui/grants", "user", "acme-backend", "which", "some", "secret", id, "days", "30").
		leadsTo(t, "/ui/grants?done=granted")
	b.send("/ui/grants", "user", "acme-backend", "which", "all", "days", "1").want(t, 409)

	c, err := client.New(s.URL, backend, client.ActingFor("mia"))
	apptest.Must(t, err)
	label := "nightly"
	lease := wire.CreateLease{
		SecretIDs: []string{id}, Delivery: "ticket", Run: &wire.Run{Label: &label},
	}
	made, err := c.CreateLease(t.Context(), lease)
	apptest.Must(t, err)
	list, err := c.ListSecrets(t.Context())
	if err != nil || list.Total != 1 {
		t.Errorf("it sees %d secrets: %v", list.Total, err)
	}
	for path, want := range map[string]string{
		"/ui/grants":            "<dt>Open leases</dt><dd>1</dd>",
		"/ui/leases":            "acme-backend for you, with ",
		"/ui/leases/" + made.ID: "acme-backend for you, with an API key",
		secret:                  "acme-backend for you, with an API key",
		"/ui/audit":             "by acme-backend for you, with an API key, run",
	} {
		if text := b.get(path).want(t, http.StatusOK).text; !strings.Contains(text, want) {
			t.Errorf("%s does not say %q:\n%s", path, want, text)
		}
	}
	if text := b.get(other).text; strings.Contains(text, "acme-backend") {
		t.Error("a secret that was not used says that it was")
	}
	table := b.get("/ui/audit/export?format=csv").text
	if !strings.Contains(table, ",acme-backend,mia,") {
		t.Errorf("the export lacks the names:\n%s", table)
	}

	grant := idIn.FindStringSubmatch(b.get("/ui/grants").text[strings.Index(
		b.get("/ui/grants").text, "/ui/grants/"):])[1]
	b.send("/ui/grants/"+grant+"/remove").leadsTo(t, "/ui/grants?done=withdrawn")
	if _, err := c.CreateLease(t.Context(), lease); err == nil {
		t.Error("it acts for her after the withdrawal")
	}
	if text := b.get("/ui/leases/" + made.ID).text; !strings.Contains(text, "Revoked") {
		t.Error("its lease has not ended")
	}
	if text := b.get("/ui/grants").text; !strings.Contains(text, "Nobody but you") {
		t.Error("it is still there")
	}
	b.send("/ui/grants/"+grant+"/remove").want(t, http.StatusNotFound)
}

func TestAStopWithdrawsGrantsUnlessTheyAreLeft(t *testing.T) {
	s := apptest.Start(t)
	s.NewUser(t, "acme-backend", "act:user")
	b := open(t, s)
	b.signIn("dev")
	apptest.Must(t, second(s.Client(t).CreateUserGrant(t.Context(),
		wire.CreateUserGrant{User: "acme-backend"})))
	if text := b.get("/ui/stop").text; !strings.Contains(text, `name="grants" checked`) {
		t.Error("the grants are not chosen to begin with")
	}
	for _, c := range []struct {
		choice string
		want   int
	}{{"rules", 1}, {"grants", 0}} {
		b.send("/ui/stop", c.choice, "on").want(t, http.StatusOK)
		left, err := s.Client(t).ListUserGrants(t.Context())
		apptest.Must(t, err)
		if left.Total != c.want {
			t.Errorf("after a stop of %s there are %d grants", c.choice, left.Total)
		}
	}
}
