package vault_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
)

// asking returns the caller with the names of a request, and with what it asks.
func asking(who vault.Actor, request string, names ...vault.OnceKey) vault.Actor {
	who.Once = &vault.Once{Keys: names, Request: sha256.Sum256([]byte(request))}
	return who
}

// unchanged checks that do changes nothing that is recorded.
func (p *fixture) unchanged(what string, do func()) {
	p.t.Helper()
	before := p.entries()
	do()
	if n := p.entries() - before; n != 0 {
		p.t.Errorf("%s left %d entries", what, n)
	}
}

func TestARequestThatIsSentAgainChangesNothingAndIsAnsweredAsBefore(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	ann := asking(p.user("ann"), "create A", vault.IdempotencyKey("first"))
	made, err := p.CreateSecret(ctx, ann, custom("A", fake("first")))
	p.must(err)
	again := func(what string, want vault.Secret) {
		t.Helper()
		p.unchanged(what, func() {
			got, err := p.CreateSecret(ctx, ann, custom("A", fake("first")))
			p.must(err)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-before +again):\n%s", what, diff)
			}
		})
	}
	again("a request sent again", made)
	p.restart()
	again("after a restart", made)

	plain := ann
	plain.Once = nil
	for i := range 4 {
		_, err := p.UpdateSecret(ctx, plain, made.ID, fake(fmt.Sprint("next", i)))
		p.must(err)
		again("after the secret has changed", made)
	}
	now, err := p.UpdateSecret(ctx, plain, made.ID, fake("last"))
	p.must(err)
	again("when that version is kept no longer", now)

	p.must(p.DeleteSecret(ctx, plain, made.ID))
	p.unchanged("when the secret is gone", func() {
		_, err := p.CreateSecret(ctx, ann, custom("A", fake("first")))
		assertKind(t, "when the secret is gone", err, vault.Conflict)
	})
	p.clock.forward(24 * time.Hour)
	_, err = p.CreateSecret(ctx, ann, custom("A", fake("first")))
	p.must(err)
}

func TestAnUpdateThatIsSentAgainDoesNotUndoALaterOne(t *testing.T) {
	p := start(t)
	ctx, ann := t.Context(), p.user("ann")
	made := p.secret(ann, "A", fake("first"))
	sealed := asking(ann, "update A", vault.SealedKey([]byte("enc"), p.clock.last().Add(time.Hour)))
	second, err := p.UpdateSecret(ctx, sealed, made.ID, fake("second"), made.Tag())
	p.must(err)
	_, err = p.UpdateSecret(ctx, ann, made.ID, fake("third"))
	p.must(err)
	p.unchanged("the second update", func() {
		got, err := p.UpdateSecret(ctx, sealed, made.ID, fake("second"), made.Tag())
		p.must(err)
		if diff := cmp.Diff(second, got); diff != "" {
			t.Errorf("(-before +again):\n%s", diff)
		}
	})
	rolled := asking(ann, "rollback A", vault.IdempotencyKey("back"))
	back, err := p.RollbackSecret(ctx, rolled, made.ID, 1)
	p.must(err)
	p.unchanged("the rollback", func() {
		got, err := p.RollbackSecret(ctx, rolled, made.ID, 1)
		p.must(err)
		if got != back {
			t.Errorf("got %+v, want %+v", got, back)
		}
	})
}

// What has an answer that is said once says so.
func TestARequestOfAnyKindIsDoneOnce(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	for what, do := range map[string]func(vault.Actor) error{
		"an API key": func(who vault.Actor) error {
			_, _, err := p.CreateAPIKey(ctx, who, keyRequest("secrets:read"))
			return err
		},
		"a user": func(who vault.Actor) error {
			_, err := p.CreateUser(ctx, who, userRequest("bea"))
			return err
		},
		"an API key for another": func(who vault.Actor) error {
			_, _, err := p.CreateAPIKeyFor(ctx, who, p.admin.User, keyRequest("secrets:read"))
			return err
		},
	} {
		who := asking(p.admin, what, vault.SealedKey([]byte(what), p.clock.last().Add(time.Hour)))
		p.must(do(who))
		p.unchanged(what, func() { assertKind(t, what, do(who), vault.Conflict) })
	}
}

