package store

import (
	"context"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

// A ledger is in the row of its user.
const selectLedger = `SELECT secret_count, owner_key_id, audit_seq, audit_hash
	FROM users WHERE id = $1 AND deleted_at IS NULL`

func (s *Queries) Ledger(ctx context.Context, user uuid.UUID) (found vault.Ledger, err error) {
	return s.ledger(ctx, selectLedger, user)
}

func (s *Queries) LockLedger(ctx context.Context, user uuid.UUID) (found vault.Ledger, err error) {
	return s.ledger(ctx, query(selectLedger+s.dialect.ForUpdate), user)
}

func (s *Queries) ledger(
	ctx context.Context, q query, user uuid.UUID,
) (found vault.Ledger, err error) {
	found.Owner = user
	var hash []byte
	into := []any{&found.Secrets, &found.OwnerKey, &found.Head.Seq, &hash}
	err = s.row(ctx, q, []any{idText(user)}, into)
	copy(found.Head.Hash[:], hash)
	return found, err
}

func (s *Queries) SaveLedger(ctx context.Context, l vault.Ledger) error {
	return s.one(ctx, `UPDATE users
		SET secret_count = $1, owner_key_id = $2, audit_seq = $3, audit_hash = $4 WHERE id = $5`,
		l.Secrets, idText(l.OwnerKey), l.Head.Seq, l.Head.Hash[:], idText(l.Owner))
}
