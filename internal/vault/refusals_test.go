package vault_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
)

func TestRefusalsAreRecordedOnceAndCounted(t *testing.T) {
	p := start(t)
	ann := p.user("ann", policy.AuditRead)
	flush := func(all bool) func() {
		return func() { p.must(p.FlushRefusals(t.Context(), all)) }
	}
	again := func(times int) func() {
		return func() {
			var all sync.WaitGroup
			for range times {
				all.Go(func() {
					_, err := p.ListSecrets(t.Context(), ann)
					assertKind(t, "a list", err, vault.Denied)
				})
			}
			all.Wait()
		}
	}
	p.assertEntries(p.newEntries(ann.User, again(20)), refused(ann, policy.SecretList))
	p.assertEntries(p.newEntries(ann.User, flush(false)))
	p.assertEntries(p.newEntries(ann.User, func() {
		_, err := p.GetSecret(t.Context(), ann, ann.User)
		assertKind(t, "another action", err, vault.Denied)
	}), refused(ann, policy.SecretGet))

	p.clock.forward(time.Minute)
	p.assertEntries(p.newEntries(ann.User, flush(false)),
		moreRefused(ann, policy.SecretList, 19))
	p.assertEntries(p.newEntries(ann.User, again(1)), refused(ann, policy.SecretList))
	p.assertEntries(p.newEntries(ann.User, again(3)))
	p.assertEntries(p.newEntries(ann.User, flush(true)), moreRefused(ann, policy.SecretList, 3))
	p.assertChain(ann.User)
}

// A brokenStore cannot be written while broken is set.
type brokenStore struct {
	vault.Store

	broken *atomic.Bool
}

var errBroken = errors.New("broken")

func (s brokenStore) Update(ctx context.Context, fn func(vault.Tx) error) error {
	if s.broken.Load() {
		return errBroken
	}
	return s.Store.Update(ctx, fn)
}

func TestWhatCannotBeRecordedIsNotRefusedAndNoNumberIsLost(t *testing.T) {
	p := start(t)
	ann := p.user("ann", policy.AuditRead)
	var broken atomic.Bool
	p.Service, p.Operator = p.vaultOn(brokenStore{p.db, &broken})
	list := func() error {
		_, err := p.ListSecrets(t.Context(), ann)
		return err
	}
	got := p.newEntries(ann.User, func() {
		broken.Store(true)
		if err := list(); !errors.Is(err, errBroken) {
			t.Errorf("a refusal that cannot be recorded: %v", err)
		}
		broken.Store(false)
		for range 5 {
			assertKind(t, "a list", list(), vault.Denied)
		}
		broken.Store(true)
		if err := p.FlushRefusals(t.Context(), true); !errors.Is(err, errBroken) {
			t.Error(err)
		}
		broken.Store(false)
		p.must(p.FlushRefusals(t.Context(), true))
	})
	p.assertEntries(got, refused(ann, policy.SecretList), moreRefused(ann, policy.SecretList, 4))
}
