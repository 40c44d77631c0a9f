package postgres

import (
	"context"

	"github.com/keysake/keysake/internal/store"
)

// Facts are what PostgreSQL says of a database, and of the connection to it.
type Facts struct {
	Version      string // of PostgreSQL
	Role         string // as which it is connected
	Durable      bool   // what is committed survives a crash of the machine
	Checksums    bool   // of pages, by which damage is found
	DamagedPages int64  // that were found
	TLS          bool
	Local        bool // the connection does not leave the machine
}

// Facts asks for them.
func (d *DB) Facts(ctx context.Context) (f Facts, err error) {
	const sql = `
SELECT current_setting('server_version'), current_user::text,
	(current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on')::int,
	(current_setting('data_checksums') = 'on')::int,
	(SELECT coalesce(sum(checksum_failures), 0)::bigint FROM pg_stat_database
		WHERE datname = current_database()),
	(SELECT coalesce(max(ssl::int), 0) FROM pg_stat_ssl WHERE pid = pg_backend_pid()),
	(inet_client_addr() IS NULL OR inet_client_addr() <<= inet '127.0.0.0/8'
		OR inet_client_addr() = inet '::1')::int`
	err = d.with(ctx, reading(), func(c *conn) (bool, error) {
		err := c.Query(ctx, sql, func(r store.Row) error {
			f = Facts{
				r.Text(0), r.Text(1), r.Int(2) == 1, r.Int(3) == 1, r.Int(4), r.Int(5) == 1,
				r.Int(6) == 1,
			}
			return nil
		})
		return mayRetry(err), err
	})
	return f, err
}
