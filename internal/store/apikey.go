package store

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
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
	flag("suspended", func(k *vault.APIKey) *bool { return &k.Suspended }),
	moment("created_at", func(k *vault.APIKey) *time.Time { return &k.CreatedAt }),
	moment("expires_at", func(k *vault.APIKey) *time.Time { return &k.ExpiresAt }),
	moment("revoked_at", func(k *vault.APIKey) *time.Time { return &k.RevokedAt }),
	text("kind", func(k *vault.APIKey) *audit.CredentialKind { return &k.Kind }),
	text("terms", func(k *vault.APIKey) *string { return &k.TermsJSON }),
	presented())

// apiKeysUsed tells when keys were used last.
var apiKeysUsed = apiKeys.with(moment("(SELECT at FROM api_key_uses WHERE key_id = api_keys.id)",
	func(k *vault.APIKey) *time.Time { return &k.LastUsedAt }))

// apiKeysListed tells the number of the ledger that must list each key.
var apiKeysListed = apiKeys.with(number(
	"(SELECT coalesce(max(number), 0) FROM users WHERE id = user_id)",
	func(k *vault.APIKey) *uint64 { return &k.Ledger }))

// presented is nil for a key that has none.
func presented() column[vault.APIKey] {
	c := blob("presented", func(k *vault.APIKey) *[]byte { return &k.Presented })
	scan := c.scan
	c.scan = func(k *vault.APIKey, r Row, i int) error {
		err := scan(k, r, i)
		if len(k.Presented) == 0 {
			k.Presented = nil
		}
		return err
	}
	return c
}

// A keyUse is when an API key was used last.
type keyUse struct {
	key uuid.UUID
	at  time.Time
}

var apiKeyUses = newTable("api_key_uses", 1,
	id("key_id", func(u *keyUse) *uuid.UUID { return &u.key }),
	moment("at", func(u *keyUse) *time.Time { return &u.at }))

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

// APIKeyByHash implements [vault.Reader].
func (q *Queries) APIKeyByHash(ctx context.Context, hash vault.TokenHash) (vault.APIKey, error) {
	return apiKeys.get(ctx, q.conn, "WHERE token_hash = $1", hash[:])
}

// APIKeyByPresented implements [vault.Reader].
func (q *Queries) APIKeyByPresented(
	ctx context.Context, presented []byte,
) (vault.APIKey, error) {
	return apiKeys.get(ctx, q.conn, "WHERE presented = $1 AND length(presented) > 0", presented)
}

// APIKeyByID implements [vault.Reader].
func (q *Queries) APIKeyByID(ctx context.Context, id uuid.UUID) (vault.APIKey, error) {
	return apiKeys.get(ctx, q.conn, "WHERE id = $1", idText(id))
}

// ListedAPIKeys implements [vault.Reader]. It is one statement, so that what it returns is of one
// moment. IN would fill a table of its own.
func (q *Queries) ListedAPIKeys(
	ctx context.Context, ids []uuid.UUID,
) (found []vault.APIKey, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var rest strings.Builder
	args := make([]any, len(ids))
	for i, id := range ids {
		if args[i] = idText(id); i > 0 {
			rest.WriteString(" UNION ALL " + apiKeysListed.selectSQL)
		}
		rest.WriteString("WHERE id = " + placeholdersFrom(i+1, 1))
	}
	return apiKeysListed.list(ctx, q.conn, rest.String(), args...)
}

const apiKeysOfUser = "WHERE user_id = $1 ORDER BY id DESC"

// APIKeys implements [vault.Reader].
func (q *Queries) APIKeys(ctx context.Context, user uuid.UUID) ([]vault.APIKey, error) {
	return apiKeysUsed.list(ctx, q.conn, apiKeysOfUser, idText(user))
}

// ReadableAPIKeys implements [vault.Reader].
func (q *Queries) ReadableAPIKeys(
	ctx context.Context, user uuid.UUID,
) (keys []vault.APIKey, damaged int, err error) {
	return apiKeys.readable(ctx, q.conn, apiKeysOfUser, idText(user))
}

// APIKeysBelow implements [vault.Reader].
func (q *Queries) APIKeysBelow(ctx context.Context, parent uuid.UUID) ([]vault.APIKey, error) {
	return apiKeys.list(ctx, q.conn, "WHERE parent_id = $1 ORDER BY user_id, id", idText(parent))
}

