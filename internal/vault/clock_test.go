package vault_test

import (
	"testing"
	"time"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/vault"
)

func TestServersWhoseClocksDifferKeepOneChainInOrder(t *testing.T) {
	p := start(t)
	ctx, ann := t.Context(), p.user("ann")
	behind, _ := p.vaultWith(p.db, func() time.Time { return p.clock.now().Add(-time.Minute) })
	var made []vault.Secret
	for i, server := range []*vault.Service{p.Service, behind, p.Service, behind, behind} {
		secret, err := server.CreateSecret(ctx, ann, custom(string(rune('A'+i)), fake("first")))
		p.must(err)
		made = append(made, secret)
	}
	p.must(behind.DeleteSecret(ctx, ann, made[0].ID))
	p.assertChain(ann.User)
	var last audit.Linked
	for _, e := range p.chain(ann.User) {
		if e.At.Before(last.At) {
			t.Errorf("entry %d is of %v, after one of %v", e.Seq, e.At, last.At)
		}
		last = e
	}
	// One that is far ahead does not take the others with it.
	ahead, _ := p.vaultWith(p.db, func() time.Time { return p.clock.now().Add(24 * time.Hour) })
	p.must(ahead.DeleteSecret(ctx, ann, made[1].ID))
	p.must(behind.DeleteSecret(ctx, ann, made[2].ID))
	p.assertChain(ann.User)
	entries := p.chain(ann.User)
	if e := entries[len(entries)-1]; e.At.After(p.clock.last()) {
		t.Errorf("an entry is of %v, which is yet to come", e.At)
	}
}
