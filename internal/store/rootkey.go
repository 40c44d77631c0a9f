package store

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

var rootKeys = newTable("root_keys", 1,
	id("id", func(k *vault.StoredRootKey) *uuid.UUID { return &k.ID }),
	text("url", func(k *vault.StoredRootKey) *string { return &k.URL }),
	text("params", func(k *vault.StoredRootKey) *string { return &k.Params }),
	text("state", func(k *vault.StoredRootKey) *vault.RootKeyState { return &k.State }),
	blob("check_value", func(k *vault.StoredRootKey) *[]byte { return &k.Check }),
	moment("created_at", func(k *vault.StoredRootKey) *time.Time { return &k.CreatedAt }),
	moment("replaced_at", func(k *vault.StoredRootKey) *time.Time { return &k.ReplacedAt }),
	moment("retired_at", func(k *vault.StoredRootKey) *time.Time { return &k.RetiredAt }))

var rootKeysCounted = rootKeys.with(number(
	"(SELECT COUNT(*) FROM owner_keys WHERE root_key_id = root_keys.id)",
	func(k *vault.StoredRootKey) *int { return &k.OwnerKeys }))

// RootKeys implements [vault.Reader].
func (q *Queries) RootKeys(ctx context.Context) ([]vault.StoredRootKey, error) {
	return rootKeysCounted.list(ctx, q.conn, "ORDER BY created_at, id")
}

// PrimaryRootKey implements [vault.Reader].
func (q *Queries) PrimaryRootKey(ctx context.Context) (vault.StoredRootKey, error) {
	return rootKeys.get(ctx, q.conn, "WHERE state = 'primary'")
}

// InsertRootKey implements [vault.Tx].
func (q *Queries) InsertRootKey(ctx context.Context, k vault.StoredRootKey) error {
	return rootKeys.insert(ctx, q.conn, &k)
}

// SetRootKeyURL implements [vault.Tx].
func (q *Queries) SetRootKeyURL(ctx context.Context, id uuid.UUID, url string) error {
	return q.execOne(ctx, "UPDATE root_keys SET url = $1 WHERE id = $2", url, idText(id))
}

// SetRootKeyState implements [vault.Tx].
func (q *Queries) SetRootKeyState(
	ctx context.Context, id uuid.UUID, state vault.RootKeyState, at time.Time,
) error {
	switch state {
	case vault.Primary:
		return q.execOne(ctx, `UPDATE root_keys
			SET state = 'primary', replaced_at = NULL, retired_at = NULL WHERE id = $1`, idText(id))
	case vault.Replaced:
		return q.execOne(ctx, `UPDATE root_keys SET state = 'replaced', replaced_at = $1
			WHERE id = $2`, micros(at), idText(id))
	case vault.Retired:
	}
	return q.execOne(ctx, "UPDATE root_keys SET state = 'retired', retired_at = $1 WHERE id = $2",
		micros(at), idText(id))
}
