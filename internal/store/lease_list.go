package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

// Leases implements [vault.Reader].
func (q *Queries) Leases(
	ctx context.Context, user uuid.UUID, chosen vault.LeaseQuery,
) ([]vault.StoredLease, error) {
	before := chosen.Before
	if before == uuid.Nil {
		before = uuid.Max
	}
	from, err := q.newestLeases(ctx, user, chosen.Newest)
	if err != nil {
		return nil, err
	}
	args := []any{
		idText(user), integer(chosen.Limit), max(from, idText(chosen.From)), idText(before),
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

// newestLeases returns the id with which the newest n leases of a user begin; empty for all.
func (q *Queries) newestLeases(ctx context.Context, user uuid.UUID, n int) (id string, err error) {
	if n == 0 {
		return "", nil
	}
	const nth = "SELECT id FROM leases WHERE user_id = $1 ORDER BY id DESC LIMIT 1 OFFSET $2"
	err = q.conn.Query(ctx, nth, func(r Row) error {
		id = r.Text(0)
		return nil
	}, idText(user), integer(n-1))
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
	id("lease_id", func(u *vault.SecretUse) *uuid.UUID { return &u.Lease }))

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
	return secretUses.insertAll(ctx, q.conn, rows, `ON CONFLICT (user_id, secret_id) DO UPDATE
		SET uses = secret_uses.uses + 1, at = excluded.at, lease_id = excluded.lease_id`)
}
