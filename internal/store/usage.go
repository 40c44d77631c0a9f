package store

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

var usageDays = newTable("usage_days", 2,
	moment("day", func(u *vault.UserDay) *time.Time { return &u.Day }),
	id("user_id", func(u *vault.UserDay) *uuid.UUID { return &u.User }),
	number("leases", func(u *vault.UserDay) *int64 { return &u.Leases }),
	number("runs", func(u *vault.UserDay) *int64 { return &u.Runs }),
	number("secrets", func(u *vault.UserDay) *int64 { return &u.Secrets }))

// UsageByDay implements [vault.Reader]. It reads at most limit rows, of the newest days.
func (q *Queries) UsageByDay(
	ctx context.Context, from time.Time, limit int,
) (days []vault.UsageDay, err error) {
	const sql = `SELECT day, COUNT(*), CAST(SUM(leases) AS BIGINT), CAST(SUM(runs) AS BIGINT),
			CAST(SUM(secrets) AS BIGINT)
		FROM (SELECT day, leases, runs, secrets FROM usage_days WHERE day >= $1
			ORDER BY day DESC LIMIT $2) AS newest
		GROUP BY day ORDER BY day`
	err = q.conn.Query(ctx, sql, func(r Row) error {
		days = append(days, vault.UsageDay{
			Day: time.UnixMicro(r.Int(0)).UTC(), Users: r.Int(1), Leases: r.Int(2), Runs: r.Int(3),
			Secrets: r.Int(4),
		})
		return nil
	}, micros(from), integer(limit))
	return days, err
}

// AddUsage implements [vault.Tx].
func (q *Queries) AddUsage(ctx context.Context, u vault.UserDay) error {
	return q.exec(ctx, `INSERT INTO usage_days (day, user_id, leases, runs, secrets)
		SELECT $1, id, $2, $3, $4 FROM users WHERE id = $5 AND deleted_at IS NULL
		ON CONFLICT (day, user_id) DO UPDATE SET leases = usage_days.leases + excluded.leases,
			runs = usage_days.runs + excluded.runs,
			secrets = usage_days.secrets + excluded.secrets`,
		micros(u.Day), u.Leases, u.Runs, u.Secrets, idText(u.User))
}

// DropUsage implements [vault.Tx].
func (q *Queries) DropUsage(ctx context.Context, before time.Time, limit int) error {
	return q.exec(ctx, `DELETE FROM usage_days WHERE (day, user_id) IN
		(SELECT day, user_id FROM usage_days WHERE day < $1 ORDER BY day LIMIT $2)`,
		micros(before), integer(limit))
}
