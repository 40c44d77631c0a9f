package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

var (
	brokerUses = newTable("broker_uses", 2,
		id("user_id", func(u *vault.StoredBrokerUse) *uuid.UUID { return &u.User }),
		id("lease_id", func(u *vault.StoredBrokerUse) *uuid.UUID { return &u.Lease }),
		number("requests", func(u *vault.StoredBrokerUse) *int64 { return &u.Requests }),
		number("bytes", func(u *vault.StoredBrokerUse) *int64 { return &u.Bytes }),
		number("tokens", func(u *vault.StoredBrokerUse) *int64 { return &u.Tokens }))

	brokerRequests = newTable("broker_requests", 2,
		id("user_id", func(b *vault.BrokeredRequest) *uuid.UUID { return &b.User }),
		id("id", func(b *vault.BrokeredRequest) *uuid.UUID { return &b.ID }),
		id("lease_id", func(b *vault.BrokeredRequest) *uuid.UUID { return &b.Lease }),
		id("secret_id", func(b *vault.BrokeredRequest) *uuid.UUID { return &b.Secret }),
		moment("at", func(b *vault.BrokeredRequest) *time.Time { return &b.At }),
		text("method", func(b *vault.BrokeredRequest) *string { return &b.Method }),
		text("host", func(b *vault.BrokeredRequest) *string { return &b.Host }),
		text("path", func(b *vault.BrokeredRequest) *string { return &b.Path }),
		number("status", func(b *vault.BrokeredRequest) *int { return &b.Status }),
		number("sent", func(b *vault.BrokeredRequest) *int64 { return &b.Sent }),
		number("received", func(b *vault.BrokeredRequest) *int64 { return &b.Received }),
		elapsed("took", func(b *vault.BrokeredRequest) *time.Duration { return &b.Took }),
		number("tokens", func(b *vault.BrokeredRequest) *int64 { return &b.Tokens }),
		text("refused", func(b *vault.BrokeredRequest) *string { return &b.Refused }),
		text("detail", func(b *vault.BrokeredRequest) *string { return &b.Detail }))
)

// BrokerUse implements [vault.Reader].
func (q *Queries) BrokerUse(
	ctx context.Context, user, lease uuid.UUID,
) (vault.StoredBrokerUse, error) {
	return brokerUses.get(ctx, q.conn, "WHERE user_id = $1 AND lease_id = $2",
		idText(user), idText(lease))
}

// BrokeredRequests implements [vault.Reader].
func (q *Queries) BrokeredRequests(
	ctx context.Context, user uuid.UUID, chosen vault.BrokeredQuery,
) ([]vault.BrokeredRequest, error) {
	where, args := "WHERE user_id = $1", []any{idText(user), integer(chosen.Limit)}
	for _, c := range []struct {
		column string
		id     uuid.UUID
	}{{"lease_id =", chosen.Lease}, {"secret_id =", chosen.Secret}, {"id >", chosen.After}} {
		if c.id != uuid.Nil {
			args = append(args, idText(c.id))
			where += fmt.Sprintf(" AND %s $%d", c.column, len(args))
		}
	}
	if chosen.Refused {
		where += " AND refused <> ''"
	}
	if chosen.After != uuid.Nil {
		return brokerRequests.list(ctx, q.conn, where+" ORDER BY id LIMIT $2", args...)
	}
	newest := fmt.Sprintf(`WHERE user_id = $1 AND id IN (SELECT id FROM broker_requests
		%s ORDER BY id DESC LIMIT $2) ORDER BY id`, where)
	return brokerRequests.list(ctx, q.conn, newest, args...)
}

// InsertBrokered implements [vault.Tx].
func (q *Queries) InsertBrokered(
	ctx context.Context, requests []vault.BrokeredRequest, added []vault.StoredBrokerUse,
) error {
	err := brokerUses.insertAll(ctx, q.conn, added, ` ON CONFLICT (user_id, lease_id)
		DO UPDATE SET requests = broker_uses.requests + excluded.requests,
		bytes = broker_uses.bytes + excluded.bytes,
		tokens = broker_uses.tokens + excluded.tokens`)
	if err != nil {
		return err
	}
	return brokerRequests.insertAll(ctx, q.conn, requests)
}

// TrimBrokered implements [vault.Tx].
func (q *Queries) TrimBrokered(
	ctx context.Context, user uuid.UUID, of vault.BrokeredBound,
) error {
	where, args := "user_id = $1 AND refused = ''", []any{idText(user), integer(of.Keep)}
	if of.Refused {
		where = "user_id = $1 AND refused <> ''"
	}
	if of.Lease != uuid.Nil {
		where, args = where+" AND lease_id = $3", append(args, idText(of.Lease))
	}
	return q.exec(ctx, fmt.Sprintf(`DELETE FROM broker_requests WHERE %[1]s AND id <= (
		SELECT id FROM broker_requests WHERE %[1]s ORDER BY id DESC LIMIT 1 OFFSET $2)`, where),
		args...)
}
