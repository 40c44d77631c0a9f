package store

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

// selectUser reads a user as of the time $1: an admin is who owns a live API key with that scope.
const selectUser = `SELECT id, username, email_address, full_name, secret_count, owner_key_id, created_at, EXISTS (
		SELECT 1 FROM api_keys WHERE user_id = users.id AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $1)
		AND ' ' || scopes || ' ' LIKE '% admin %')
	FROM users WHERE deleted_at IS NULL`

func scanUser(u *vault.User) []any {
	return []any{
		&u.ID,
		&u.Username,
		&u.Email,
		&u.FullName,
		&u.Secrets,
		&u.OwnerKey,
		moment{&u.CreatedAt},
		&u.Admin,
	}
}

func (s *Queries) User(
	ctx context.Context,
	id uuid.UUID,
	now time.Time,
) (found vault.User, err error) {
	err = s.row(ctx, selectUser+" AND id = $2", []any{micros(now), idText(id)}, scanUser(&found))
	return found, err
}

func (s *Queries) Users(ctx context.Context, now time.Time) (found []vault.User, err error) {
	err = s.each(ctx, selectUser+" ORDER BY username", func(row scanner) error {
		var user vault.User
		err := row.Scan(scanUser(&user)...)
		found = append(found, user)
		return err
	}, micros(now))
	return found, err
}

func (s *Queries) UserNamed(ctx context.Context, username string) (id uuid.UUID, err error) {
	err = s.row(
		ctx,
		"SELECT id FROM users WHERE username = $1 AND deleted_at IS NULL",
		[]any{username},
		[]any{&id},
	)
	return id, err
}

func (s *Queries) InsertUser(ctx context.Context, u vault.User) error {
	var none vault.Ledger
	return s.run(
		ctx,
		`INSERT INTO users (id, username, email_address, full_name, owner_key_id, secret_count, audit_seq, audit_hash, created_at)
		VALUES ($1, $2, $3, $4, $5, 0, 0, $6, $7)`,
		idText(
			u.ID,
		),
		u.Username,
		u.Email,
		u.FullName,
		idText(u.OwnerKey),
		none.Head.Hash[:],
		micros(u.CreatedAt),
	)
}

func (s *Queries) DeleteUser(ctx context.Context, user uuid.UUID, at time.Time) error {
	return s.one(
		ctx,
		"UPDATE users SET username = '', email_address = '', full_name = '', deleted_at = $1 WHERE id = $2 AND deleted_at IS NULL",
		micros(at),
		idText(user),
	)
}
