package web_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/maintenance"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// adminPages are those that only an admin gets, without those of one user.
var adminPages = []string{
	"/ui/users", "/ui/all-keys", "/ui/all-keys?unused&old&endless", "/ui/fleet",
	"/ui/usage", "/ui/usage?days=90",
}

// userPage returns the path of the page of a user.
func userPage(t *testing.T, s *apptest.Server, name string) string {
	t.Helper()
	users, err := s.Client(t).ListUsers(t.Context())
	apptest.Must(t, err)
	for _, u := range users.Users {
		if u.Username == name {
			return "/ui/users/" + u.ID
		}
	}
	t.Fatalf("no user %s", name)
	return ""
}

func TestOnlyAnAdminGetsThePagesOfAdmins(t *testing.T) {
	s := apptest.Start(t)
	s.NewUser(t, "mia")
	mia := userPage(t, s, "mia")
	pages := append([]string{mia, mia + "/delete"}, adminPages...)
	stranger := open(t, s)
	for _, path := range pages {
		stranger.get(path).leadsTo(t, "/ui/sign-in")
	}
	b := open(t, s)
	b.signIn("mia") // by a link of an admin, whose user this is not
	for _, path := range pages {
		text := b.get(path).want(t, http.StatusForbidden).text
		if strings.Contains(text, "/ui/fleet") || !strings.Contains(text, "That was not done") {
			t.Errorf("%s leads to pages of admins, or does not say what happened", path)
		}
	}
	for _, form := range []string{"", "/link", "/disable", "/enable", "/delete", "/keep"} {
		path := mia + form
		if form == "" {
			path = "/ui/users"
		}
		b.send(path, "username", "evil").want(t, http.StatusForbidden)
	}
	if strings.Contains(b.get("/ui/secrets").text, "For admins") {
		t.Error("the menu leads who is no admin to pages of admins")
	}
	admin := open(t, s)
	admin.signIn("dev")
	for _, path := range pages {
		text := admin.get(path).want(t, http.StatusOK).text
		if !strings.Contains(text, "/ui/fleet") {
			t.Errorf("%s has no menu for admins", path)
		}
	}
	users, err := s.Client(t).ListUsers(t.Context())
	if err != nil || len(users.Users) != 2 || users.Users[1].Disabled {
		t.Errorf("who is no admin changed users: %+v (%v)", users, err)
	}
}

// linkIn finds the link that a page shows once.
var linkIn = regexp.MustCompile(`value="(http://[^"]*)(/ui/sign-in\?link=(ksl_[0-9A-Za-z]+))"`)

func TestAnAdminCreatesAUserWhoFollowsTheLinkOnce(t *testing.T) {
	s := apptest.Start(t)
	b := open(t, s)
	b.signIn("dev")
	for _, bad := range []string{"", "Mia", "../x", "mia mia", strings.Repeat("m", 65)} {
		b.send("/ui/users", "username", bad).want(t, http.StatusUnprocessableEntity)
	}
	refused := b.send("/ui/users", "username", "mia", "email_address", "<nobody>")
	if !strings.Contains(refused.want(t, 422).text, `value="mia"`) {
		t.Error("what was right has to be typed again")
	}
	made := b.send("/ui/users", "username", "mia", "email_address", "mia@example.org")
	link := linkIn.FindStringSubmatch(made.want(t, http.StatusOK).text)
	if link == nil || link[1] != s.URL || made.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("no link of the server, or it is kept:\n%s", made.text)
	}
	b.send("/ui/users", "username", "mia").want(t, http.StatusConflict)
	for _, path := range []string{"/ui/users", userPage(t, s, "mia"), "/ui/audit", "/ui/fleet"} {
		if strings.Contains(b.get(path).want(t, 200).text, link[3]) {
			t.Errorf("%s shows the link again", path)
		}
	}
	mia := open(t, s)
	mia.get(link[2]).want(t, http.StatusOK)
	mia.send("/ui/sign-in", "link", link[3]).leadsTo(t, "/ui/secrets")
	mia.get("/ui/secrets").want(t, http.StatusOK)
	mia.get("/ui/users").want(t, http.StatusForbidden)
	open(t, s).send("/ui/sign-in", "link", link[3]).want(t, http.StatusUnauthorized)
	if strings.Contains(s.Logs.String(), link[3]) {
		t.Error("the log has the link")
	}
}

