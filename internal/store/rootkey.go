package store

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

var rootKeys = newTable("root_keys", 1,
	id("id", func(k *vault.StoredRootKey) *uuid.UUID { return &k.ID }),
	text("params", func(k *vault.StoredRootKey) *string { return &k.Params }),
	blob("check_value", func(k *vault.StoredRootKey) *[]byte { return &k.Check }),
	moment("created_at", func(k *vault.StoredRootKey) *time.Time { return &k.CreatedAt }))

// RootKeys implements [vault.Reader].
func (q *Queries) RootKeys(ctx context.Context) ([]vault.StoredRootKey, error) {
	return rootKeys.list(ctx, q.conn, "ORDER BY created_at, id")
}

// RootKey implements [vault.Reader].
func (q *Queries) RootKey(ctx context.Context, id uuid.UUID) (vault.StoredRootKey, error) {
	return rootKeys.get(ctx, q.conn, "WHERE id = $1", idText(id))
}

// CountOwnerKeysWrappedBy implements [vault.Reader].
func (q *Queries) CountOwnerKeysWrappedBy(ctx context.Context, rootKey uuid.UUID) (int, error) {
	return q.count(ctx, "SELECT COUNT(*) FROM owner_keys WHERE root_key_id = $1", idText(rootKey))
}

// InsertRootKey implements [vault.Tx].
func (q *Queries) InsertRootKey(ctx context.Context, k vault.StoredRootKey) error {
	return rootKeys.insert(ctx, q.conn, &k)
}

// DeleteRootKey implements [vault.Tx].
func (q *Queries) DeleteRootKey(ctx context.Context, id uuid.UUID) error {
	return q.execOne(ctx, "DELETE FROM root_keys WHERE id = $1", idText(id))
}
