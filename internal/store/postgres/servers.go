package postgres

import (
	"context"
	"time"

	"github.com/keysake/keysake/internal/store"
)

// Servers calls each for what is connected to the database under a name of [Options], with the
// address that PostgreSQL sees, how many connections there are and since when. Two on one machine
// have the same address, and so need different names. Of those of another role PostgreSQL tells
// neither address nor time.
func (d *DB) Servers(
	ctx context.Context, each func(name, address string, connections int, since time.Time),
) error {
	const sql = `
SELECT application_name, coalesce(host(client_addr), ''), count(*),
	(extract(epoch FROM min(backend_start)) * 1000000)::bigint
FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'keysake %'
GROUP BY 1, 2 ORDER BY 1, 2`
	type server struct {
		name, address string
		connections   int
		since         time.Time
	}
	var found []server
	err := d.with(ctx, reading(), func(c *conn) (bool, error) {
		found = nil
		err := c.Query(ctx, sql, func(r store.Row) error {
			s := server{name: r.Text(0), address: r.Text(1), connections: int(r.Int(2))}
			if !r.IsNull(3) {
				s.since = time.UnixMicro(r.Int(3))
			}
			found = append(found, s)
			return nil
		})
		return mayRetry(err), err
	})
	for _, s := range found {
		each(s.name, s.address, s.connections, s.since)
	}
	return err
}

// Size returns how many bytes the database has.
func (d *DB) Size(ctx context.Context) (size int64, err error) {
	err = d.with(ctx, reading(), func(c *conn) (bool, error) {
		const sql = "SELECT pg_database_size(current_database())"
		err := c.Query(ctx, sql, func(r store.Row) error {
			size = r.Int(0)
			return nil
		})
		return mayRetry(err), err
	})
	return size, err
}
