package vault_test

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

// A misledStore answers with a user's true ledger out of a row of another id.
type misledStore struct {
	vault.Store

	other uuid.UUID
}

func (s misledStore) View(ctx context.Context, fn func(vault.Reader) error) error {
	return s.Store.View(ctx, func(r vault.Reader) error { return fn(misledReader{r, s.other}) })
}

func (s misledStore) Read(ctx context.Context, fn func(vault.Reader) error) error {
	return s.Store.Read(ctx, func(r vault.Reader) error { return fn(misledReader{r, s.other}) })
}

func (s misledStore) Update(ctx context.Context, fn func(vault.Tx) error) error {
	return s.Store.Update(ctx, func(tx vault.Tx) error { return fn(misledTx{tx, s.other}) })
}

type misledReader struct {
	vault.Reader

	other uuid.UUID
}

func (r misledReader) Ledger(ctx context.Context, user uuid.UUID) (vault.StoredLedger, error) {
	l, err := r.Reader.Ledger(ctx, user)
	l.Owner = r.other
	return l, err
}

type misledTx struct {
	vault.Tx

	other uuid.UUID
}

func (t misledTx) LockLedger(ctx context.Context, user uuid.UUID) (vault.StoredLedger, error) {
	l, err := t.Tx.LockLedger(ctx, user)
	l.Owner = t.other
	return l, err
}

// Neither user has anything yet, so that no row gives it away.
func TestALedgerUnderAnotherIDIsTampering(t *testing.T) {
	p := start(t)
	ann, ben := p.user("ann"), p.user("ben")
	misled, _ := p.vaultOn(misledStore{p.db, ben.User})
	before := p.entries()
	_, err := misled.ListSecrets(t.Context(), ann)
	assertTampered(t, "a list", err)
	_, err = misled.CreateSecret(t.Context(), ann, custom("ONE", fake("ann's")))
	assertTampered(t, "a create", err)
	if n := p.entries() - before; n != 0 {
		t.Errorf("%d entries", n)
	}
	if _, err := misled.ListSecrets(t.Context(), ben); err != nil {
		t.Errorf("with the true id: %v", err)
	}
	p.assertChain(ann.User)
	p.assertChain(ben.User)
}
