package store

import (
	"context"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

const versionColumns = "secret_id, version, user_id, sealed_mask, created_at"

func scanVersion(v *vault.StoredVersion) []any {
	return []any{&v.Secret, &v.Number, &v.User, &v.SealedMask, moment{&v.CreatedAt}}
}

func (s *Queries) OldVersions(
	ctx context.Context,
	user, secret uuid.UUID,
) (found []vault.StoredVersion, err error) {
	err = s.each(
		ctx,
		"SELECT "+versionColumns+" FROM secret_versions WHERE user_id = $1 AND secret_id = $2 ORDER BY version DESC",
		func(row scanner) error {
			var v vault.StoredVersion
			err := row.Scan(scanVersion(&v)...)
			found = append(found, v)
			return err
		},
		idText(user),
		idText(secret),
	)
	return found, err
}

func (s *Queries) OldVersion(
	ctx context.Context,
	user, secret uuid.UUID,
	number uint64,
) (found vault.StoredVersion, err error) {
	err = s.row(
		ctx,
		"SELECT "+versionColumns+", sealed_value FROM secret_versions WHERE secret_id = $1 AND version = $2 AND user_id = $3",
		[]any{
			idText(secret),
			number,
			idText(user),
		},
		append(scanVersion(&found), &found.SealedValue),
	)
	return found, err
}

func (s *Queries) SealedSecrets(
	ctx context.Context,
	user uuid.UUID,
) (found []vault.StoredSecret, err error) {
	err = s.each(
		ctx,
		"SELECT "+secretColumns+", sealed_value FROM secrets WHERE user_id = $1 ORDER BY id",
		func(row scanner) error {
			var secret vault.StoredSecret
			err := row.Scan(append(scanSecret(&secret), &secret.SealedValue)...)
			found = append(found, secret)
			return err
		},
		idText(user),
	)
	return found, err
}

func (s *Queries) SealedVersions(
	ctx context.Context,
	user uuid.UUID,
) (found []vault.StoredVersion, err error) {
	err = s.each(
		ctx,
		"SELECT "+versionColumns+", sealed_value FROM secret_versions WHERE user_id = $1 ORDER BY secret_id, version",
		func(row scanner) error {
			var v vault.StoredVersion
			err := row.Scan(append(scanVersion(&v), &v.SealedValue)...)
			found = append(found, v)
			return err
		},
		idText(user),
	)
	return found, err
}

func (s *Queries) ArchiveVersion(ctx context.Context, user, secret uuid.UUID) error {
	return s.one(
		ctx,
		`INSERT INTO secret_versions (secret_id, version, user_id, sealed_mask, sealed_value, created_at)
		SELECT id, version, user_id, sealed_mask, sealed_value, updated_at FROM secrets WHERE id = $1 AND user_id = $2`,
		idText(secret),
		idText(user),
	)
}

func (s *Queries) PruneVersions(ctx context.Context, user, secret uuid.UUID, upTo uint64) error {
	return s.run(
		ctx,
		"DELETE FROM secret_versions WHERE secret_id = $1 AND user_id = $2 AND version <= $3",
		idText(secret),
		idText(user),
		upTo,
	)
}

func (s *Queries) ResealSecret(ctx context.Context, n vault.StoredSecret) error {
	return s.one(
		ctx,
		"UPDATE secrets SET sealed_mask = $1, sealed_value = $2 WHERE id = $3 AND user_id = $4 AND version = $5",
		n.SealedMask,
		n.SealedValue,
		idText(n.ID),
		idText(n.User),
		n.Version,
	)
}

func (s *Queries) ResealVersion(ctx context.Context, v vault.StoredVersion) error {
	return s.one(
		ctx,
		"UPDATE secret_versions SET sealed_mask = $1, sealed_value = $2 WHERE secret_id = $3 AND user_id = $4 AND version = $5",
		v.SealedMask,
		v.SealedValue,
		idText(v.Secret),
		idText(v.User),
		v.Number,
	)
}
