package store

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

var users = newTable("users", 1, slices.Concat(
	ledgerColumns(func(u *vault.StoredUser) *vault.StoredLedger { return &u.StoredLedger }),
	[]column[vault.StoredUser]{
		text("username", func(u *vault.StoredUser) *string { return &u.Username }),
		text("email_address", func(u *vault.StoredUser) *string { return &u.Email }),
		text("full_name", func(u *vault.StoredUser) *string { return &u.FullName }),
		moment("created_at", func(u *vault.StoredUser) *time.Time { return &u.CreatedAt }),
		moment("delete_at", func(u *vault.StoredUser) *time.Time { return &u.DeleteAt }),
		moment("repaired_at", func(u *vault.StoredUser) *time.Time { return &u.RepairedAt }),
		elapsed("probe_every", func(u *vault.StoredUser) *time.Duration { return &u.ProbeEvery }),
		elapsed("unused_after", func(u *vault.StoredUser) *time.Duration { return &u.UnusedAfter }),
		moment("probe_due_at", func(u *vault.StoredUser) *time.Time { return &u.ProbeDueAt }),
		moment("notice_due_at", func(u *vault.StoredUser) *time.Time { return &u.NoticeDueAt }),
		moment("deleted_at", func(u *vault.StoredUser) *time.Time { return &u.DeletedAt }),
	})...)

// User implements [vault.Reader].
func (q *Queries) User(ctx context.Context, id uuid.UUID) (vault.StoredUser, error) {
	return users.get(ctx, q.conn, "WHERE id = $1", idText(id))
}

// Users implements [vault.Reader].
func (q *Queries) Users(ctx context.Context) ([]vault.StoredUser, error) {
	return users.list(ctx, q.conn, "ORDER BY username")
}

// afterNames is after whatever may follow the beginning of a name.
const afterNames = "\U0010ffff"

// UsersByName implements [vault.Reader]. Where it begins is one bound, so that the index leads
// there.
func (q *Queries) UsersByName(
	ctx context.Context, prefix, after string, limit int,
) ([]vault.StoredUser, error) {
	return users.list(ctx, q.conn, `WHERE deleted_at IS NULL AND username >= $1
		AND username < $2 AND username <> $3 ORDER BY username LIMIT $4`,
		max(prefix, after), prefix+afterNames, after, integer(limit))
}

// UserNamed implements [vault.Reader].
func (q *Queries) UserNamed(ctx context.Context, username string) (vault.StoredUser, error) {
	return users.get(ctx, q.conn, "WHERE username = $1 AND deleted_at IS NULL", username)
}

// UsersDue implements [vault.Reader].
func (q *Queries) UsersDue(ctx context.Context, at time.Time) ([]uuid.UUID, error) {
	return q.usersBy(ctx, math.MaxInt,
		"SELECT id FROM users WHERE delete_at <= $1 ORDER BY delete_at", micros(at))
}

// InsertUser implements [vault.Tx].
func (q *Queries) InsertUser(ctx context.Context, u vault.StoredUser) error {
	return users.insert(ctx, q.conn, &u)
}

// PutUser implements [vault.Tx].
func (q *Queries) PutUser(ctx context.Context, u vault.StoredUser) error {
	q.conn.Changed(u.Owner)
	return users.execFor(ctx, q.conn, users.insertSQL+` ON CONFLICT (id) DO UPDATE SET
		number = excluded.number, ledger = excluded.ledger, username = excluded.username,
		email_address = excluded.email_address, full_name = excluded.full_name,
		created_at = excluded.created_at, delete_at = excluded.delete_at,
		repaired_at = excluded.repaired_at, probe_every = excluded.probe_every,
		unused_after = excluded.unused_after, probe_due_at = excluded.probe_due_at,
		notice_due_at = excluded.notice_due_at, deleted_at = excluded.deleted_at`, &u)
}

