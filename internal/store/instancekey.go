package store

import (
	"context"
	"encoding/base64"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

var instanceKeys = newTable("instance_keys", 2,
	id("id", func(k *vault.StoredInstanceKey) *uuid.UUID { return &k.ID }),
	id("root_key_id", func(k *vault.StoredInstanceKey) *uuid.UUID { return &k.RootKey }),
	blob("wrapped", func(k *vault.StoredInstanceKey) *[]byte { return &k.Wrapped }),
	encoded("successions",
		func(k *vault.StoredInstanceKey) string { return successionsText(k.Successions) },
		func(k *vault.StoredInstanceKey, text string) (err error) {
			k.Successions, err = base64.StdEncoding.DecodeString(text)
			return err
		}),
	moment("created_at", func(k *vault.StoredInstanceKey) *time.Time { return &k.CreatedAt }))

func successionsText(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// InstanceKeys implements [vault.Reader].
func (q *Queries) InstanceKeys(ctx context.Context) ([]vault.StoredInstanceKey, error) {
	return instanceKeys.list(ctx, q.conn, "ORDER BY id, root_key_id")
}

// InsertInstanceKey implements [vault.Tx].
func (q *Queries) InsertInstanceKey(ctx context.Context, k vault.StoredInstanceKey) error {
	return instanceKeys.insert(ctx, q.conn, &k)
}

// SetSuccessions implements [vault.Tx]. What it replaces is public, but the row has a sealed key,
// too: it is treated as all changes of that row are.
func (q *Queries) SetSuccessions(ctx context.Context, id uuid.UUID, successions []byte) error {
	const sql = "UPDATE instance_keys SET successions = $1 WHERE id = $2"
	return q.erase(ctx, EraseSoon, sql, successionsText(successions), idText(id))
}

// DeleteInstanceKey implements [vault.Tx].
func (q *Queries) DeleteInstanceKey(ctx context.Context, id, rootKey uuid.UUID) error {
	const sql = "DELETE FROM instance_keys WHERE id = $1 AND root_key_id = $2"
	return q.eraseOne(ctx, EraseSoon, sql, idText(id), idText(rootKey))
}
