package store

import (
	"context"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

const secretColumns = "id, user_id, name, provider, version, sealed_mask, created_at, updated_at"

func scanSecret(s *vault.StoredSecret) []any {
	return []any{
		&s.ID,
		&s.User,
		&s.Name,
		&s.Provider,
		&s.Version,
		&s.SealedMask,
		moment{&s.CreatedAt},
		moment{&s.UpdatedAt},
	}
}

func (s *Queries) Secret(
	ctx context.Context,
	user, id uuid.UUID,
) (found vault.StoredSecret, err error) {
	err = s.row(ctx, "SELECT "+secretColumns+" FROM secrets WHERE id = $1 AND user_id = $2",
		[]any{idText(id), idText(user)}, scanSecret(&found))
	return found, err
}

func (s *Queries) Secrets(
	ctx context.Context,
	user uuid.UUID,
) (found []vault.StoredSecret, err error) {
	err = s.each(
		ctx,
		"SELECT "+secretColumns+" FROM secrets WHERE user_id = $1 ORDER BY name",
		func(row scanner) error {
			var secret vault.StoredSecret
			err := row.Scan(scanSecret(&secret)...)
			found = append(found, secret)
			return err
		},
		idText(user),
	)
	return found, err
}

func (s *Queries) SealedValue(ctx context.Context, user, id uuid.UUID) (blob []byte, err error) {
	err = s.row(ctx, "SELECT sealed_value FROM secrets WHERE id = $1 AND user_id = $2",
		[]any{idText(id), idText(user)}, []any{&blob})
	return blob, err
}

func (s *Queries) InsertSecret(ctx context.Context, n vault.StoredSecret) error {
	return s.run(
		ctx,
		"INSERT INTO secrets ("+secretColumns+", sealed_value) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
		idText(
			n.ID,
		),
		idText(n.User),
		n.Name,
		n.Provider,
		n.Version,
		n.SealedMask,
		micros(n.CreatedAt),
		micros(n.UpdatedAt),
		n.SealedValue,
	)
}

func (s *Queries) UpdateSecret(ctx context.Context, n vault.StoredSecret) error {
	return s.one(
		ctx,
		"UPDATE secrets SET version = $1, sealed_mask = $2, sealed_value = $3, updated_at = $4 WHERE id = $5 AND user_id = $6",
		n.Version,
		n.SealedMask,
		n.SealedValue,
		micros(n.UpdatedAt),
		idText(n.ID),
		idText(n.User),
	)
}

func (s *Queries) DeleteSecret(ctx context.Context, user, id uuid.UUID) error {
	if err := s.run(
		ctx,
		"DELETE FROM secret_versions WHERE secret_id = $1 AND user_id = $2",
		idText(id),
		idText(user),
	); err != nil {
		return err
	}
	n, err := s.conn.Erase(
		ctx, EraseNow, "DELETE FROM secrets WHERE id = $1 AND user_id = $2", idText(id), idText(user),
	)
	if err == nil && n == 0 {
		return vault.ErrNotFound
	}
	return err
}

func (s *Queries) DeleteSecrets(ctx context.Context, user uuid.UUID) error {
	if err := s.destroy(
		ctx,
		"DELETE FROM secret_versions WHERE user_id = $1",
		idText(user),
	); err != nil {
		return err
	}
	return s.destroy(ctx, "DELETE FROM secrets WHERE user_id = $1", idText(user))
}
