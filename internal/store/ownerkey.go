package store

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

var ownerKeys = newTable("owner_keys", 2,
	id("user_id", func(k *vault.StoredOwnerKey) *uuid.UUID { return &k.User }),
	id("id", func(k *vault.StoredOwnerKey) *uuid.UUID { return &k.ID }),
	id("root_key_id", func(k *vault.StoredOwnerKey) *uuid.UUID { return &k.RootKey }),
	blob("wrapped", func(k *vault.StoredOwnerKey) *[]byte { return &k.Wrapped }),
	moment("created_at", func(k *vault.StoredOwnerKey) *time.Time { return &k.CreatedAt }))

// OwnerKey implements [vault.Reader].
func (q *Queries) OwnerKey(
	ctx context.Context, user, id uuid.UUID,
) (vault.StoredOwnerKey, error) {
	return ownerKeys.get(ctx, q.conn, "WHERE id = $1 AND user_id = $2", idText(id), idText(user))
}

// OwnerKeysWrappedBy implements [vault.Reader].
func (q *Queries) OwnerKeysWrappedBy(
	ctx context.Context, rootKey, after uuid.UUID, limit int,
) ([]vault.StoredOwnerKey, error) {
	return ownerKeys.list(ctx, q.conn, "WHERE root_key_id = $1 AND id > $2 ORDER BY id LIMIT $3",
		idText(rootKey), idText(after), integer(limit))
}

// InsertOwnerKey implements [vault.Tx].
func (q *Queries) InsertOwnerKey(ctx context.Context, k vault.StoredOwnerKey) error {
	return ownerKeys.insert(ctx, q.conn, &k)
}

// RewrapOwnerKey implements [vault.Tx].
func (q *Queries) RewrapOwnerKey(ctx context.Context, k vault.StoredOwnerKey, was uuid.UUID) error {
	return q.erase(ctx, EraseSoon, `UPDATE owner_keys SET root_key_id = $1, wrapped = $2
		WHERE id = $3 AND user_id = $4 AND root_key_id = $5`,
		idText(k.RootKey), k.Wrapped, idText(k.ID), idText(k.User), idText(was))
}

// DeleteOwnerKeys implements [vault.Tx].
func (q *Queries) DeleteOwnerKeys(ctx context.Context, user uuid.UUID) error {
	return q.erase(ctx, EraseNow, "DELETE FROM owner_keys WHERE user_id = $1", idText(user))
}

// DeleteOtherOwnerKeys implements [vault.Tx].
func (q *Queries) DeleteOtherOwnerKeys(ctx context.Context, user, keep uuid.UUID) error {
	return q.erase(ctx, EraseSoon, "DELETE FROM owner_keys WHERE user_id = $1 AND id <> $2",
		idText(user), idText(keep))
}
