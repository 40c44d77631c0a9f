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

// An API key is active or inactive at the time $2.
const (
	active   = "(revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2))"
	inactive = "NOT " + active
)

// APIKeyByHash implements [vault.Reader].
func (q *Queries) APIKeyByHash(ctx context.Context, hash vault.TokenHash) (vault.APIKey, error) {
	return apiKeys.get(ctx, q.conn, "WHERE token_hash = $1", hash[:])
}

// APIKeys implements [vault.Reader].
func (q *Queries) APIKeys(ctx context.Context, user uuid.UUID) ([]vault.APIKey, error) {
	return apiKeys.list(ctx, q.conn, "WHERE user_id = $1 ORDER BY id DESC", idText(user))
}

// CountActiveAPIKeys implements [vault.Reader].
func (q *Queries) CountActiveAPIKeys(
	ctx context.Context, user uuid.UUID, now time.Time,
) (int, error) {
	return q.count(ctx, "SELECT COUNT(*) FROM api_keys WHERE user_id = $1 AND "+active,
		idText(user), micros(now))
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

// TouchAPIKey implements [vault.Tx].
func (q *Queries) TouchAPIKey(ctx context.Context, id uuid.UUID, at time.Time) error {
	return q.exec(ctx, "UPDATE api_keys SET last_used_at = $1 WHERE id = $2",
		micros(at), idText(id))
}

// PruneAPIKeys implements [vault.Tx].
func (q *Queries) PruneAPIKeys(ctx context.Context, user uuid.UUID, now time.Time, keep int) error {
	return q.exec(ctx, "DELETE FROM api_keys WHERE user_id = $1 AND "+inactive+` AND id <= (
		SELECT id FROM api_keys WHERE user_id = $1 AND `+inactive+`
		ORDER BY id DESC LIMIT 1 OFFSET $3)`, idText(user), micros(now), integer(keep))
}

// DeleteAPIKeys implements [vault.Tx].
func (q *Queries) DeleteAPIKeys(ctx context.Context, user uuid.UUID) error {
	return q.exec(ctx, "DELETE FROM api_keys WHERE user_id = $1", idText(user))
}
