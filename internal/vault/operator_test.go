package vault_test

import (
	"errors"
	"testing"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
)

func TestAnEmptyDatabaseHasNoRootKeyAndNoUser(t *testing.T) {
	t.Parallel()
	p := open(t, t.TempDir(), 1, 1)
	defer p.db.Close()
	if _, err := p.CheckRootKeys(t.Context()); !errors.Is(err, vault.ErrNotFound) {
		t.Errorf("root key: %v", err)
	}
	if found, err := p.ListAdmins(t.Context()); err != nil || len(found) > 0 {
		t.Errorf("admins: %v (%v)", found, err)
	}
	if _, err := p.FindUser(t.Context(), "admin"); !errors.Is(err, vault.ErrNotFound) {
		t.Errorf("user: %v", err)
	}
}

func TestTheOperatorsFirstStepsAreRecordedWithoutAUser(t *testing.T) {
	p := start(t)
	var operator vault.Actor
	p.assertEntries(p.chain(p.admin.User),
		done(p.admin.User, operator, policy.UserCreate, p.admin.User, "admin", 0),
		done(p.admin.User, operator, policy.APIKeyCreateFor, p.admin.Credential.ID, "first", 0))
	p.assertChain(p.admin.User)
	if len(p.admin.Scopes) != len(policy.AllScopes()) {
		t.Errorf("the first key has %v", p.admin.Scopes)
	}
}

func TestCreatingAnAdminAgainKeepsWhatExists(t *testing.T) {
	p := start(t)
	mine := p.secret(p.admin, "MINE", fake("x"))
	var before, after []byte
	p.sqlRow("SELECT check_value FROM root_keys", nil, &before)
	var again vault.Actor
	got := p.newEntries(p.admin.User, func() {
		token, err := p.CreateAdmin(t.Context(), username("admin"), keyName("second"))
		p.must(err)
		again = p.authenticated(token)
	})
	p.sqlRow("SELECT check_value FROM root_keys", nil, &after)
	if string(before) != string(after) {
		t.Error("the check value was replaced")
	}
	if again.User != p.admin.User || again.Credential.ID == p.admin.Credential.ID {
		t.Errorf("it made %+v", again)
	}
	p.assertEntries(got, audit.Entry{
		Owner:   p.admin.User,
		Action:  string(policy.APIKeyCreateFor),
		Outcome: audit.Done,
		Target: audit.Target{
			Kind: audit.TargetAPIKey, ID: again.Credential.ID, Name: "second",
		},
	})
	p.assertOpens(again, mine.ID, fake("x"))
	if _, err := p.FindUser(t.Context(), "admin"); err != nil {
		t.Errorf("the user is gone (%v)", err)
	}
}