func TestAUserIsDisabledEnabledDeletedAndKept(t *testing.T) {
	s := apptest.Start(t, func(c *config.Config) { c.DeleteDelay = 72 * time.Hour })
	key := s.NewUser(t, "mia")
	page := userPage(t, s, "mia")
	b, mia := open(t, s), open(t, s)
	b.signIn("dev")
	mia.signIn("mia")
	works := func() bool {
		return second(s.ClientWith(t, key).ListSecrets(t.Context())) == nil
	}
	says := func(texts ...string) {
		t.Helper()
		text := b.get(page).want(t, http.StatusOK).text
		for _, want := range texts {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in\n%s", want, text)
			}
		}
	}
	says("Disable mia", "It can be undone: enable the user again", "Delete mia…")
	b.send(page+"/disable").leadsTo(t, page+"?done=user-disabled")
	if says("Enable mia", "disabled</span>"); works() {
		t.Error("a key of who is disabled works")
	}
	mia.get("/ui/secrets").leadsTo(t, "/ui/sign-in")
	b.send(page+"/link").want(t, http.StatusConflict)
	b.send(page+"/enable").leadsTo(t, page+"?done=user-enabled")
	if says("Disable mia"); !works() {
		t.Error("a key of who is enabled again does not work")
	}
	if text := b.get(page+"/delete").want(t, 200).text; !strings.Contains(text, "in 3 days") ||
		!strings.Contains(text, "After that it cannot be undone") {
		t.Errorf("the page does not say until when:\n%s", text)
	}
	b.send(page+"/delete").leadsTo(t, page+"?done=user-to-be-deleted")
	if says("to be deleted", "Call it off", "in 2 days"); works() {
		t.Error("a key of who is to be deleted works")
	}
	b.send(page+"/enable").want(t, http.StatusConflict)
	b.send(page+"/keep").leadsTo(t, page+"?done=user-kept")
	says("Enable mia")
	b.send(page+"/enable").leadsTo(t, page)
	if !works() {
		t.Error("a key of who was kept does not work")
	}
	for _, id := range []string{strings.Repeat("0", 36), "01968b20-41aa-7c55-8f0e-93f1f4f9a6b7"} {
		b.get("/ui/users/"+id).want(t, http.StatusNotFound)
		b.send("/ui/users/"+id+"/disable").want(t, http.StatusNotFound)
	}
}

func TestWithoutADelayADeletionSaysThatNothingUndoesIt(t *testing.T) {
	s := apptest.Start(t)
	s.NewUser(t, "mia")
	page := userPage(t, s, "mia")
	b := open(t, s)
	b.signIn("dev")
	if text := b.get(page+"/delete").want(t, 200).text; !strings.Contains(text,
		"it happens at once") || strings.Contains(text, "call it off") {
		t.Errorf("the page does not say that it happens at once:\n%s", text)
	}
	b.send(page+"/delete").leadsTo(t, "/ui/users?done=user-deleted")
	b.get(page).want(t, http.StatusNotFound)
	if strings.Contains(b.get("/ui/users").text, "mia") {
		t.Error("the user is listed")
	}
}

func TestAnAdminIsToldThatAnotherMustDisableOrDeleteThem(t *testing.T) {
	s := apptest.Start(t)
	page := userPage(t, s, "dev")
	b := open(t, s)
	b.signIn("dev")
	for _, path := range []string{page, page + "/delete"} {
		text := b.get(path).want(t, http.StatusOK).text
		if !strings.Contains(text, "another admin must") || strings.Contains(text, "/disable") ||
			strings.Contains(text, "<button class=\"danger\"") {
			t.Errorf("%s offers what is refused, or does not say why not:\n%s", path, text)
		}
	}
	for _, form := range []string{"/disable", "/delete"} {
		text := b.send(page+form).want(t, http.StatusConflict).text
		if !strings.Contains(text, "another admin must") {
			t.Errorf("%s does not say why not", form)
		}
	}
	b.get("/ui/secrets").want(t, http.StatusOK)
}

func TestUsersAreFoundAndPagedThrough(t *testing.T) {
	s := apptest.Start(t)
	for _, name := range manyNames() {
		_, err := s.Client(t).CreateUser(t.Context(), wire.CreateUser{Username: name})
		apptest.Must(t, err)
	}
	b := open(t, s)
	b.signIn("dev")
	next := regexp.MustCompile(`href="(/ui/users\?after[^"]*)">More users`)
	first := b.get("/ui/users").want(t, http.StatusOK).text
	more := next.FindStringSubmatch(first)
	if more == nil || strings.Contains(first, "zoe") {
		t.Fatalf("the first page has all, or leads to no other:\n%s", first)
	}
	second := b.get(strings.ReplaceAll(more[1], "&amp;", "&")).want(t, http.StatusOK).text
	if !strings.Contains(second, ">zoe</a>") || strings.Contains(second, ">dev</a>") {
		t.Errorf("the second page:\n%s", second)
	}
	found := b.get("/ui/users?q=ZO").want(t, http.StatusOK).text
	if !strings.Contains(found, ">zoe</a>") || strings.Contains(found, "More users") {
		t.Errorf("a search:\n%s", found)
	}
	for _, odd := range []string{"%00", "%ff", "%25", "<script>"} {
		b.get("/ui/users?q="+odd).want(t, http.StatusOK)
	}
}

func manyNames() []string {
	names := []string{"zoe"}
	for i := range 50 {
		names = append(names, "m"+string(rune('a'+i/26))+string(rune('a'+i%26)))
	}
	return names
}

