package vault_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
)

// due deletes the users whose time has come, and returns how many they were.
func (p *fixture) due() int {
	p.t.Helper()
	deleted, err := p.DeleteDue(p.t.Context())
	p.must(err)
	return len(deleted)
}

func TestADeletionDisablesAtOnceAndIsDoneWhenItsDelayIsOver(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	ann := p.user("ann")
	child := p.child(ann)
	mine := p.secret(ann, "MINE", fake("x"))
	got := p.newEntries(ann.User, func() {
		p.must(p.Service.DeleteUserLater(ctx, p.admin, ann.User))
	})
	p.assertEntries(got,
		done(ann.User, p.admin, policy.UserDeleteLater, ann.User, "ann", 0))
	p.assertInactive("her key", child.token)
	first := p.listed(ann.User).DeleteAt
	if left := first.Sub(p.clock.last()); left > deleteDelay || left < deleteDelay-time.Minute {
		t.Errorf("it is to be done in %s", left)
	}
	p.clock.forward(deleteDelay / 2)
	p.must(p.Service.DeleteUserLater(ctx, p.admin, ann.User)) // puts nothing off
	if at := p.listed(ann.User).DeleteAt; at != first {
		t.Errorf("it was put off from %s to %s", first, at)
	}
	if n := p.due(); n != 0 {
		t.Errorf("%d were deleted before their time", n)
	}
	p.restart() // it is stored
	p.clock.forward(deleteDelay / 2)
	got = p.newEntries(ann.User, func() {
		if n := p.due(); n != 1 {
			t.Errorf("%d were deleted", n)
		}
	})
	p.assertEntries(got, done(ann.User, vault.Actor{}, policy.UserDelete, ann.User, "ann", 0))
	_, err := p.GetSecret(ctx, ann, mine.ID)
	assertKind(t, "her secret", err, vault.Unauthenticated)
	assertKind(t, "to keep her", p.Service.KeepUser(ctx, p.admin, ann.User), vault.NotFound)
	if n := p.due(); n != 0 {
		t.Errorf("%d were deleted again", n)
	}
	p.assertChain(ann.User)
}

func TestADeletionThatIsCalledOffIsNotDoneAndRevivesNoKey(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	ann := p.user("ann")
	child := p.child(ann)
	mine := p.secret(ann, "MINE", fake("x"))
	p.must(p.Operator.DeleteUserLater(ctx, ann.User))
	assertKind(t, "to enable her", p.Service.EnableUser(ctx, p.admin, ann.User), vault.Conflict)
	p.must(p.Service.KeepUser(ctx, p.admin, ann.User))
	p.clock.forward(2 * deleteDelay)
	if n := p.due(); n != 0 {
		t.Errorf("%d were deleted", n)
	}
	p.assertInactive("her key", child.token)
	if u := p.listed(ann.User); !u.Disabled || !u.DeleteAt.IsZero() {
		t.Errorf("she is %+v", u)
	}
	p.must(p.Service.EnableUser(ctx, p.admin, ann.User))
	p.authenticated(child.token)
	p.assertOpens(ann, mine.ID, fake("x"))
	p.must(p.Operator.KeepUser(ctx, ann.User)) // changes nothing
	if p.listed(ann.User).Disabled {
		t.Error("to keep who is not to be deleted disables")
	}
}

// Who is to be deleted may be so by a key that was stolen: a lockdown is the time to find out.
func TestInALockdownNobodyWhoIsDueIsDeleted(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	ann := p.user("ann")
	p.must(p.Service.DeleteUserLater(ctx, p.admin, ann.User))
	p.must(p.LockDown(ctx))
	p.clock.forward(2 * deleteDelay)
	if n := p.due(); n != 0 {
		t.Errorf("%d were deleted", n)
	}
	p.must(p.LiftLockdown(ctx))
	if n := p.due(); n != 1 {
		t.Errorf("%d were deleted when it was lifted", n)
	}
}

func TestNobodyHasThemselvesDeletedButTheOperatorDeletesAnybody(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	assertKind(t, "oneself", p.Service.DeleteUserLater(ctx, p.admin, p.admin.User), vault.Conflict)
	p.must(p.Operator.DeleteUserLater(ctx, p.admin.User))
	_, err := p.WhoAmI(ctx, p.admin)
	assertKind(t, "the only admin", err, vault.Unauthenticated)
	p.must(p.Operator.DeleteUser(ctx, p.admin.User))
	p.assertChain(p.admin.User)
}