func TestAnotherRequestCannotHaveTheNameOfOneThatWasDone(t *testing.T) {
	p := start(t)
	ctx, ann, bea := t.Context(), p.user("ann"), p.user("bea")
	name := vault.IdempotencyKey("name")
	_, err := p.CreateSecret(ctx, asking(ann, "A", name), custom("A", fake("first")))
	p.must(err)
	p.unchanged("another request", func() {
		_, err := p.CreateSecret(ctx, asking(ann, "B", name), custom("B", fake("first")))
		if !errors.Is(err, vault.ErrOtherRequest) {
			t.Error(err)
		}
		assertKind(t, "another request", err, vault.Invalid)
	})
	_, err = p.CreateSecret(ctx, asking(bea, "A", name), custom("A", fake("first")))
	p.must(err) // another user's names are others
}

func TestOnlyWhatWasDoneIsRemembered(t *testing.T) {
	p := startWith(t, 1, 5)
	ctx := t.Context()
	ann := asking(p.user("ann"), "A", vault.IdempotencyKey("name"))
	plain := ann
	plain.Once = nil
	first := p.secret(plain, "FIRST", fake("first"))
	_, err := p.CreateSecret(ctx, ann, custom("A", fake("first")))
	assertKind(t, "over the quota", err, vault.Denied)
	_, err = p.CreateSecret(ctx, with(ann, policy.SecretsRead), custom("A", fake("first")))
	assertKind(t, "without the scope", err, vault.Denied)
	p.must(p.DeleteSecret(ctx, plain, first.ID))
	_, err = p.CreateSecret(ctx, ann, custom("A", fake("first")))
	p.must(err)
	_, err = p.CreateSecret(ctx, with(ann, policy.SecretsRead), custom("A", fake("first")))
	assertKind(t, "again without the scope", err, vault.Denied)
}

// A sealed request that has a further name is known by both from then on.
func TestEachNameOfARequestThatWasDoneIsRemembered(t *testing.T) {
	p := start(t)
	ctx, ann := t.Context(), p.user("ann")
	until := p.clock.last().Add(48 * time.Hour)
	name := vault.IdempotencyKey("name")
	one, two := vault.SealedKey([]byte("one"), until), vault.SealedKey([]byte("two"), until)
	made, err := p.CreateSecret(ctx, asking(ann, "A", name, one), custom("A", fake("first")))
	p.must(err)
	for _, names := range [][]vault.OnceKey{{name, two}, {one}, {two}, {two, name}} {
		got, err := p.CreateSecret(ctx, asking(ann, "A", names...), custom("A", fake("first")))
		if err != nil || got != made {
			t.Errorf("got %+v: %v", got, err)
		}
	}
	p.clock.forward(30 * time.Hour)
	p.must(p.DeleteSecret(ctx, ann, made.ID))
	for _, still := range []vault.OnceKey{one, two} {
		_, err := p.CreateSecret(ctx, asking(ann, "A", still), custom("A", fake("first")))
		assertKind(t, "what was sealed, a day later", err, vault.Conflict)
	}
}

func TestOfTwinsThatRunAtOnceOneIsDone(t *testing.T) {
	p := start(t)
	ann := asking(p.user("ann"), "A", vault.IdempotencyKey("name"))
	before := p.entries()
	var answers sync.Map
	var twins sync.WaitGroup
	for range 20 {
		twins.Go(func() {
			got, err := p.CreateSecret(t.Context(), ann, custom("A", fake("first")))
			if err != nil {
				t.Error(err)
			}
			answers.Store(got, true)
		})
	}
	twins.Wait()
	different := 0
	answers.Range(func(any, any) bool { different++; return true })
	if n := p.entries() - before; n != 1 || different != 1 {
		t.Errorf("%d entries, %d different answers", n, different)
	}
}

