package store

import (
	"context"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

var leases = newTable("leases", 2,
	id("user_id", func(l *vault.StoredLease) *uuid.UUID { return &l.User }),
	id("id", func(l *vault.StoredLease) *uuid.UUID { return &l.ID }),
	id("api_key_id", func(l *vault.StoredLease) *uuid.UUID { return &l.APIKey }),
	text("api_key_name", func(l *vault.StoredLease) *string { return &l.APIKeyName }),
	id("grant_id", func(l *vault.StoredLease) *uuid.UUID { return &l.By.Grant }),
	id("acting_user_id", func(l *vault.StoredLease) *uuid.UUID { return &l.By.User }),
	text("acting_username", func(l *vault.StoredLease) *string { return &l.By.Name }),
	text("delivery", func(l *vault.StoredLease) *vault.Delivery { return &l.Delivery }),
	blob("ticket_hash", func(l *vault.StoredLease) *[]byte { return &l.Ticket }),
	text("run_id", func(l *vault.StoredLease) *string { return &l.Run.ID }),
	text("run_label", func(l *vault.StoredLease) *string { return &l.Run.Label }),
	encoded("limits", func(l *vault.StoredLease) string { return l.Limits.Text() },
		func(l *vault.StoredLease, text string) (err error) {
			l.Limits, err = vault.ParseBrokerLimits(text)
			return err
		}),
	encoded("secrets", joinLeased, splitLeased),
	moment("created_at", func(l *vault.StoredLease) *time.Time { return &l.CreatedAt }),
	moment("expires_at", func(l *vault.StoredLease) *time.Time { return &l.ExpiresAt }),
	moment("redeemed_at", func(l *vault.StoredLease) *time.Time { return &l.RedeemedAt }),
	moment("revoked_at", func(l *vault.StoredLease) *time.Time { return &l.RevokedAt }),
	moment("disputed_at", func(l *vault.StoredLease) *time.Time { return &l.DisputedAt }))

// joinLeased writes a line for each secret: its id, version, the hash of its placeholder or -, and
// its name.
func joinLeased(l *vault.StoredLease) string {
	var b []byte
	for _, s := range l.Secrets {
		b = append(append(b, s.ID.String()...), ' ')
		b = append(strconv.AppendUint(b, s.Version, 10), ' ')
		if len(s.Placeholder) == 0 {
			b = append(b, '-')
		}
		b = append(hex.AppendEncode(b, s.Placeholder), ' ')
		b = append(append(b, s.Name...), '\n')
	}
	return string(b)
}

var errNotLeased = errors.New("the value is not a list of secrets")

func splitLeased(l *vault.StoredLease, text string) error {
	l.Secrets = nil
	for line := range strings.Lines(text) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 4)
		if len(parts) != 4 {
			return errNotLeased
		}
		secret, err := parseID(parts[0])
		if err != nil {
			return errNotLeased
		}
		version, err := strconv.ParseUint(parts[1], 10, 63)
		if err != nil {
			return errNotLeased
		}
		var placeholder []byte
		if parts[2] != "-" {
			if placeholder, err = hex.DecodeString(parts[2]); err != nil {
				return errNotLeased
			}
		}
		l.Secrets = append(l.Secrets, vault.LeasedSecret{
			ID: secret, Version: version, Name: parts[3], Placeholder: placeholder,
		})
	}
	if joinLeased(l) != text {
		return errNotLeased
	}
	return nil
}

// Lease implements [vault.Reader].
func (q *Queries) Lease(ctx context.Context, user, id uuid.UUID) (vault.StoredLease, error) {
	return leases.get(ctx, q.conn, "WHERE user_id = $1 AND id = $2", idText(user), idText(id))
}

// LeaseByTicket implements [vault.Reader].
func (q *Queries) LeaseByTicket(
	ctx context.Context, hash vault.TokenHash,
) (vault.StoredLease, error) {
	const byTicket = "WHERE ticket_hash = $1 AND length(ticket_hash) > 0"
	return leases.get(ctx, q.conn, byTicket, hash[:])
}

