package store

import (
	"context"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

func (s *session) RootKey(ctx context.Context) (found vault.StoredRootKey, err error) {
	err = s.row(ctx, "SELECT id, check_value, created_at FROM root_keys", nil, []any{&found.ID, &found.Check, moment{&found.CreatedAt}})
	return found, err
}

func (s *session) InsertRootKey(ctx context.Context, k vault.StoredRootKey) error {
	return s.run(ctx, "INSERT INTO root_keys (id, check_value, created_at) VALUES ($1, $2, $3)",
		idText(k.ID), k.Check, micros(k.CreatedAt))
}

func (s *session) OwnerKey(ctx context.Context, user, id uuid.UUID) (found vault.StoredOwnerKey, err error) {
	err = s.row(ctx, "SELECT id, user_id, root_key_id, wrapped, created_at FROM owner_keys WHERE id = $1 AND user_id = $2",
		[]any{idText(id), idText(user)}, []any{&found.ID, &found.User, &found.RootKey, &found.Wrapped, moment{&found.CreatedAt}})
	return found, err
}

func (s *session) InsertOwnerKey(ctx context.Context, k vault.StoredOwnerKey) error {
	return s.run(ctx, "INSERT INTO owner_keys (id, user_id, root_key_id, wrapped, created_at) VALUES ($1, $2, $3, $4, $5)",
		idText(k.ID), idText(k.User), idText(k.RootKey), k.Wrapped, micros(k.CreatedAt))
}

func (s *session) DeleteOwnerKeys(ctx context.Context, user uuid.UUID) error {
	return s.run(ctx, "DELETE FROM owner_keys WHERE user_id = $1", idText(user))
}