func TestTheKeysOfAllUsersAreShownWithoutTheirMasks(t *testing.T) {
	s := apptest.Start(t)
	mia := s.ClientWith(t, s.NewUser(t, "mia"))
	name := "nightly"
	made, err := mia.CreateAPIKey(t.Context(), wire.CreateAPIKey{Name: &name})
	apptest.Must(t, err)
	b := open(t, s)
	b.signIn("dev")
	for path, shown := range map[string]bool{
		"/ui/all-keys": true, "/ui/all-keys?unused=on": true,
		"/ui/all-keys?endless=on":                                 true,
		"/ui/all-keys?old=on":                                     false,
		"/ui/all-keys?after=ffffffff-ffff-7fff-bfff-ffffffffffff": false,
	} {
		text := b.get(path).want(t, http.StatusOK).text
		if strings.Contains(text, name) != shown {
			t.Errorf("%s: shown %v\n%s", path, !shown, text)
		}
	}
	program := s.ClientWith(t, plaintext.FromString(made.Key))
	apptest.Must(t, second(program.ListSecrets(t.Context())))
	if strings.Contains(b.get("/ui/all-keys?unused=on").text, name) {
		t.Error("a key that was used is shown as one that never was")
	}
	if strings.Contains(b.seen.String(), made.MaskedKey) || made.MaskedKey == "" {
		t.Error("a mask of another user is on a page")
	}
}

func TestNoPageOfAdminsShowsWhatAnotherOwns(t *testing.T) {
	s := apptest.Start(t)
	mia := s.ClientWith(t, s.NewUser(t, "mia"))
	canary := "canary" + strings.Repeat("Zq7", 12)
	made, err := mia.CreateSecret(t.Context(), wire.CreateSecret{
		Name: "OF_MIA_ALONE", Value: plaintext.FromString(canary),
	})
	apptest.Must(t, err)
	label := "what-mia-runs"
	lease, err := mia.CreateLease(t.Context(), wire.CreateLease{
		SecretIDs: []string{made.ID}, Delivery: "ticket", Run: &wire.Run{Label: &label},
	})
	apptest.Must(t, err)
	keys, err := mia.ListAPIKeys(t.Context())
	apptest.Must(t, err)
	b := open(t, s)
	b.signIn("dev")
	page := userPage(t, s, "mia")
	for _, path := range append([]string{page, page + "/delete", "/ui/audit"}, adminPages...) {
		b.get(path).want(t, http.StatusOK)
	}
	for _, form := range []string{"/link", "/disable", "/enable", "/delete"} {
		b.send(page + form)
	}
	for what, text := range map[string]string{
		"the value": canary[:20], "its mask": made.MaskedValue, "its name": made.Name,
		"its id": made.ID, "the run": label, "the lease": lease.ID,
		"the mask of a key": keys.APIKeys[0].MaskedKey,
	} {
		if text == "" || strings.Contains(b.seen.String(), text) {
			t.Errorf("%s of another user is on a page, or nowhere", what)
		}
	}
}

func TestWhatIsUsedIsDrawnByDay(t *testing.T) {
	s := apptest.Start(t)
	b := open(t, s)
	b.signIn("dev")
	if text := b.get("/ui/usage").want(t, 200).text; strings.Contains(text, "<svg") {
		t.Error("there is a chart of nothing")
	}
	id := strings.TrimPrefix(b.add("USED", "value-that-is-used"), "/ui/secrets/")
	label := "a run"
	for _, run := range []*wire.Run{nil, {Label: &label}} {
		_, err := s.Client(t).CreateLease(t.Context(), wire.CreateLease{
			SecretIDs: []string{id}, Delivery: "ticket", Run: run,
		})
		apptest.Must(t, err)
	}
	s.Stop(t) // what it has counted is stored
	b.s = s.Restart(t)
	for _, days := range []string{"30", "90"} {
		text := b.get("/ui/usage?days="+days).want(t, http.StatusOK).text
		for _, want := range []string{
			"at most 1 user a day", "2 leases from", "1 run from", "2 uses from",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in\n%s", want, text)
			}
		}
	}
}

func TestThePageOfServersShowsWhatIsKnownAndWhatToDo(t *testing.T) {
	s := apptest.Start(t, func(c *config.Config) { c.Program = "serve 1.2.3" })
	b := open(t, s)
	b.signIn("dev")
	text := b.get("/ui/fleet").want(t, http.StatusOK).text
	for _, want := range []string{
		"1.2.3", "There is no backup", "wraps new keys", "1 owner key", "<code>file</code>",
		"keysake doctor",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, s.Data) {
		t.Error("the page says where files are")
	}
	cfg := apptest.Config(t)
	cfg.Data = s.Data
	apptest.Must(t, maintenance.SetLockdown(t.Context(), cfg, nil, true))
	for !strings.Contains(b.get("/ui/fleet").text, "Locked down") {
		time.Sleep(200 * time.Millisecond) // another process tells of it within a moment
	}
	b.get("/ui/users").want(t, http.StatusOK)
	b.send("/ui/users", "username", "mia").want(t, http.StatusServiceUnavailable)
	b.send(userPage(t, s, "dev")+"/link").want(t, http.StatusServiceUnavailable)
}
