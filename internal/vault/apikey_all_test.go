package vault_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
)

func (p *fixture) keysOfAll(f vault.KeyFilter) (keys []vault.OwnedAPIKey) {
	p.t.Helper()
	for {
		page, next, err := p.ListAllAPIKeys(p.t.Context(), p.admin, f)
		p.must(err)
		keys = append(keys, page...)
		if f.After = next; next == uuid.Nil {
			return keys
		}
	}
}

func namesOfKeys(keys []vault.OwnedAPIKey) (names []string) {
	for _, k := range keys {
		names = append(names, k.Username+"/"+k.Name)
	}
	return names
}

func (p *fixture) namedKey(who vault.Actor, name string, ends time.Time) link {
	p.t.Helper()
	in := keyRequest("secrets:read")
	if !ends.IsZero() {
		in.ExpiresAt = must(vault.NewExpiry(ends))
	}
	in.Name = keyName(name)
	made, token := p.newKey(who, in)
	who.Credential.ID = made.ID
	return link{who, token}
}

func TestKeysOfAllUsersAreListedByAgeAndByWhatIsOddOfThem(t *testing.T) {
	p := start(t)
	ann, ben := p.user("ann"), p.user("ben")
	now := p.clock.last()
	p.namedKey(ann, "unused", time.Time{})
	used := p.namedKey(ben, "used", now.Add(time.Hour))
	p.authenticated(used.token)
	ended := p.namedKey(ann, "revoked", time.Time{})
	p.must(p.RevokeAPIKey(t.Context(), ann, ended.id()))
	p.namedKey(ann, "expired", now.Add(time.Minute))
	_, _, err := p.CreateSignInLink(t.Context(), p.admin, ann.User)
	p.must(err)
	p.clock.forward(2 * time.Minute)
	for what, c := range map[string]struct {
		filter vault.KeyFilter
		want   []string
	}{
		"all":        {vault.KeyFilter{}, []string{"admin/first", "ann/", "ben/", "ann/unused", "ben/used"}},
		"in parts":   {vault.KeyFilter{Limit: 2}, []string{"admin/first", "ann/", "ben/", "ann/unused", "ben/used"}},
		"never used": {vault.KeyFilter{Unused: true}, []string{"ann/unused"}},
		"endless":    {vault.KeyFilter{Endless: true, Limit: 1}, []string{"admin/first", "ann/", "ben/", "ann/unused"}},
		"old":        {vault.KeyFilter{OlderThan: 400 * 24 * time.Hour}, nil},
	} {
		if diff := cmp.Diff(c.want, namesOfKeys(p.keysOfAll(c.filter))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	// ids tell when a key was made by the clock of the machine
	p.clock.forward(time.Since(p.clock.last()) + 401*24*time.Hour)
	old := p.keysOfAll(vault.KeyFilter{OlderThan: 400 * 24 * time.Hour})
	if diff := cmp.Diff([]string{"admin/first", "ann/", "ben/", "ann/unused"},
		namesOfKeys(old)); diff != "" {
		t.Errorf("old (-want +got):\n%s", diff)
	}
}

func TestAKeyOfAllUsersIsShownAsItWorksAndWithoutItsMask(t *testing.T) {
	p := start(t)
	ann := p.user("ann", policy.SecretsRead)
	p.must(p.Service.DisableUser(t.Context(), p.admin, ann.User))
	keys := p.keysOfAll(vault.KeyFilter{})
	want := vault.OwnedAPIKey{
		ID: ann.Credential.ID, User: ann.User, Username: "ann",
		Scopes: []policy.Scope{policy.SecretsRead}, CreatedAt: keys[1].CreatedAt,
		LastUsedAt: keys[1].LastUsedAt,
	}
	if diff := cmp.Diff(want, keys[1]); diff != "" {
		t.Errorf("of a user who is disabled (-want +got):\n%s", diff)
	}
	if !keys[0].Active || keys[0].LastUsedAt.IsZero() {
		t.Errorf("of the admin: %+v", keys[0])
	}
}

func TestAKeyThatDoesNotVerifyHidesNoOther(t *testing.T) {
	p := start(t)
	ann, ben := p.user("ann"), p.user("ben")
	p.sql("UPDATE api_keys SET name = 'planted' WHERE user_id = ?", ann.User.String())
	p.sql("UPDATE api_keys SET user_id = ? WHERE user_id = ?", p.admin.User.String(),
		ben.User.String())
	keys := p.keysOfAll(vault.KeyFilter{})
	if len(keys) != 3 || !keys[0].Active || !keys[1].Broken || !keys[2].Broken ||
		keys[1].Name != "" || keys[1].ID != ann.Credential.ID {
		t.Errorf("%+v", keys)
	}
}
