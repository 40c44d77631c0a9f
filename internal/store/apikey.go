package store

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
)

const (
	apiKeyColumns = "id, user_id, token_hash, masked, name, scopes, self_revoke, created_at, expires_at, revoked_at, last_used_at"
	// live and dead take the time as $2.
	live = "(revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2))"
	dead = "NOT " + live
)

// scanAPIKey reads a row with apiKeyColumns.
func scanAPIKey(row func(into ...any) error) (k vault.APIKey, err error) {
	var hash []byte
	var scopes string
	err = row(&k.ID, &k.User, &hash, &k.Masked, &k.Name, &scopes, &k.SelfRevoke,
		moment{&k.CreatedAt}, moment{&k.ExpiresAt}, moment{&k.RevokedAt}, moment{&k.LastUsedAt})
	copy(k.Hash[:], hash)
	for scope := range strings.FieldsSeq(scopes) {
		k.Scopes = append(k.Scopes, policy.Scope(scope))
	}
	return k, err
}

func (s *Queries) APIKeyByHash(ctx context.Context, hash vault.TokenHash) (vault.APIKey, error) {
	return scanAPIKey(func(into ...any) error {
		return s.row(
			ctx,
			"SELECT "+apiKeyColumns+" FROM api_keys WHERE token_hash = $1",
			[]any{hash[:]},
			into,
		)
	})
}

func (s *Queries) APIKeys(ctx context.Context, user uuid.UUID) (found []vault.APIKey, err error) {
	err = s.each(
		ctx,
		"SELECT "+apiKeyColumns+" FROM api_keys WHERE user_id = $1 ORDER BY id DESC",
		func(row scanner) error {
			key, err := scanAPIKey(row.Scan)
			found = append(found, key)
			return err
		},
		idText(user),
	)
	return found, err
}

func (s *Queries) CountActiveAPIKeys(
	ctx context.Context,
	user uuid.UUID,
	now time.Time,
) (n int, err error) {
	err = s.row(
		ctx,
		"SELECT COUNT(*) FROM api_keys WHERE user_id = $1 AND "+live,
		[]any{idText(user), micros(now)},
		[]any{&n},
	)
	return n, err
}

func (s *Queries) InsertAPIKey(ctx context.Context, k vault.APIKey) error {
	scopes := make([]string, len(k.Scopes))
	for i, scope := range k.Scopes {
		scopes[i] = string(scope)
	}
	selfRevoke := 0 // flags are numbers in every database
	if k.SelfRevoke {
		selfRevoke = 1
	}
	return s.run(
		ctx,
		"INSERT INTO api_keys ("+apiKeyColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
		idText(
			k.ID,
		),
		idText(k.User),
		k.Hash[:],
		k.Masked,
		k.Name,
		strings.Join(scopes, " "),
		selfRevoke,
		micros(k.CreatedAt),
		micros(k.ExpiresAt),
		micros(k.RevokedAt),
		micros(k.LastUsedAt),
	)
}

func (s *Queries) RevokeAPIKey(
	ctx context.Context,
	user, id uuid.UUID,
	at time.Time,
) (name string, err error) {
	err = s.row(
		ctx,
		"UPDATE api_keys SET revoked_at = $1 WHERE id = $2 AND user_id = $3 AND revoked_at IS NULL RETURNING name",
		[]any{micros(at), idText(id), idText(user)},
		[]any{&name},
	)
	return name, err
}

func (s *Queries) TouchAPIKey(ctx context.Context, id uuid.UUID, at time.Time) error {
	return s.run(ctx, "UPDATE api_keys SET last_used_at = $1 WHERE id = $2", micros(at), idText(id))
}

func (s *Queries) PruneAPIKeys(ctx context.Context, user uuid.UUID, now time.Time, keep int) error {
	return s.run(ctx, "DELETE FROM api_keys WHERE user_id = $1 AND "+dead+" AND id <= ("+
		"SELECT id FROM api_keys WHERE user_id = $1 AND "+dead+" ORDER BY id DESC LIMIT 1 OFFSET $3)", idText(user), micros(now), keep)
}

func (s *Queries) DeleteAPIKeys(ctx context.Context, user uuid.UUID) error {
	return s.run(ctx, "DELETE FROM api_keys WHERE user_id = $1", idText(user))
}
