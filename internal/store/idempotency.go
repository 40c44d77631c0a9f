package store

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

var doneRequests = newTable("done_requests", 2,
	id("user_id", func(d *vault.DoneRequest) *uuid.UUID { return &d.User }),
	hash("key_hash", func(d *vault.DoneRequest) *[sha256.Size]byte { return &d.Key }),
	hash("request_code", func(d *vault.DoneRequest) *[sha256.Size]byte { return &d.Request }),
	text("action", func(d *vault.DoneRequest) *string { return &d.Action }),
	id("resource_id", func(d *vault.DoneRequest) *uuid.UUID { return &d.Resource }),
	number("version", func(d *vault.DoneRequest) *uint64 { return &d.Version }),
	moment("expires_at", func(d *vault.DoneRequest) *time.Time { return &d.ExpiresAt }),
	id("instance_key_id", func(d *vault.DoneRequest) *uuid.UUID { return &d.InstanceKey }),
	hash("code", func(d *vault.DoneRequest) *[sha256.Size]byte { return &d.Code }))

// DoneRequest implements [vault.Reader].
func (q *Queries) DoneRequest(
	ctx context.Context, user uuid.UUID, key [sha256.Size]byte,
) (vault.DoneRequest, error) {
	return doneRequests.get(ctx, q.conn, "WHERE user_id = $1 AND key_hash = $2",
		idText(user), key[:])
}

// InsertDoneRequest implements [vault.Tx].
func (q *Queries) InsertDoneRequest(ctx context.Context, d vault.DoneRequest) error {
	return doneRequests.insert(ctx, q.conn, &d)
}

// DeleteStaleRequest implements [vault.Tx].
func (q *Queries) DeleteStaleRequest(
	ctx context.Context, d vault.DoneRequest, at time.Time,
) error {
	return q.exec(ctx, `DELETE FROM done_requests WHERE user_id = $1 AND key_hash = $2
		AND (expires_at <= $3 OR instance_key_id <> $4)`,
		idText(d.User), d.Key[:], micros(at), idText(d.InstanceKey))
}

// DeleteDoneRequests implements [vault.Tx].
func (q *Queries) DeleteDoneRequests(ctx context.Context, user uuid.UUID) error {
	return q.exec(ctx, "DELETE FROM done_requests WHERE user_id = $1", idText(user))
}

// DeleteExpiredRequests implements [vault.Tx].
func (q *Queries) DeleteExpiredRequests(ctx context.Context, at time.Time) error {
	return q.exec(ctx, `DELETE FROM done_requests WHERE (user_id, key_hash) IN (
		SELECT user_id, key_hash FROM done_requests WHERE expires_at <= $1
		ORDER BY expires_at LIMIT 10 `+q.dialect.SkipLocked+`)`, micros(at))
}
