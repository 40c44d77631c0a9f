package store

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

var instanceKeys = newTable("instance_keys", 2,
	id("id", func(k *vault.StoredInstanceKey) *uuid.UUID { return &k.ID }),
	id("root_key_id", func(k *vault.StoredInstanceKey) *uuid.UUID { return &k.RootKey }),
	blob("wrapped", func(k *vault.StoredInstanceKey) *[]byte { return &k.Wrapped }),
	moment("created_at", func(k *vault.StoredInstanceKey) *time.Time { return &k.CreatedAt }))

// InstanceKeys implements [vault.Reader].
func (q *Queries) InstanceKeys(ctx context.Context) ([]vault.StoredInstanceKey, error) {
	return instanceKeys.list(ctx, q.conn, "ORDER BY id, root_key_id")
}

// InsertInstanceKey implements [vault.Tx].
func (q *Queries) InsertInstanceKey(ctx context.Context, k vault.StoredInstanceKey) error {
	return instanceKeys.insert(ctx, q.conn, &k)
}

// DeleteInstanceKey implements [vault.Tx].
func (q *Queries) DeleteInstanceKey(ctx context.Context, id, rootKey uuid.UUID) error {
	const sql = "DELETE FROM instance_keys WHERE id = $1 AND root_key_id = $2"
	return q.eraseOne(ctx, EraseSoon, sql, idText(id), idText(rootKey))
}
