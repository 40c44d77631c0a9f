package store

import (
	"context"

	"github.com/keysake/keysake/internal/vault"
)

const selectInstance = "SELECT id, audit_seq, audit_hash FROM instance"

func (s *Queries) InstanceLedger(ctx context.Context) (vault.Ledger, error) {
	return s.instance(ctx, selectInstance)
}

func (s *Queries) LockInstance(ctx context.Context) (vault.Ledger, error) {
	return s.instance(ctx, query(selectInstance+s.dialect.ForUpdate))
}

func (s *Queries) instance(ctx context.Context, q query) (found vault.Ledger, err error) {
	var hash []byte
	err = s.row(ctx, q, nil, []any{&found.Owner, &found.Head.Seq, &hash})
	copy(found.Head.Hash[:], hash)
	return found, err
}

func (s *Queries) SaveInstance(ctx context.Context, l vault.Ledger) error {
	return s.run(ctx, `INSERT INTO instance (id, audit_seq, audit_hash) VALUES ($1, $2, $3)
		ON CONFLICT (id) DO UPDATE SET audit_seq = $2, audit_hash = $3`,
		idText(l.Owner), l.Head.Seq, l.Head.Hash[:])
}
