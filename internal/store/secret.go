package store

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/vault"
)

var secrets = newTable("secrets", 2,
	id("user_id", func(s *vault.StoredSecret) *uuid.UUID { return &s.User }),
	id("id", func(s *vault.StoredSecret) *uuid.UUID { return &s.ID }),
	text("name", func(s *vault.StoredSecret) *string { return &s.Name }),
	text("provider", func(s *vault.StoredSecret) *string { return &s.Provider }),
	number("version", func(s *vault.StoredSecret) *uint64 { return &s.Version }),
	stamp("stamp", func(s *vault.StoredSecret) *seal.Stamp { return &s.Stamp }),
	blob("sealed_mask", func(s *vault.StoredSecret) *[]byte { return &s.SealedMask }),
	blob("sealed_value", func(s *vault.StoredSecret) *[]byte { return &s.SealedValue }),
	moment("created_at", func(s *vault.StoredSecret) *time.Time { return &s.CreatedAt }),
	moment("updated_at", func(s *vault.StoredSecret) *time.Time { return &s.UpdatedAt }),
	moment("expires_at", func(s *vault.StoredSecret) *time.Time { return &s.ExpiresAt }),
	elapsed("remind_before", func(s *vault.StoredSecret) *time.Duration {
		return &s.RemindBefore
	}))

var secretsWithoutValue = secrets.without("sealed_value")

// Secret implements [vault.Reader].
func (q *Queries) Secret(ctx context.Context, user, id uuid.UUID) (vault.StoredSecret, error) {
	return secretsWithoutValue.get(ctx, q.conn, "WHERE id = $1 AND user_id = $2",
		idText(id), idText(user))
}

// Secrets implements [vault.Reader].
func (q *Queries) Secrets(ctx context.Context, user uuid.UUID) ([]vault.StoredSecret, error) {
	return secretsWithoutValue.list(ctx, q.conn, "WHERE user_id = $1 ORDER BY name", idText(user))
}

// SecretsOf implements [vault.Reader].
func (q *Queries) SecretsOf(
	ctx context.Context, user uuid.UUID, ids []uuid.UUID,
) ([]vault.StoredSecret, error) {
	return q.secretsOf(ctx, secretsWithoutValue, user, ids)
}

// SealedSecretsOf implements [vault.Reader].
func (q *Queries) SealedSecretsOf(
	ctx context.Context, user uuid.UUID, ids []uuid.UUID,
) ([]vault.StoredSecret, error) {
	return q.secretsOf(ctx, secrets, user, ids)
}

// secretsOf looks each secret up by itself: for IN, SQLite would fill and sort a table of its own.
func (q *Queries) secretsOf(
	ctx context.Context, t *table[vault.StoredSecret], user uuid.UUID, ids []uuid.UUID,
) (found []vault.StoredSecret, err error) {
	for i, id := range ids {
		if slices.Contains(ids[:i], id) {
			continue
		}
		s, err := t.get(ctx, q.conn, "WHERE id = $1 AND user_id = $2", idText(id), idText(user))
		if err == nil {
			found = append(found, s)
		} else if !errors.Is(err, vault.ErrNotFound) {
			return nil, err
		}
	}
	slices.SortFunc(found, func(a, b vault.StoredSecret) int { return cmp.Compare(a.Name, b.Name) })
	return found, nil
}

// SealedSecrets implements [vault.Reader].
func (q *Queries) SealedSecrets(ctx context.Context, user uuid.UUID) ([]vault.StoredSecret, error) {
	return secrets.list(ctx, q.conn, "WHERE user_id = $1 ORDER BY id", idText(user))
}

// SealedValue implements [vault.Reader].
func (q *Queries) SealedValue(
	ctx context.Context, user, id uuid.UUID,
) (sealed []byte, err error) {
	const sql = "SELECT sealed_value FROM secrets WHERE id = $1 AND user_id = $2"
	err = queryRow(ctx, q.conn, sql, func(r Row) error {
		sealed = r.Bytes(0)
		return nil
	}, idText(id), idText(user))
	return sealed, err
}

// InsertSecret implements [vault.Tx].
func (q *Queries) InsertSecret(ctx context.Context, s vault.StoredSecret) error {
	return secrets.insert(ctx, q.conn, &s)
}

// UpdateSecret implements [vault.Tx].
func (q *Queries) UpdateSecret(ctx context.Context, s vault.StoredSecret) error {
	return q.eraseOne(ctx, EraseSoon, `UPDATE secrets
		SET version = $1, stamp = $2, sealed_mask = $3, sealed_value = $4, updated_at = $5
		WHERE id = $6 AND user_id = $7`,
		integer(s.Version), s.Stamp[:], s.SealedMask, s.SealedValue, micros(s.UpdatedAt),
		idText(s.ID), idText(s.User))
}

// RenameSecret implements [vault.Tx].
func (q *Queries) RenameSecret(ctx context.Context, s vault.StoredSecret) error {
	return q.eraseOne(ctx, EraseSoon, `UPDATE secrets SET name = $1, sealed_mask = $2
		WHERE id = $3 AND user_id = $4`,
		s.Name, s.SealedMask, idText(s.ID), idText(s.User))
}

// SetDeadline implements [vault.Tx]. The row may move, so what it leaves behind is erased.
func (q *Queries) SetDeadline(ctx context.Context, s vault.StoredSecret) error {
	return q.eraseOne(ctx, EraseSoon, `UPDATE secrets SET expires_at = $1, remind_before = $2
		WHERE id = $3 AND user_id = $4`,
		micros(s.ExpiresAt), s.RemindBefore.Microseconds(), idText(s.ID), idText(s.User))
}

// ResealSecret implements [vault.Tx].
func (q *Queries) ResealSecret(ctx context.Context, s vault.StoredSecret) error {
	return q.eraseOne(ctx, EraseSoon, `UPDATE secrets SET sealed_mask = $1, sealed_value = $2
		WHERE id = $3 AND user_id = $4 AND version = $5`,
		s.SealedMask, s.SealedValue, idText(s.ID), idText(s.User), integer(s.Version))
}

// DeleteSecret implements [vault.Tx].
func (q *Queries) DeleteSecret(ctx context.Context, user, id uuid.UUID) error {
	err := q.erase(ctx, EraseNow, `DELETE FROM secret_versions
		WHERE secret_id = $1 AND user_id = $2`, idText(id), idText(user))
	if err != nil {
		return err
	}
	for _, table := range []string{
		"secret_uses", "secret_health", "webhook_events", "secret_notices",
	} {
		err = q.exec(ctx, "DELETE FROM "+table+" WHERE user_id = $1 AND secret_id = $2",
			idText(user), idText(id))
		if err != nil {
			return err
		}
	}
	return q.eraseOne(ctx, EraseNow, "DELETE FROM secrets WHERE id = $1 AND user_id = $2",
		idText(id), idText(user))
}

// DeleteSecrets implements [vault.Tx].
func (q *Queries) DeleteSecrets(ctx context.Context, user uuid.UUID) error {
	err := q.erase(ctx, EraseNow, "DELETE FROM secret_versions WHERE user_id = $1", idText(user))
	if err != nil {
		return err
	}
	for _, table := range []string{"secret_health", "webhook_events", "secret_notices"} {
		err = q.exec(ctx, "DELETE FROM "+table+" WHERE user_id = $1", idText(user))
		if err != nil {
			return err
		}
	}
	return q.erase(ctx, EraseNow, "DELETE FROM secrets WHERE user_id = $1", idText(user))
}