// The database says neither that a user is to be deleted, nor that one is not.
func TestTheDatabaseNeitherBeginsNorCallsOffADeletion(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	ann, ben := p.user("ann"), p.user("ben")
	p.must(p.Service.DeleteUserLater(ctx, p.admin, ann.User))
	p.sql("UPDATE users SET delete_at = NULL WHERE id = ?", ann.User.String())
	_, err := p.DeleteDue(ctx)
	p.must(err)
	p.assertBroken(ann.User)
	assertTampered(t, "to enable her", p.Service.EnableUser(ctx, p.admin, ann.User))

	p.sql("UPDATE users SET delete_at = 1 WHERE id = ?", ben.User.String())
	deleted, err := p.DeleteDue(ctx)
	if assertTampered(t, "to delete him", err); len(deleted) > 0 {
		t.Error("he was deleted")
	}
	p.assertBroken(ben.User)
}

// Rows that were added come first, and are more than are deleted at once.
func TestRowsThatAreDueAndNoUsersKeepNobodyFromBeingDeleted(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	ann := p.user("ann")
	p.must(p.Service.DeleteUserLater(ctx, p.admin, ann.User))
	for n := range 40 {
		id := uuid.NewString()
		if n == 0 {
			id = "no id"
		}
		p.sql(`INSERT INTO users (id, number, ledger, username, email_address, full_name,
			created_at, delete_at, probe_every, unused_after)
			SELECT ?1, number, ledger, ?1, '', '', created_at, 1, 0, 0
			FROM users WHERE username = 'admin'`, id)
	}
	p.clock.forward(2 * deleteDelay)
	deleted, err := p.DeleteDue(ctx)
	if assertTampered(t, "the others", err); !slices.Equal(deleted, []uuid.UUID{ann.User}) {
		t.Errorf("%d were deleted", len(deleted))
	}
}

// assertBroken checks that the list of users shows a user as tampered with.
func (p *fixture) assertBroken(user uuid.UUID) {
	p.t.Helper()
	if !p.listed(user).Broken {
		p.t.Error("the list does not show that the user's row was changed")
	}
}

// A ledger and a row of when a user was to be deleted delete nobody: the instance's ledger does not
// list the user any more.
func TestADeletionThatWasCalledOffDoesNotComeBackWithTheRowsOfBefore(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	ann := p.user("ann")
	p.must(p.Service.DeleteUserLater(ctx, p.admin, ann.User))
	p.besides("CREATE TABLE copied.before AS SELECT * FROM users")
	p.must(p.Service.KeepUser(ctx, p.admin, ann.User))
	p.must(p.Service.EnableUser(ctx, p.admin, ann.User))
	p.besides("UPDATE users SET (number, ledger, delete_at) = "+
		"(SELECT number, ledger, delete_at FROM copied.before WHERE before.id = users.id) "+
		"WHERE id = ?", ann.User.String())
	p.restart()
	p.clock.forward(2 * deleteDelay)
	deleted, err := p.DeleteDue(ctx)
	if assertTampered(t, "the deletion", err); len(deleted) > 0 {
		t.Error("she was deleted")
	}
}

func TestNoCallerSkipsTheDelayIfTheOperatorSaysSo(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	ann := p.user("ann")
	p.Service, p.Operator = vault.New(vault.Options{
		Store: p.db, Keys: &p.named, KeyTTL: time.Hour, Catalog: presets(), Limits: p.limits,
		Now: p.clock.now, DeleteDelay: deleteDelay, NoDeleteNow: true,
	})
	p.must(p.OpenInstanceKeys(ctx))
	got := p.newEntries(p.admin.User, func() {
		assertKind(t, "at once", p.Service.DeleteUser(ctx, p.admin, ann.User), vault.Denied)
	})
	p.assertEntries(got, refused(p.admin, policy.UserDelete))
	p.must(p.Service.DeleteUserLater(ctx, p.admin, ann.User))
	p.must(p.Operator.DeleteUser(ctx, ann.User))
}
