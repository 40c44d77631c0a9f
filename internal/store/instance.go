package store

import (
	"context"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/vault"
)

var instances = newTable("instance", 1,
	id("id", func(l *vault.Ledger) *uuid.UUID { return &l.Owner }),
	number("audit_seq", func(l *vault.Ledger) *uint64 { return &l.Head.Seq }),
	hash("audit_hash", func(l *vault.Ledger) *audit.Hash { return &l.Head.Hash }))

// InstanceLedger implements [vault.Reader].
func (q *Queries) InstanceLedger(ctx context.Context) (vault.Ledger, error) {
	return instances.get(ctx, q.conn, "")
}

// LockInstance implements [vault.Tx].
func (q *Queries) LockInstance(ctx context.Context) (vault.Ledger, error) {
	return instances.get(ctx, q.conn, q.dialect.ForUpdate)
}

// SaveInstance implements [vault.Tx].
func (q *Queries) SaveInstance(ctx context.Context, l vault.Ledger) error {
	return q.exec(ctx, `INSERT INTO instance (id, audit_seq, audit_hash) VALUES ($1, $2, $3)
		ON CONFLICT (id) DO UPDATE SET audit_seq = $2, audit_hash = $3`,
		idText(l.Owner), integer(l.Head.Seq), l.Head.Hash[:])
}
