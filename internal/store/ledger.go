package store

import (
	"context"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

// Columns of a ledger: in the row of its user, or in that of the instance.
func ledgerColumns[T any](field func(*T) *vault.StoredLedger) []column[T] {
	return []column[T]{
		id("id", func(v *T) *uuid.UUID { return &field(v).Owner }),
		number("number", func(v *T) *uint64 { return &field(v).Number }),
		blob("ledger", func(v *T) *[]byte { return &field(v).Signed }),
	}
}

var (
	ownLedger   = func(l *vault.StoredLedger) *vault.StoredLedger { return l }
	userLedgers = newTable("users", 1, ledgerColumns(ownLedger)...)
	instances   = newTable("instance", 1, ledgerColumns(ownLedger)...)
)

// Ledger implements [vault.Reader].
func (q *Queries) Ledger(ctx context.Context, user uuid.UUID) (vault.StoredLedger, error) {
	return userLedgers.get(ctx, q.conn, "WHERE id = $1", idText(user))
}

// ledgersAtOnce is how many ledgers are read by one statement.
const ledgersAtOnce = 200

// Ledgers implements [vault.Reader].
func (q *Queries) Ledgers(ctx context.Context, each func(vault.StoredLedger) error) error {
	for after := uuid.Nil; ; {
		page, err := userLedgers.list(ctx, q.conn, "WHERE id > $1 ORDER BY id LIMIT $2",
			idText(after), integer(ledgersAtOnce))
		if err != nil {
			return err
		}
		for _, l := range page {
			if err := each(l); err != nil {
				return err
			}
		}
		if len(page) < ledgersAtOnce {
			return nil
		}
		after = page[len(page)-1].Owner
	}
}

// LockLedger implements [vault.Tx].
func (q *Queries) LockLedger(ctx context.Context, user uuid.UUID) (vault.StoredLedger, error) {
	return userLedgers.get(ctx, q.conn, "WHERE id = $1 "+q.dialect.ForUpdate, idText(user))
}

// SaveLedger implements [vault.Tx].
func (q *Queries) SaveLedger(ctx context.Context, l vault.StoredLedger, was uint64) error {
	q.conn.Changed(l.Owner)
	return q.execOne(ctx, "UPDATE users SET number = $1, ledger = $2 WHERE id = $3 AND number = $4",
		integer(l.Number), l.Signed, idText(l.Owner), integer(was))
}

// TellAccess implements [vault.Tx].
func (q *Queries) TellAccess(ctx context.Context, owner uuid.UUID) error {
	return q.conn.Tell(ctx, owner)
}

// Moment implements [vault.Tx].
func (q *Queries) Moment() uint64 { return q.conn.Moment() }

// InstanceLedger implements [vault.Reader].
func (q *Queries) InstanceLedger(ctx context.Context) (vault.StoredLedger, error) {
	return instances.get(ctx, q.conn, "")
}

// LockInstance implements [vault.Tx].
func (q *Queries) LockInstance(ctx context.Context) (vault.StoredLedger, error) {
	return instances.get(ctx, q.conn, q.dialect.ForUpdate)
}

// SaveInstance implements [vault.Tx].
func (q *Queries) SaveInstance(ctx context.Context, l vault.StoredLedger, was uint64) error {
	q.conn.Changed(uuid.Nil)
	if was == 0 {
		return instances.insert(ctx, q.conn, &l)
	}
	return q.execOne(ctx,
		"UPDATE instance SET number = $1, ledger = $2 WHERE id = $3 AND number = $4",
		integer(l.Number), l.Signed, idText(l.Owner), integer(was))
}