// APIKeyUsed implements [vault.Reader].
func (q *Queries) APIKeyUsed(ctx context.Context, id uuid.UUID) (time.Time, error) {
	use, err := apiKeyUses.get(ctx, q.conn, "WHERE key_id = $1", idText(id))
	if errors.Is(err, vault.ErrNotFound) {
		err = nil
	}
	return use.at, err
}

// AdminAPIKeys implements [vault.Reader].
func (q *Queries) AdminAPIKeys(ctx context.Context) ([]vault.APIKey, error) {
	return apiKeys.list(ctx, q.conn,
		"WHERE ' ' || scopes || ' ' LIKE '% admin %' AND kind = '' ORDER BY user_id, id")
}

// APIKeysByAge implements [vault.Reader].
func (q *Queries) APIKeysByAge(
	ctx context.Context, after, before uuid.UUID, limit int,
) ([]vault.APIKey, error) {
	return apiKeysUsed.list(ctx, q.conn, `WHERE kind = '' AND revoked_at IS NULL
		AND id > $1 AND id < $2 ORDER BY id LIMIT $3`,
		idText(after), beforeText(before), integer(limit))
}

// InsertAPIKey implements [vault.Tx].
func (q *Queries) InsertAPIKey(ctx context.Context, k vault.APIKey) error {
	return apiKeys.insert(ctx, q.conn, &k)
}

// RevokeAPIKey implements [vault.Tx].
func (q *Queries) RevokeAPIKey(ctx context.Context, user, id uuid.UUID, at time.Time) error {
	return q.execOne(ctx, `UPDATE api_keys SET revoked_at = $1
		WHERE id = $2 AND user_id = $3 AND revoked_at IS NULL`,
		micros(at), idText(id), idText(user))
}

// SuspendAPIKey implements [vault.Tx].
func (q *Queries) SuspendAPIKey(ctx context.Context, user, id uuid.UUID) error {
	return q.execOne(ctx, "UPDATE api_keys SET suspended = 1 WHERE id = $1 AND user_id = $2",
		idText(id), idText(user))
}

// SetAPIKeyParent implements [vault.Tx].
func (q *Queries) SetAPIKeyParent(ctx context.Context, user, id, parent uuid.UUID) error {
	return q.execOne(ctx, "UPDATE api_keys SET parent_id = $1 WHERE id = $2 AND user_id = $3",
		idText(parent), idText(id), idText(user))
}

// SetAPIKeyTerms implements [vault.Tx].
func (q *Queries) SetAPIKeyTerms(ctx context.Context, user, id uuid.UUID, terms string) error {
	return q.execOne(ctx, "UPDATE api_keys SET terms = $1 WHERE id = $2 AND user_id = $3",
		terms, idText(id), idText(user))
}

// TouchAPIKey implements [vault.Tx].
func (q *Queries) TouchAPIKey(ctx context.Context, id uuid.UUID, at time.Time) error {
	return q.exec(ctx, `INSERT INTO api_key_uses (key_id, at)
		SELECT id, $1 FROM api_keys WHERE id = $2
		ON CONFLICT (key_id) DO UPDATE SET at = excluded.at`, micros(at), idText(id))
}

// DeleteAPIKey implements [vault.Tx].
func (q *Queries) DeleteAPIKey(ctx context.Context, user, id uuid.UUID) error {
	err := q.exec(ctx, "DELETE FROM api_key_uses WHERE key_id = $1", idText(id))
	if err != nil {
		return err
	}
	return q.execOne(ctx, "DELETE FROM api_keys WHERE id = $1 AND user_id = $2",
		idText(id), idText(user))
}

// DeleteAPIKeys implements [vault.Tx].
func (q *Queries) DeleteAPIKeys(ctx context.Context, user uuid.UUID) error {
	err := q.exec(ctx, `DELETE FROM api_key_uses
		WHERE key_id IN (SELECT id FROM api_keys WHERE user_id = $1)`, idText(user))
	if err != nil {
		return err
	}
	return q.exec(ctx, "DELETE FROM api_keys WHERE user_id = $1", idText(user))
}
