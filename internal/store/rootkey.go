package store

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

const rootKeyColumns = "id, url, params, state, check_value, created_at, replaced_at, retired_at"

func scanRootKey(k *vault.StoredRootKey) []any {
	return []any{
		&k.ID,
		&k.URL,
		&k.Params,
		&k.State,
		&k.Check,
		moment{&k.CreatedAt},
		moment{&k.ReplacedAt},
		moment{&k.RetiredAt},
	}
}

func (s *Queries) RootKeys(ctx context.Context) (found []vault.StoredRootKey, err error) {
	err = s.each(
		ctx,
		"SELECT "+rootKeyColumns+", (SELECT COUNT(*) FROM owner_keys WHERE root_key_id = root_keys.id) FROM root_keys ORDER BY created_at, id",
		func(row scanner) error {
			var k vault.StoredRootKey
			err := row.Scan(append(scanRootKey(&k), &k.OwnerKeys)...)
			found = append(found, k)
			return err
		},
	)
	return found, err
}

func (s *Queries) PrimaryRootKey(ctx context.Context) (found vault.StoredRootKey, err error) {
	err = s.row(
		ctx,
		"SELECT "+rootKeyColumns+" FROM root_keys WHERE state = 'primary'",
		nil,
		scanRootKey(&found),
	)
	return found, err
}

func (s *Queries) SetRootKeyURL(ctx context.Context, id uuid.UUID, url string) error {
	return s.one(ctx, "UPDATE root_keys SET url = $1 WHERE id = $2", url, idText(id))
}

func (s *Queries) InsertRootKey(ctx context.Context, k vault.StoredRootKey) error {
	return s.run(
		ctx,
		"INSERT INTO root_keys ("+rootKeyColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
		idText(
			k.ID,
		),
		k.URL,
		k.Params,
		string(k.State),
		k.Check,
		micros(k.CreatedAt),
		micros(k.ReplacedAt),
		micros(k.RetiredAt),
	)
}

func (s *Queries) SetRootKeyState(
	ctx context.Context,
	id uuid.UUID,
	state vault.RootKeyState,
	at time.Time,
) error {
	switch state {
	case vault.Primary:
		return s.one(
			ctx,
			"UPDATE root_keys SET state = 'primary', replaced_at = NULL, retired_at = NULL WHERE id = $1",
			idText(id),
		)
	case vault.Replaced:
		return s.one(
			ctx,
			"UPDATE root_keys SET state = 'replaced', replaced_at = $1 WHERE id = $2",
			micros(at),
			idText(id),
		)
	case vault.Retired:
	}
	return s.one(
		ctx,
		"UPDATE root_keys SET state = 'retired', retired_at = $1 WHERE id = $2",
		micros(at),
		idText(id),
	)
}

const ownerKeyColumns = "id, user_id, root_key_id, wrapped, created_at"

func scanOwnerKey(k *vault.StoredOwnerKey) []any {
	return []any{&k.ID, &k.User, &k.RootKey, &k.Wrapped, moment{&k.CreatedAt}}
}

func (s *Queries) OwnerKey(
	ctx context.Context,
	user, id uuid.UUID,
) (found vault.StoredOwnerKey, err error) {
	err = s.row(ctx, "SELECT "+ownerKeyColumns+" FROM owner_keys WHERE id = $1 AND user_id = $2",
		[]any{idText(id), idText(user)}, scanOwnerKey(&found))
	return found, err
}

func (s *Queries) OwnerKeysWrappedBy(
	ctx context.Context,
	rootKey, after uuid.UUID,
	limit int,
) (found []vault.StoredOwnerKey, err error) {
	err = s.each(
		ctx,
		"SELECT "+ownerKeyColumns+" FROM owner_keys WHERE root_key_id = $1 AND id > $2 ORDER BY id LIMIT $3",
		func(row scanner) error {
			var k vault.StoredOwnerKey
			err := row.Scan(scanOwnerKey(&k)...)
			found = append(found, k)
			return err
		},
		idText(rootKey),
		idText(after),
		limit,
	)
	return found, err
}

func (s *Queries) OwnerKeysBefore(
	ctx context.Context,
	before time.Time,
	after uuid.UUID,
	limit int,
) (found []vault.StoredOwnerKey, err error) {
	err = s.each(
		ctx,
		"SELECT "+ownerKeyColumns+" FROM owner_keys WHERE created_at < $1 AND id > $2 ORDER BY id LIMIT $3",
		func(row scanner) error {
			var k vault.StoredOwnerKey
			err := row.Scan(scanOwnerKey(&k)...)
			found = append(found, k)
			return err
		},
		micros(before),
		idText(after),
		limit,
	)
	return found, err
}

func (s *Queries) CountOwnerKeysBefore(ctx context.Context, before time.Time) (n int, err error) {
	err = s.row(
		ctx,
		"SELECT COUNT(*) FROM owner_keys WHERE created_at < $1",
		[]any{micros(before)},
		[]any{&n},
	)
	return n, err
}

func (s *Queries) InsertOwnerKey(ctx context.Context, k vault.StoredOwnerKey) error {
	return s.run(ctx, "INSERT INTO owner_keys ("+ownerKeyColumns+") VALUES ($1, $2, $3, $4, $5)",
		idText(k.ID), idText(k.User), idText(k.RootKey), k.Wrapped, micros(k.CreatedAt))
}

func (s *Queries) RewrapOwnerKey(ctx context.Context, k vault.StoredOwnerKey, was uuid.UUID) error {
	return s.run(
		ctx,
		"UPDATE owner_keys SET root_key_id = $1, wrapped = $2 WHERE id = $3 AND user_id = $4 AND root_key_id = $5",
		idText(k.RootKey),
		k.Wrapped,
		idText(k.ID),
		idText(k.User),
		idText(was),
	)
}

func (s *Queries) DeleteOwnerKeys(ctx context.Context, user uuid.UUID) error {
	return s.destroy(ctx, "DELETE FROM owner_keys WHERE user_id = $1", idText(user))
}

func (s *Queries) DeleteOtherOwnerKeys(ctx context.Context, user, keep uuid.UUID) error {
	return s.run(
		ctx,
		"DELETE FROM owner_keys WHERE user_id = $1 AND id <> $2",
		idText(user),
		idText(keep),
	)
}
