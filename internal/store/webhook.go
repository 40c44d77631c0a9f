package store

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

var webhookEvents = newTable("webhook_events", 1,
	id("id", func(e *vault.StoredEvent) *uuid.UUID { return &e.ID }),
	id("user_id", func(e *vault.StoredEvent) *uuid.UUID { return &e.User }),
	id("secret_id", func(e *vault.StoredEvent) *uuid.UUID { return &e.Secret }),
	text("body", func(e *vault.StoredEvent) *string { return &e.Body }),
	moment("created_at", func(e *vault.StoredEvent) *time.Time { return &e.CreatedAt }),
	number("attempts", func(e *vault.StoredEvent) *int { return &e.Attempts }),
	moment("due_at", func(e *vault.StoredEvent) *time.Time { return &e.DueAt }),
	id("instance_key_id", func(e *vault.StoredEvent) *uuid.UUID { return &e.InstanceKey }),
	hash("code", func(e *vault.StoredEvent) *[sha256.Size]byte { return &e.Code }))

var secretNotices = newTable("secret_notices", 3,
	id("user_id", func(n *vault.StoredNotice) *uuid.UUID { return &n.User }),
	id("secret_id", func(n *vault.StoredNotice) *uuid.UUID { return &n.Secret }),
	text("warning", func(n *vault.StoredNotice) *vault.Warning { return &n.Warning }),
	moment("about", func(n *vault.StoredNotice) *time.Time { return &n.About }))

// EventsDue implements [vault.Reader].
func (q *Queries) EventsDue(
	ctx context.Context, due vault.Due, limit int,
) ([]vault.StoredEvent, error) {
	events, _, err := webhookEvents.readable(ctx, q.conn,
		"WHERE due_at <= $1 OR due_at > $2 ORDER BY due_at LIMIT $3",
		micros(due.By), micros(due.Beyond), int64(limit+spareRows))
	return events[:min(len(events), limit)], err
}

// CountEvents implements [vault.Reader].
func (q *Queries) CountEvents(ctx context.Context) (int, error) {
	return q.count(ctx, "SELECT count(*) FROM webhook_events")
}

// InsertEvent implements [vault.Tx].
func (q *Queries) InsertEvent(ctx context.Context, e vault.StoredEvent) error {
	return webhookEvents.execFor(ctx, q.conn,
		webhookEvents.insertSQL+" ON CONFLICT (id) DO NOTHING", &e)
}

// RetryEvent implements [vault.Tx].
func (q *Queries) RetryEvent(ctx context.Context, e vault.StoredEvent) error {
	return q.exec(ctx, "UPDATE webhook_events SET attempts = $1, due_at = $2 WHERE id = $3",
		integer(e.Attempts), micros(e.DueAt), idText(e.ID))
}

// DeleteEvent implements [vault.Tx].
func (q *Queries) DeleteEvent(ctx context.Context, event uuid.UUID) error {
	return q.exec(ctx, "DELETE FROM webhook_events WHERE id = $1", idText(event))
}

// TrimEvents implements [vault.Tx].
func (q *Queries) TrimEvents(ctx context.Context, keep int) error {
	return q.exec(ctx, `DELETE FROM webhook_events WHERE (created_at, id) <= (
		SELECT created_at, id FROM webhook_events
		ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET $1)`, integer(keep))
}

// Notices implements [vault.Reader].
func (q *Queries) Notices(ctx context.Context, user uuid.UUID) ([]vault.StoredNotice, error) {
	return secretNotices.list(ctx, q.conn, "WHERE user_id = $1 ORDER BY secret_id, warning",
		idText(user))
}

// SaveNotice implements [vault.Tx].
func (q *Queries) SaveNotice(ctx context.Context, n vault.StoredNotice) error {
	return secretNotices.execFor(ctx, q.conn, secretNotices.insertSQL+
		" ON CONFLICT (user_id, secret_id, warning) DO UPDATE SET about = excluded.about", &n)
}
