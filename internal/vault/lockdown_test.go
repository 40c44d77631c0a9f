package vault_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
)

func TestInALockdownAdminsReadAndStopAndNobodyElseDoesAnything(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	mine := p.secret(p.admin, "MINE", fake("x"))
	ann := p.user("ann")
	ben := p.user("ben")
	before := p.chain(p.instance())
	p.must(p.LockDown(ctx))
	p.restart() // it is stored
	for action, try := range p.useCases() {
		want := vault.Unavailable
		if !policy.Allow(ann.Scopes, action) {
			want = vault.Denied
		}
		assertKind(t, string(action)+" by a user", try(ann, mine.ID), want)
		if !policy.InLockdown(p.admin.Scopes, action) {
			assertKind(t, string(action)+" by an admin", try(p.admin, ben.User), vault.Unavailable)
		}
	}
	for _, action := range reads {
		if err := p.useCases()[action](p.admin, mine.ID); err != nil &&
			vault.KindOf(err) != vault.NotFound {
			t.Errorf("%s by an admin: %v", action, err)
		}
	}
	p.must(p.Service.DisableUser(ctx, p.admin, ann.User))
	p.must(p.Service.DeleteUserLater(ctx, p.admin, ann.User))
	p.must(p.Service.KeepUser(ctx, p.admin, ann.User))
	p.must(p.Service.DeleteUser(ctx, p.admin, ben.User))
	p.must(p.LiftLockdown(ctx))
	p.secret(p.admin, "NEW", fake("y"))
	var got []string
	for _, e := range p.chain(p.instance())[len(before):] {
		got = append(got, e.Action)
	}
	if len(got) != 2 || got[0] != string(policy.LockdownBegin) ||
		got[1] != string(policy.LockdownLift) {
		t.Errorf("recorded: %v", got)
	}
	p.assertChain(uuid.Nil)
}

func TestTheDatabaseDoesNotLiftALockdown(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	p.besides("CREATE TABLE copied.before AS SELECT * FROM instance")
	p.must(p.LockDown(ctx))
	p.besides("UPDATE instance SET (number, ledger) = " +
		"(SELECT number, ledger FROM copied.before)")
	time.Sleep(600 * time.Millisecond) // what is remembered of the instance's ledger has ended
	_, err := p.CreateSecret(ctx, p.admin, custom("NEW", fake("y")))
	assertTampered(t, "with the instance's ledger of before", err)
}
