package store

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
)

var apiKeys = newTable("api_keys", 2,
	id("user_id", func(k *vault.APIKey) *uuid.UUID { return &k.User }),
	id("id", func(k *vault.APIKey) *uuid.UUID { return &k.ID }),
	id("parent_id", func(k *vault.APIKey) *uuid.UUID { return &k.Parent }),
	hash("token_hash", func(k *vault.APIKey) *vault.TokenHash { return &k.Hash }),
	text("masked", func(k *vault.APIKey) *string { return &k.Masked }),
	text("name", func(k *vault.APIKey) *string { return &k.Name }),
	encoded("scopes", joinScopes, splitScopes),
	flag("self_revoke", func(k *vault.APIKey) *bool { return &k.SelfRevoke }),
	moment("created_at", func(k *vault.APIKey) *time.Time { return &k.CreatedAt }),
	moment("expires_at", func(k *vault.APIKey) *time.Time { return &k.ExpiresAt }),
	moment("revoked_at", func(k *vault.APIKey) *time.Time { return &k.RevokedAt }),
	moment("last_used_at", func(k *vault.APIKey) *time.Time { return &k.LastUsedAt }))

func joinScopes(k *vault.APIKey) string {
	scopes := make([]string, len(k.Scopes))
	for i, scope := range k.Scopes {
		scopes[i] = string(scope)
	}
	return strings.Join(scopes, " ")
}

func splitScopes(k *vault.APIKey, text string) error {
	k.Scopes = nil
	for scope := range strings.FieldsSeq(text) {
		k.Scopes = append(k.Scopes, policy.Scope(scope))
	}
	return nil
}

// active tells whether a row of api_keys is active at the time $1. It climbs from the key to the
// one that the operator made, and stops at the first that is gone, revoked or expired. UNION drops
// what it has seen, so that a circle, which only damage makes, ends too; it leads to no operator.
const active = `EXISTS (
	WITH RECURSIVE line (parent_id) AS (
		SELECT parent_id FROM api_keys AS self WHERE self.id = api_keys.id
			AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $1)
		UNION
		SELECT above.parent_id FROM line JOIN api_keys AS above ON above.id = line.parent_id
			WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $1)
	)
	SELECT 1 FROM line WHERE parent_id = '')`

// apiKeysNow tells which keys are active at the time $1.
var apiKeysNow = apiKeys.with(flag(active, func(k *vault.APIKey) *bool { return &k.Active }))

// APIKeyByHash implements [vault.Reader].
func (q *Queries) APIKeyByHash(
	ctx context.Context, hash vault.TokenHash, now time.Time,
) (vault.APIKey, error) {
	return apiKeysNow.get(ctx, q.conn, "WHERE token_hash = $2", micros(now), hash[:])
}

// APIKey implements [vault.Reader].
func (q *Queries) APIKey(
	ctx context.Context, user, id uuid.UUID, now time.Time,
) (vault.APIKey, error) {
	return apiKeysNow.get(ctx, q.conn, "WHERE id = $2 AND user_id = $3",
		micros(now), idText(id), idText(user))
}

// APIKeys implements [vault.Reader].
func (q *Queries) APIKeys(
	ctx context.Context, user uuid.UUID, now time.Time,
) ([]vault.APIKey, error) {
	return apiKeysNow.list(ctx, q.conn, "WHERE user_id = $2 ORDER BY id DESC",
		micros(now), idText(user))
}

// APIKeyLine implements [vault.Reader].
func (q *Queries) APIKeyLine(ctx context.Context, id uuid.UUID) (line []uuid.UUID, err error) {
	const sql = `WITH RECURSIVE line (id, parent_id) AS (
			SELECT id, parent_id FROM api_keys WHERE id = $1
			UNION
			SELECT above.id, above.parent_id
				FROM line JOIN api_keys AS above ON above.id = line.parent_id
		) SELECT id FROM line`
	err = q.conn.Query(ctx, sql, func(r Row) error {
		key, err := parseID(r.Text(0))
		line = append(line, key)
		return err
	}, idText(id))
	return line, err
}

// CountActiveAPIKeys implements [vault.Reader].
func (q *Queries) CountActiveAPIKeys(
	ctx context.Context, user uuid.UUID, now time.Time,
) (int, error) {
	return q.count(ctx, "SELECT COUNT(*) FROM api_keys WHERE user_id = $2 AND "+active,
		micros(now), idText(user))
}

// InsertAPIKey implements [vault.Tx].
func (q *Queries) InsertAPIKey(ctx context.Context, k vault.APIKey) error {
	return apiKeys.insert(ctx, q.conn, &k)
}

// RevokeAPIKey implements [vault.Tx].
func (q *Queries) RevokeAPIKey(
	ctx context.Context, user, id uuid.UUID, at time.Time,
) (name string, err error) {
	const sql = `UPDATE api_keys SET revoked_at = $1
		WHERE id = $2 AND user_id = $3 AND revoked_at IS NULL RETURNING name`
	err = queryRow(ctx, q.conn, sql, func(r Row) error {
		name = r.Text(0)
		return nil
	}, micros(at), idText(id), idText(user))
	return name, err
}

// MoveAPIKeys implements [vault.Tx].
func (q *Queries) MoveAPIKeys(ctx context.Context, from, to uuid.UUID) error {
	return q.exec(ctx, "UPDATE api_keys SET parent_id = $1 WHERE parent_id = $2",
		idText(to), idText(from))
}

// TouchAPIKey implements [vault.Tx].
func (q *Queries) TouchAPIKey(ctx context.Context, id uuid.UUID, at time.Time) error {
	return q.exec(ctx, "UPDATE api_keys SET last_used_at = $1 WHERE id = $2",
		micros(at), idText(id))
}

// PruneAPIKeys implements [vault.Tx].
func (q *Queries) PruneAPIKeys(ctx context.Context, user uuid.UUID, now time.Time, keep int) error {
	return q.exec(ctx, "DELETE FROM api_keys WHERE user_id = $2 AND NOT "+active+` AND id <= (
		SELECT id FROM api_keys WHERE user_id = $2 AND NOT `+active+`
		ORDER BY id DESC LIMIT 1 OFFSET $3)`, micros(now), idText(user), integer(keep))
}

// DeleteAPIKeys implements [vault.Tx].
func (q *Queries) DeleteAPIKeys(ctx context.Context, user uuid.UUID) error {
	return q.exec(ctx, "DELETE FROM api_keys WHERE user_id = $1", idText(user))
}
