package vault_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
)

// namesOf returns the names of a page of users.
func (p *fixture) namesOf(q vault.UserQuery) (names []string, next string) {
	p.t.Helper()
	users, next, err := p.PageOfUsers(p.t.Context(), p.admin, q)
	p.must(err)
	for _, u := range users {
		names = append(names, u.Username)
	}
	return names, next
}

func TestUsersAreFoundByHowTheirNamesBeginAPageAtATime(t *testing.T) {
	p := start(t)
	for _, name := range []string{"mia", "mio", "mi", "ann", "mick"} {
		p.user(name)
	}
	gone := p.user("mina")
	p.must(p.Service.DeleteUser(t.Context(), p.admin, gone.User))
	var all []string
	for q := (vault.UserQuery{Prefix: "mi", Limit: 2}); ; {
		names, next := p.namesOf(q)
		all = append(all, names...)
		if q.After = next; next == "" {
			break
		}
	}
	if diff := cmp.Diff([]string{"mi", "mia", "mick", "mio"}, all); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, odd := range []string{"M", "\x00", "\xff", "%", "mi\U0010ffff"} {
		if names, next := p.namesOf(vault.UserQuery{Prefix: odd}); len(names) > 0 || next != "" {
			t.Errorf("%q finds %v", odd, names)
		}
	}
}

func TestAnAdminSeesHowMuchAUserHasAndWhenTheUserWasThere(t *testing.T) {
	p := start(t)
	ann := p.user("ann", append(policy.UserScopes(), policy.Admin)...)
	p.secret(ann, "ONE", fake("x"))
	child := p.child(ann)
	p.authenticated(child.token)
	seen := p.clock.last()
	p.must(p.RevokeAPIKey(t.Context(), ann, child.id()))
	user, err := p.GetUser(t.Context(), p.admin, ann.User)
	p.must(err)
	if user.Username != "ann" || user.Secrets != 1 || user.APIKeys != 1 || !user.Admin ||
		user.LastUsedAt.Before(seen.Add(-time.Minute)) {
		t.Errorf("%+v", user)
	}
	p.must(p.Service.DeleteUserLater(t.Context(), p.admin, ann.User))
	user, err = p.GetUser(t.Context(), p.admin, ann.User)
	p.must(err)
	if !user.Disabled || user.DeleteAt.IsZero() || user.APIKeys != 0 || user.Admin {
		t.Errorf("one who is to be deleted: %+v", user)
	}
	p.must(p.Service.DeleteUser(t.Context(), p.admin, ann.User))
	for _, id := range []uuid.UUID{ann.User, uuid.New(), uuid.Nil} {
		_, err = p.GetUser(t.Context(), p.admin, id)
		assertKind(t, "one who is not there", err, vault.NotFound)
	}
}

func TestAUserWhoDoesNotVerifyHidesNoOther(t *testing.T) {
	p := start(t)
	ann, ben := p.user("ann"), p.user("ben")
	p.sql("UPDATE users SET email_address = 'x@y' WHERE id = ?", ann.User.String())
	p.sql("UPDATE api_keys SET scopes = 'admin' WHERE user_id = ?", ben.User.String())
	users, _, err := p.PageOfUsers(t.Context(), p.admin, vault.UserQuery{})
	p.must(err)
	if len(users) != 3 || users[0].Username != "admin" || !users[1].Broken || !users[2].Broken ||
		users[1].Email != "" || users[1].ID != ann.User {
		t.Errorf("%+v", users)
	}
	_, err = p.GetUser(t.Context(), p.admin, ann.User)
	assertTampered(t, "the user", err)
}
