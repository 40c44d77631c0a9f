package vault_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/internal/vault/vaulttest"
)

const callers = 64

// atOnce runs do for each of many callers at the same time, and returns how many succeeded. The
// others must fail with the kind.
func atOnce(t *testing.T, otherwise vault.Kind, do func(i int) error) int {
	t.Helper()
	var succeeded atomic.Int64
	var ready, finished sync.WaitGroup
	ready.Add(callers)
	for i := range callers {
		finished.Go(func() {
			ready.Done()
			ready.Wait()
			if err := do(i); err == nil {
				succeeded.Add(1)
			} else if vault.KindOf(err) != otherwise {
				t.Errorf("caller %d: %v", i, err)
			}
		})
	}
	finished.Wait()
	return int(succeeded.Load())
}

func TestOfManyWhoTakeAFreeNameAtOnceOneGetsIt(t *testing.T) {
	p := start(t)
	got := p.newEntries(p.admin.User, func() {
		n := atOnce(t, vault.Conflict, func(int) error {
			_, err := p.CreateFromPreset(t.Context(), p.admin, fromPreset("openai", fake("x")))
			return err
		})
		if n != 1 {
			t.Errorf("%d did", n)
		}
	})
	if len(got) != 1 {
		t.Errorf("%d entries", len(got))
	}
	p.assertChain(p.admin.User)
}

func TestAQuotaHoldsForManyAtOnce(t *testing.T) {
	p := startWith(t, 20, 5)
	got := p.newEntries(p.admin.User, func() {
		n := atOnce(t, vault.Denied, func(i int) error {
			in := custom(fmt.Sprintf("NAME_%d", i), fake("x"))
			_, err := p.CreateSecret(t.Context(), p.admin, in)
			return err
		})
		if n != 20 {
			t.Errorf("%d secrets were made", n)
		}
		p.must(p.FlushRefusals(t.Context(), true))
	})
	isRefused := func(e audit.Linked) bool { return e.Outcome == audit.Refused }
	refused := slices.Collect(filter(got, isRefused))
	if len(got) != 22 || len(refused) != 2 || refused[1].Target.Version != callers-20-1 {
		t.Errorf("of %d entries %d are refusals", len(got), len(refused))
	}
	p.assertChain(p.admin.User)
}

func filter(entries []audit.Linked, keep func(audit.Linked) bool) func(func(audit.Linked) bool) {
	return func(yield func(audit.Linked) bool) {
		for _, e := range entries {
			if keep(e) && !yield(e) {
				return
			}
		}
	}
}

func TestManyUpdatesAtOnceAreAVersionEach(t *testing.T) {
	p := start(t)
	made := p.secret(p.admin, "MINE", fake("first"))
	got := p.newEntries(p.admin.User, func() {
		n := atOnce(t, vault.Internal, func(i int) error {
			_, err := p.UpdateSecret(
				t.Context(), p.admin, made.ID, fake(fmt.Sprintf("value %d.", i)),
			)
			return err
		})
		if n != callers {
			t.Errorf("%d succeeded", n)
		}
	})
	for i, e := range got {
		if e.Target.Version != uint64(i+2) {
			t.Errorf("entry %d is of version %d", i, e.Target.Version)
		}
	}
	if _, err := vaulttest.OpenSecret(t.Context(), p.Service, p.admin, made.ID); err != nil {
		t.Errorf("it does not open: %v", err)
	}
	p.assertChain(p.admin.User)
}

func TestOfManyWhoDeleteASecretAtOnceOneDoes(t *testing.T) {
	p := start(t)
	made := p.secret(p.admin, "MINE", fake("x"))
	if n := atOnce(t, vault.NotFound, func(int) error {
		return p.DeleteSecret(t.Context(), p.admin, made.ID)
	}); n != 1 {
		t.Errorf("%d did", n)
	}
	p.assertChain(p.admin.User)
}

func TestAUserDeletedInTheMeantimeLeavesNothingBehind(t *testing.T) {
	p := start(t)
	ann := p.user("ann")
	atOnce(t, vault.Unauthenticated, func(i int) error {
		switch i {
		case callers / 2:
			return p.Service.DeleteUser(t.Context(), p.admin, ann.User)
		case callers / 4:
			_, _, err := p.CreateAPIKey(t.Context(), ann, vault.APIKeyRequest{})
			return err
		}
		_, err := p.CreateSecret(t.Context(), ann, custom(fmt.Sprintf("NAME_%d", i), fake("x")))
		return err
	})
	for _, table := range []string{"secrets", "owner_keys", "api_keys"} {
		var n int
		p.sqlRow("SELECT COUNT(*) FROM "+table+" WHERE user_id = ?", []any{ann.User.String()}, &n)
		if n != 0 {
			t.Errorf("%s has %d rows of the user", table, n)
		}
	}
	p.assertDeletedChain(ann.User)
}

func TestReadersSeeNoHalfOfAChange(t *testing.T) {
	p := start(t)
	made := p.secret(p.admin, "MINE", fake("first"))
	atOnce(t, vault.Internal, func(i int) error {
		if i%8 == 0 {
			_, err := p.UpdateSecret(
				t.Context(), p.admin, made.ID, fake(fmt.Sprintf("value %d.", i)),
			)
			return err
		}
		for range 10 {
			read, err := p.GetSecret(t.Context(), with(p.admin, policy.SecretsRead), made.ID)
			if err != nil {
				return err
			}
			if read.ID != made.ID || read.Name != made.Name {
				t.Error("it reads as another secret")
			}
		}
		return nil
	})
	p.assertChain(p.admin.User)
}
