package store

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/vault"
)

// A StoredUser is a row of users: a user, of whom a deleted one keeps only id and audit chain, with
// the ledger of the user's library.
type StoredUser struct {
	vault.Ledger

	Username  string
	Email     string
	FullName  string
	CreatedAt time.Time
	DeletedAt time.Time // zero for one that is not
	admin     bool      // computed
}

var users = newTable("users", 1,
	id("id", func(u *StoredUser) *uuid.UUID { return &u.Owner }),
	text("username", func(u *StoredUser) *string { return &u.Username }),
	text("email_address", func(u *StoredUser) *string { return &u.Email }),
	text("full_name", func(u *StoredUser) *string { return &u.FullName }),
	id("owner_key_id", func(u *StoredUser) *uuid.UUID { return &u.OwnerKey }),
	number("secret_count", func(u *StoredUser) *int { return &u.Secrets }),
	number("audit_seq", func(u *StoredUser) *uint64 { return &u.Head.Seq }),
	hash("audit_hash", func(u *StoredUser) *audit.Hash { return &u.Head.Hash }),
	moment("created_at", func(u *StoredUser) *time.Time { return &u.CreatedAt }),
	moment("deleted_at", func(u *StoredUser) *time.Time { return &u.DeletedAt }))

// usersAndAdmins tells who is an admin at the time $1: the owner of an active API key with that
// scope.
var usersAndAdmins = users.with(flag(`EXISTS (SELECT 1 FROM api_keys WHERE user_id = users.id
	AND ' ' || scopes || ' ' LIKE '% admin %' AND `+active+`)`,
	func(u *StoredUser) *bool { return &u.admin }))

func (u StoredUser) user() vault.User {
	return vault.User{
		ID:        u.Owner,
		Username:  u.Username,
		Email:     u.Email,
		FullName:  u.FullName,
		Admin:     u.admin,
		Secrets:   u.Secrets,
		OwnerKey:  u.OwnerKey,
		CreatedAt: u.CreatedAt,
	}
}

// User implements [vault.Reader].
func (q *Queries) User(ctx context.Context, id uuid.UUID, now time.Time) (vault.User, error) {
	found, err := usersAndAdmins.get(ctx, q.conn, "WHERE deleted_at IS NULL AND id = $2",
		micros(now), idText(id))
	return found.user(), err
}

// Users implements [vault.Reader].
func (q *Queries) Users(ctx context.Context, now time.Time) (found []vault.User, err error) {
	err = usersAndAdmins.each(ctx, q.conn, func(u StoredUser) error {
		found = append(found, u.user())
		return nil
	}, "WHERE deleted_at IS NULL ORDER BY username", micros(now))
	return found, err
}

// UserNamed implements [vault.Reader].
func (q *Queries) UserNamed(ctx context.Context, username string) (uuid.UUID, error) {
	found, err := users.get(ctx, q.conn, "WHERE username = $1 AND deleted_at IS NULL", username)
	return found.Owner, err
}

// Heads implements [vault.Reader].
func (q *Queries) Heads(ctx context.Context, each func(audit.Leaf) error) error {
	return users.each(ctx, q.conn, func(u StoredUser) error {
		return each(audit.Leaf{Owner: u.Owner, Head: u.Head})
	}, "ORDER BY id")
}

// InsertUser implements [vault.Tx].
func (q *Queries) InsertUser(ctx context.Context, u vault.User) error {
	return users.insert(ctx, q.conn, &StoredUser{
		Ledger:    vault.Ledger{Owner: u.ID, OwnerKey: u.OwnerKey},
		Username:  u.Username,
		Email:     u.Email,
		FullName:  u.FullName,
		CreatedAt: u.CreatedAt,
	})
}

// DeleteUser implements [vault.Tx].
func (q *Queries) DeleteUser(ctx context.Context, user uuid.UUID, at time.Time) error {
	return q.execOne(ctx, `UPDATE users
		SET username = '', email_address = '', full_name = '', deleted_at = $1
		WHERE id = $2 AND deleted_at IS NULL`, micros(at), idText(user))
}
