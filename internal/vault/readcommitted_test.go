package vault_test

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

// between is a store where something happens after a change has read a further ledger.
type between struct {
	vault.Store

	happens func()
}

func (b between) Update(ctx context.Context, fn func(vault.Tx) error) error {
	return b.Store.Update(ctx, func(tx vault.Tx) error { return fn(betweenTx{tx, b.happens}) })
}

type betweenTx struct {
	vault.Tx

	happens func()
}

func (b betweenTx) Ledger(ctx context.Context, user uuid.UUID) (vault.StoredLedger, error) {
	l, err := b.Tx.Ledger(ctx, user)
	b.happens()
	return l, err
}

func TestWhatAnotherServerChangesMeanwhileIsNoTampering(t *testing.T) {
	p := start(t)
	if !onPostgres {
		return // SQLite runs one change at a time
	}
	ctx, ann := t.Context(), p.user("ann")
	_, token, err := p.CreateAPIKey(ctx, p.admin, keyRequest("admin", "secrets:read"))
	p.must(err)
	boss, happened := p.authenticated(token), 0
	server, _ := p.vaultWith(between{p.db, func() {
		if happened++; happened == 1 {
			p.must(p.RevokeAPIKey(ctx, p.admin, boss.Credential.ID))
		}
	}}, p.clock.now)
	_, _, err = server.CreateAPIKeyFor(ctx, boss, ann.User, keyRequest("secrets:read"))
	assertKind(t, "with a key that was revoked meanwhile", err, vault.Unauthenticated)
	if happened != 1 {
		t.Errorf("%d times another server could change what was read, want only the first time",
			happened)
	}
}
