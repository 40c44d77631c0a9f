package store

import (
	"context"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

// A ledger is in the row of its user.
const ownLedger = "WHERE id = $1 AND deleted_at IS NULL"

// Ledger implements [vault.Reader].
func (q *Queries) Ledger(ctx context.Context, user uuid.UUID) (vault.Ledger, error) {
	found, err := users.get(ctx, q.conn, ownLedger, idText(user))
	return found.Ledger, err
}

// LockLedger implements [vault.Tx].
func (q *Queries) LockLedger(ctx context.Context, user uuid.UUID) (vault.Ledger, error) {
	found, err := users.get(ctx, q.conn, ownLedger+" "+q.dialect.ForUpdate, idText(user))
	return found.Ledger, err
}

// SaveLedger implements [vault.Tx].
func (q *Queries) SaveLedger(ctx context.Context, l vault.Ledger) error {
	const update = `UPDATE users
		SET secret_count = $1, owner_key_id = $2, audit_seq = $3, audit_hash = $4 WHERE id = $5`
	return q.execOne(ctx, update, integer(l.Secrets), idText(l.OwnerKey), integer(l.Head.Seq),
		l.Head.Hash[:], idText(l.Owner))
}
