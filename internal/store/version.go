package store

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/vault"
)

var versions = newTable("secret_versions", 3,
	id("user_id", func(v *vault.StoredVersion) *uuid.UUID { return &v.User }),
	id("secret_id", func(v *vault.StoredVersion) *uuid.UUID { return &v.Secret }),
	number("version", func(v *vault.StoredVersion) *uint64 { return &v.Number }),
	text("name", func(v *vault.StoredVersion) *string { return &v.Name }),
	stamp("stamp", func(v *vault.StoredVersion) *seal.Stamp { return &v.Stamp }),
	blob("sealed_mask", func(v *vault.StoredVersion) *[]byte { return &v.SealedMask }),
	blob("sealed_value", func(v *vault.StoredVersion) *[]byte { return &v.SealedValue }),
	moment("created_at", func(v *vault.StoredVersion) *time.Time { return &v.CreatedAt }))

var versionsWithoutValue = versions.without("sealed_value")

// OldVersions implements [vault.Reader].
func (q *Queries) OldVersions(ctx context.Context, user uuid.UUID) ([]vault.StoredVersion, error) {
	return versionsWithoutValue.list(ctx, q.conn,
		"WHERE user_id = $1 ORDER BY secret_id, version DESC", idText(user))
}

// OldVersion implements [vault.Reader].
func (q *Queries) OldVersion(
	ctx context.Context, user, secret uuid.UUID, number uint64,
) (vault.StoredVersion, error) {
	return versions.get(ctx, q.conn, "WHERE secret_id = $1 AND version = $2 AND user_id = $3",
		idText(secret), integer(number), idText(user))
}

// SealedVersions implements [vault.Reader].
func (q *Queries) SealedVersions(
	ctx context.Context, user uuid.UUID,
) ([]vault.StoredVersion, error) {
	return versions.list(ctx, q.conn,
		"WHERE user_id = $1 ORDER BY secret_id, version", idText(user))
}

// ArchiveVersion implements [vault.Tx].
func (q *Queries) ArchiveVersion(ctx context.Context, user, secret uuid.UUID) error {
	return q.execOne(ctx, `INSERT INTO secret_versions
			(secret_id, version, user_id, name, stamp, sealed_mask, sealed_value, created_at)
		SELECT id, version, user_id, name, stamp, sealed_mask, sealed_value, updated_at
		FROM secrets
		WHERE id = $1 AND user_id = $2`, idText(secret), idText(user))
}

// InsertVersion implements [vault.Tx].
func (q *Queries) InsertVersion(ctx context.Context, v vault.StoredVersion) error {
	return versions.insert(ctx, q.conn, &v)
}

// PruneVersions implements [vault.Tx].
func (q *Queries) PruneVersions(ctx context.Context, user, secret uuid.UUID, upTo uint64) error {
	return q.erase(ctx, EraseSoon, `DELETE FROM secret_versions
		WHERE secret_id = $1 AND user_id = $2 AND version <= $3`,
		idText(secret), idText(user), integer(upTo))
}

// ResealVersion implements [vault.Tx].
func (q *Queries) ResealVersion(ctx context.Context, v vault.StoredVersion) error {
	return q.eraseOne(ctx, EraseSoon, `UPDATE secret_versions
		SET sealed_mask = $1, sealed_value = $2
		WHERE secret_id = $3 AND user_id = $4 AND version = $5`,
		v.SealedMask, v.SealedValue, idText(v.Secret), idText(v.User), integer(v.Number))
}