// No lock is common to changes of different libraries.
func TestOfRequestsOfOneNameInDifferentLibrariesOneIsDone(t *testing.T) {
	p := start(t)
	ann, bea, name := p.user("ann"), p.user("bea"), vault.IdempotencyKey("name")
	var done, before, other atomic.Int64
	var all sync.WaitGroup
	for i := range 20 {
		library := []vault.Actor{ann, bea}[i%2]
		all.Go(func() {
			who := asking(p.admin, library.User.String(), name)
			_, _, err := p.CreateAPIKeyFor(
				t.Context(), who, library.User, keyRequest("secrets:read"))
			switch {
			case err == nil:
				done.Add(1)
			case errors.Is(err, vault.ErrOtherRequest):
				other.Add(1)
			case vault.KindOf(err) == vault.Conflict:
				before.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if done.Load() != 1 || before.Load() != 9 || other.Load() != 10 {
		t.Errorf("%d were done, %d were done before, %d are another", done.Load(), before.Load(),
			other.Load())
	}
	made := atOnce(t, vault.Conflict, func(int) error {
		who := asking(p.admin, "a user", vault.IdempotencyKey("user"))
		_, err := p.CreateUser(t.Context(), who, userRequest("eve"))
		return err
	})
	if made != 1 {
		t.Errorf("%d users were made", made)
	}
}

func TestWhatIsRememberedOfARequestCannotBeMadeOrMoved(t *testing.T) {
	p := start(t)
	ctx, ann, bea := t.Context(), p.user("ann"), p.user("bea")
	name := vault.IdempotencyKey("name")
	create := func(who vault.Actor) error {
		_, err := p.CreateSecret(ctx, asking(who, "A", name), custom("A", fake("first")))
		return err
	}
	p.must(create(ann))
	const copied = `INSERT INTO done_requests SELECT ?, key_hash, request_code, action, resource_id,
		version, expires_at, instance_key_id, code FROM done_requests WHERE user_id = ?`
	p.sql(copied, bea.User.String(), ann.User.String())
	p.unchanged("a row of another user", func() {
		if err := create(bea); !errors.Is(err, vault.ErrTampered) {
			t.Error(err)
		}
	})
	for _, column := range []string{
		"resource_id = '01900000-0000-7000-8000-000000000000'", "version = 2", "action = 'x'",
		"expires_at = expires_at + 1", "request_code = zeroblob(32)", "code = zeroblob(32)",
	} {
		p.sql("DELETE FROM done_requests")
		name, _, _ := strings.Cut(column, "_")
		cid := p.user(name[:4])
		p.must(create(cid))
		p.must(create(cid))
		p.sql("UPDATE done_requests SET " + column)
		if err := create(cid); !errors.Is(err, vault.ErrTampered) {
			t.Errorf("%s: %v", column, err)
		}
	}
	p.sql("DELETE FROM done_requests")
	ann = p.user("cat")
	p.must(create(ann))
	p.sql("UPDATE done_requests SET instance_key_id = ?", ann.User.String())
	p.unchanged("a row of a foreign key", func() {
		assertKind(t, "a row of a foreign key", create(ann), vault.Conflict) // as if it were gone
	})
}

func TestWhatExpiredIsForgottenWithALaterRequest(t *testing.T) {
	p := start(t)
	ctx, ann := t.Context(), p.user("ann")
	rows := func() (n int) {
		p.sqlRow("SELECT COUNT(*) FROM done_requests", nil, &n)
		return n
	}
	for _, name := range []string{"A", "B", "C"} {
		who := asking(ann, name, vault.IdempotencyKey(name))
		_, err := p.CreateSecret(ctx, who, custom(name, fake("first")))
		p.must(err)
	}
	if n := rows(); n != 3 {
		t.Errorf("%d rows", n)
	}
	p.clock.forward(25 * time.Hour)
	who := asking(ann, "D", vault.IdempotencyKey("D"))
	_, err := p.CreateSecret(ctx, who, custom("D", fake("first")))
	p.must(err)
	if n := rows(); n != 1 {
		t.Errorf("%d rows are left", n)
	}
	p.must(p.Service.DeleteUser(ctx, p.admin, ann.User))
	if n := rows(); n != 0 {
		t.Errorf("%d rows of a user who was deleted", n)
	}
}

// A request may be opened just before the key ends and be done just after, and the clock of one
// server is before that of another which forgets what is over.
func TestASealedRequestIsRememberedBeyondTheEndOfItsKey(t *testing.T) {
	p := start(t)
	ctx, ann := t.Context(), p.user("ann")
	made := p.secret(ann, "A", fake("first"))
	end := p.clock.last().Add(time.Hour)
	sealed := asking(ann, "update A", vault.SealedKey([]byte("enc"), end))
	_, err := p.UpdateSecret(ctx, sealed, made.ID, fake("second"))
	p.must(err)
	_, err = p.UpdateSecret(ctx, ann, made.ID, fake("third"))
	p.must(err)
	p.clock.forward(end.Sub(p.clock.last()) + time.Minute)
	named := asking(ann, "create B", vault.SealedKey([]byte("other"), end.Add(time.Hour)))
	_, err = p.CreateSecret(ctx, named, custom("B", fake("any"))) // it forgets what is over
	p.must(err)
	p.unchanged("a replay a minute after the end", func() {
		_, err := p.UpdateSecret(ctx, sealed, made.ID, fake("second"))
		p.must(err)
	})
}