// SetUserTimes implements [vault.Tx].
func (q *Queries) SetUserTimes(ctx context.Context, u vault.StoredUser) error {
	return q.execOne(ctx, "UPDATE users SET delete_at = $1, repaired_at = $2 WHERE id = $3",
		micros(u.DeleteAt), micros(u.RepairedAt), idText(u.Owner))
}

// SetWatch implements [vault.Tx].
func (q *Queries) SetWatch(ctx context.Context, u vault.StoredUser) error {
	return q.execOne(ctx, `UPDATE users SET probe_every = $1, unused_after = $2, probe_due_at = $3,
		notice_due_at = $4 WHERE id = $5`, u.ProbeEvery.Microseconds(),
		u.UnusedAfter.Microseconds(), micros(u.ProbeDueAt), micros(u.NoticeDueAt), idText(u.Owner))
}

// SetProbeDue implements [vault.Tx].
func (q *Queries) SetProbeDue(ctx context.Context, user uuid.UUID, at time.Time) error {
	return q.exec(ctx, `UPDATE users SET probe_due_at = CASE WHEN probe_every > 0
		THEN CAST($1 AS BIGINT) END WHERE id = $2`, micros(at), idText(user))
}

// HastenProbe implements [vault.Tx].
func (q *Queries) HastenProbe(ctx context.Context, user uuid.UUID, at time.Time) error {
	return q.exec(ctx, "UPDATE users SET probe_due_at = $1 WHERE id = $2 AND probe_due_at > $1",
		micros(at), idText(user))
}

// UsersToProbe implements [vault.Reader].
func (q *Queries) UsersToProbe(
	ctx context.Context, due vault.Due, limit int,
) ([]uuid.UUID, error) {
	return q.usersBy(ctx, limit, `SELECT id FROM users
		WHERE probe_due_at <= $1 OR probe_due_at > $2 ORDER BY probe_due_at LIMIT $3`,
		micros(due.By), micros(due.Beyond), int64(limit+spareRows))
}

// SetNoticeDue implements [vault.Tx].
func (q *Queries) SetNoticeDue(ctx context.Context, user uuid.UUID, at time.Time) error {
	return q.exec(ctx, `UPDATE users SET notice_due_at = CASE WHEN deleted_at IS NULL
		THEN CAST($1 AS BIGINT) END WHERE id = $2`, micros(at), idText(user))
}

// NoticeBy implements [vault.Tx].
func (q *Queries) NoticeBy(ctx context.Context, user uuid.UUID, at time.Time) error {
	return q.exec(ctx, `UPDATE users SET notice_due_at = $1 WHERE id = $2 AND deleted_at IS NULL
		AND (notice_due_at IS NULL OR notice_due_at > $1)`, micros(at), idText(user))
}

// UsersToNotice implements [vault.Reader].
func (q *Queries) UsersToNotice(
	ctx context.Context, due vault.Due, limit int,
) ([]uuid.UUID, error) {
	return q.usersBy(ctx, limit, `SELECT id FROM users
		WHERE notice_due_at <= $1 OR notice_due_at > $2 ORDER BY notice_due_at LIMIT $3`,
		micros(due.By), micros(due.Beyond), int64(limit+spareRows))
}

// usersBy returns the first ids that a query selects, and leaves out what is no user's.
func (q *Queries) usersBy(
	ctx context.Context, limit int, sql string, args ...any,
) (found []uuid.UUID, err error) {
	err = q.conn.Query(ctx, sql, func(r Row) error {
		if user, err := parseID(r.Text(0)); err == nil {
			found = append(found, user)
		}
		return nil
	}, args...)
	return found[:min(len(found), limit)], err
}

// DeleteUser implements [vault.Tx].
func (q *Queries) DeleteUser(ctx context.Context, user uuid.UUID, at time.Time) error {
	return q.execOne(ctx, `UPDATE users
		SET username = '', email_address = '', full_name = '', delete_at = NULL,
			repaired_at = NULL, probe_every = 0, unused_after = 0, probe_due_at = NULL,
			notice_due_at = NULL, deleted_at = $1
		WHERE id = $2 AND deleted_at IS NULL`, micros(at), idText(user))
}
