package store

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/vault"
)

var healths = newTable("secret_health", 2,
	id("user_id", func(h *vault.StoredHealth) *uuid.UUID { return &h.User }),
	id("secret_id", func(h *vault.StoredHealth) *uuid.UUID { return &h.Secret }),
	number("version", func(h *vault.StoredHealth) *uint64 { return &h.Version }),
	stamp("stamp", func(h *vault.StoredHealth) *seal.Stamp { return &h.Stamp }),
	text("outcome", func(h *vault.StoredHealth) *string { return &h.Outcome }),
	text("check_id", func(h *vault.StoredHealth) *string { return &h.Check }),
	number("status", func(h *vault.StoredHealth) *int { return &h.Status }),
	text("note", func(h *vault.StoredHealth) *string { return &h.Note }),
	text("facts", func(h *vault.StoredHealth) *string { return &h.Facts }),
	moment("key_expires_at", func(h *vault.StoredHealth) *time.Time { return &h.KeyExpiresAt }),
	moment("at", func(h *vault.StoredHealth) *time.Time { return &h.At }),
	id("instance_key_id", func(h *vault.StoredHealth) *uuid.UUID { return &h.InstanceKey }),
	hash("code", func(h *vault.StoredHealth) *[sha256.Size]byte { return &h.Code }))

// Health implements [vault.Reader].
func (q *Queries) Health(ctx context.Context, user, secret uuid.UUID) (vault.StoredHealth, error) {
	return healths.get(ctx, q.conn, "WHERE user_id = $1 AND secret_id = $2",
		idText(user), idText(secret))
}

// Healths implements [vault.Reader].
func (q *Queries) Healths(ctx context.Context, user uuid.UUID) ([]vault.StoredHealth, error) {
	return healths.list(ctx, q.conn, "WHERE user_id = $1 ORDER BY secret_id", idText(user))
}

// SaveHealth implements [vault.Tx].
func (q *Queries) SaveHealth(ctx context.Context, h vault.StoredHealth) error {
	err := q.exec(ctx, "DELETE FROM secret_health WHERE user_id = $1 AND secret_id = $2",
		idText(h.User), idText(h.Secret))
	if err != nil {
		return err
	}
	return healths.insert(ctx, q.conn, &h)
}
