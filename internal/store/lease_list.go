package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/vault"
)

// Leases implements [vault.Reader].
func (q *Queries) Leases(
	ctx context.Context, user uuid.UUID, chosen vault.LeaseQuery,
) ([]vault.StoredLease, error) {
	args := []any{
		idText(user), integer(chosen.Limit), idText(chosen.From), beforeText(chosen.Before),
	}
	where := []string{"user_id = $1 AND id >= $3 AND id < $4"}
	add := func(condition string, arg any) {
		args = append(args, arg)
		where = append(where, fmt.Sprintf(condition, len(args)))
	}
	if chosen.Secret != uuid.Nil {
		add("secrets LIKE $%d", "%"+idText(chosen.Secret)+"%")
	}
	if chosen.Run != "" {
		add("run_id = $%d AND run_id <> ''", chosen.Run)
	}
	if chosen.By != uuid.Nil {
		add("acting_user_id = $%d", idText(chosen.By))
	}
	if chosen.Live {
		add("revoked_at IS NULL AND expires_at > $%d", chosen.Now.UnixMicro())
	}
	if condition, timed := stateCondition(chosen.State); timed {
		add(condition, chosen.Now.UnixMicro())
	} else if condition != "" {
		where = append(where, condition)
	}
	return leases.list(ctx, q.conn,
		"WHERE "+strings.Join(where, " AND ")+" ORDER BY id DESC LIMIT $2", args...)
}

// beforeText returns what the ids of what is older than one are below. nil: all are.
func beforeText(id uuid.UUID) string {
	if id == uuid.Nil {
		id = uuid.Max
	}
	return idText(id)
}

// NthLease implements [vault.Reader].
func (q *Queries) NthLease(
	ctx context.Context, user, before uuid.UUID, n int,
) (id uuid.UUID, err error) {
	const nth = `SELECT id FROM leases
		WHERE user_id = $1 AND id < $2 ORDER BY id DESC LIMIT 1 OFFSET $3`
	err = q.conn.Query(ctx, nth, func(r Row) (err error) {
		id, err = parseID(r.Text(0))
		return err
	}, idText(user), beforeText(before), integer(n-1))
	if err == nil && id == uuid.Nil {
		err = vault.ErrNotFound
	}
	return id, err
}

// stateCondition returns what the row of a lease in a state has, and whether that needs the time.
func stateCondition(state vault.LeaseState) (condition string, timed bool) {
	const ends = "revoked_at IS NULL AND disputed_at IS NULL AND "
	switch state {
	case vault.LeaseRevoked:
		return "revoked_at IS NOT NULL", false
	case vault.LeaseDisputed:
		return "revoked_at IS NULL AND disputed_at IS NOT NULL", false
	case vault.LeaseExpired:
		return ends + "expires_at <= $%d", true
	case vault.LeaseRedeemed:
		return ends + "redeemed_at IS NOT NULL AND expires_at > $%d", true
	case vault.LeaseActive:
		return ends + "redeemed_at IS NULL AND expires_at > $%d", true
	}
	return "", false
}

//nolint:gochecknoglobals // it is a table: nothing writes to it
var secretUses = newTable("secret_uses", 2,
	id("user_id", func(u *vault.SecretUse) *uuid.UUID { return &u.User }),
	id("secret_id", func(u *vault.SecretUse) *uuid.UUID { return &u.Secret }),
	number("uses", func(u *vault.SecretUse) *uint64 { return &u.Uses }),
	moment("at", func(u *vault.SecretUse) *time.Time { return &u.At }),
	id("lease_id", func(u *vault.SecretUse) *uuid.UUID { return &u.Lease }),
	stamp("stamp", func(u *vault.SecretUse) *seal.Stamp { return &u.Stamp }),
	moment("worked_at", func(u *vault.SecretUse) *time.Time { return &u.WorkedAt }),
	moment("refused_at", func(u *vault.SecretUse) *time.Time { return &u.RefusedAt }))

// SecretUses implements [vault.Reader].
func (q *Queries) SecretUses(ctx context.Context, user uuid.UUID) ([]vault.SecretUse, error) {
	return secretUses.list(ctx, q.conn, "WHERE user_id = $1 ORDER BY secret_id", idText(user))
}

// SecretUse implements [vault.Reader].
func (q *Queries) SecretUse(
	ctx context.Context, user, secret uuid.UUID,
) (vault.SecretUse, error) {
	return secretUses.get(ctx, q.conn, "WHERE user_id = $1 AND secret_id = $2",
		idText(user), idText(secret))
}

// CountUses implements [vault.Tx].
func (q *Queries) CountUses(ctx context.Context, l vault.StoredLease, at time.Time) error {
	rows := make([]vault.SecretUse, len(l.Secrets))
	for i, s := range l.Secrets {
		rows[i] = vault.SecretUse{User: l.User, Secret: s.ID, Uses: 1, At: at, Lease: l.ID}
	}
	return secretUses.insertAll(ctx, q.conn, rows, ` ON CONFLICT (user_id, secret_id) DO UPDATE
		SET uses = secret_uses.uses + 1, at = excluded.at, lease_id = excluded.lease_id`)
}

// NoteEvidence implements [vault.Tx]. All that is of an older version is forgotten.
func (q *Queries) NoteEvidence(
	ctx context.Context, user, secret uuid.UUID, e vault.KeyEvidence,
) error {
	return q.exec(ctx, `UPDATE secret_uses SET stamp = $1,
		worked_at = CASE WHEN stamp <> $1 OR worked_at IS NULL OR worked_at < $2
			THEN $2 ELSE worked_at END,
		refused_at = CASE WHEN stamp <> $1 OR refused_at IS NULL OR refused_at < $3
			THEN $3 ELSE refused_at END
		WHERE user_id = $4 AND secret_id = $5 AND EXISTS (
			SELECT 1 FROM secrets WHERE secrets.id = $5 AND secrets.user_id = $4
			AND secrets.stamp = $1)`,
		e.Stamp[:], micros(e.WorkedAt), micros(e.RefusedAt), idText(user), idText(secret))
}