// BrokerLease implements [vault.Reader].
func (q *Queries) BrokerLease(ctx context.Context, id uuid.UUID) (vault.StoredLease, error) {
	return leases.get(ctx, q.conn, "WHERE id = $1 AND delivery = 'broker'", idText(id))
}

const openLeases = `WHERE user_id = $1 AND delivery <> 'bundle'
	AND redeemed_at IS NULL AND revoked_at IS NULL ORDER BY id`

// OpenLeases implements [vault.Reader].
func (q *Queries) OpenLeases(ctx context.Context, user uuid.UUID) ([]vault.StoredLease, error) {
	return leases.list(ctx, q.conn, openLeases, idText(user))
}

// ReadableOpenLeases implements [vault.Reader].
func (q *Queries) ReadableOpenLeases(
	ctx context.Context, user uuid.UUID,
) (open []vault.StoredLease, damaged int, err error) {
	return leases.readable(ctx, q.conn, openLeases, idText(user))
}

// LeasesBefore implements [vault.Reader].
func (q *Queries) LeasesBefore(
	ctx context.Context, user, id uuid.UUID, limit int,
) ([]vault.StoredLease, error) {
	return leases.list(ctx, q.conn, "WHERE user_id = $1 AND id < $2 ORDER BY id LIMIT $3",
		idText(user), idText(id), integer(limit))
}

// InsertLease implements [vault.Tx].
func (q *Queries) InsertLease(ctx context.Context, l vault.StoredLease) error {
	return leases.insert(ctx, q.conn, &l)
}

// RedeemLease implements [vault.Tx].
func (q *Queries) RedeemLease(ctx context.Context, l vault.StoredLease) error {
	return q.execOne(ctx, `UPDATE leases SET secrets = $1, redeemed_at = $2
		WHERE user_id = $3 AND id = $4`,
		joinLeased(&l), micros(l.RedeemedAt), idText(l.User), idText(l.ID))
}

// RevokeLease implements [vault.Tx].
func (q *Queries) RevokeLease(ctx context.Context, user, id uuid.UUID, at time.Time) error {
	return q.execOne(ctx, "UPDATE leases SET revoked_at = $1 WHERE user_id = $2 AND id = $3",
		micros(at), idText(user), idText(id))
}

// RevokeLiveLeases implements [vault.Tx].
func (q *Queries) RevokeLiveLeases(
	ctx context.Context, user uuid.UUID, at time.Time,
) (int, error) {
	n, err := q.count(ctx, `SELECT count(*) FROM leases
		WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2`, idText(user), micros(at))
	if err != nil || n == 0 {
		return 0, err
	}
	return n, q.exec(ctx, `UPDATE leases SET revoked_at = $1
		WHERE user_id = $2 AND revoked_at IS NULL AND expires_at > $1`, micros(at), idText(user))
}

// DisputeLease implements [vault.Tx].
func (q *Queries) DisputeLease(ctx context.Context, user, id uuid.UUID, at time.Time) error {
	return q.execOne(ctx, "UPDATE leases SET disputed_at = $1 WHERE user_id = $2 AND id = $3",
		micros(at), idText(user), idText(id))
}

// DeleteLease implements [vault.Tx].
func (q *Queries) DeleteLease(ctx context.Context, user, id uuid.UUID) error {
	return q.execOne(ctx, "DELETE FROM leases WHERE user_id = $1 AND id = $2",
		idText(user), idText(id))
}

// DeleteLeases implements [vault.Tx].
func (q *Queries) DeleteLeases(ctx context.Context, user uuid.UUID) error {
	for _, table := range []string{
		"broker_requests", "broker_uses", "secret_uses", "usage_days", "leases",
	} {
		err := q.exec(ctx, "DELETE FROM "+table+" WHERE user_id = $1", idText(user))
		if err != nil {
			return err
		}
	}
	return nil
}
