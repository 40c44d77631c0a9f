package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Options say which database to connect to, and how.
type Options struct {
	URL      string // as PostgreSQL's own programs take it; PGPASSFILE may have the password
	Password string // in the place of the URL's

	// Name is what others see of the connections in pg_stat_activity, where neither the URL nor a
	// pooler has its own; empty for keysake.
	Name string

	MaxConns int  // at once; 0 for 16
	Pooler   bool // the URL is that of a pooler which lends a connection for a transaction
}

// What ends a statement or a transaction that takes too long. The session has them, so PostgreSQL
// keeps them also for a server that has gone away in a transaction.
const (
	statementTimeout   = 10 * time.Second
	lockTimeout        = 5 * time.Second
	transactionTimeout = 15 * time.Second // without a statement
)

const (
	defaultConns   = 16
	connectTimeout = 5 * time.Second
	maxConnAge     = time.Hour // so that connections spread over servers that were added
	maxConnIdle    = 5 * time.Minute
	pingTimeout    = 3 * time.Second // of one that was idle for a second, before it is used
)

// errURL tells nothing of the URL, which may have a password.
var errURL = errors.New(
	"the URL of the database is not one of PostgreSQL's: postgres://USER@HOST:PORT/DATABASE")

func (o Options) config(t *timeline) (*pgxpool.Config, error) {
	c, err := pgxpool.ParseConfig(o.URL)
	if err != nil {
		return nil, errURL
	}
	if o.Password != "" {
		c.ConnConfig.Password = o.Password
	}
	c.MaxConns = defaultConns
	if o.MaxConns > 0 {
		c.MaxConns = int32(min(o.MaxConns, 1<<16))
	}
	if err := o.ages(c); err != nil {
		return nil, err
	}
	if c.ConnConfig.ConnectTimeout == 0 {
		c.ConnConfig.ConnectTimeout = connectTimeout
	}
	c.ConnConfig.OnNotice = noteWarning
	c.BeforeConnect = neverCancel
	params := c.ConnConfig.RuntimeParams
	for name, limit := range sessionLimits {
		if _, given := params[name]; !given {
			params[name] = milliseconds(limit)
		}
	}
	if o.Pooler {
		c.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
		return c, nil
	}
	c.ConnConfig.ValidateConnect = t.validate(c.ConnConfig.ValidateConnect)
	if _, given := params["application_name"]; !given {
		params["application_name"] = cmp.Or(o.Name, "keysake")
	}
	return c, nil
}

// sessionLimits are the limits of time of a session where the URL has no others.
//
//nolint:gochecknoglobals // it is a table: nothing writes to it
var sessionLimits = map[string]time.Duration{
	"statement_timeout":                   statementTimeout,
	"lock_timeout":                        lockTimeout,
	"idle_in_transaction_session_timeout": transactionTimeout,
}

// takeLimits returns a statement that sets the limits of a session in a transaction, and takes them
// from the parameters of a session, which a pooler does not accept.
func takeLimits(params map[string]string) string {
	var set []string
	for _, name := range slices.Sorted(maps.Keys(sessionLimits)) {
		value := strings.ReplaceAll(params[name], "'", "''")
		set = append(set, fmt.Sprintf("set_config('%s', '%s', true)", name, value))
		delete(params, name)
	}
	return "SELECT " + strings.Join(set, ", ")
}

// errPoolSize is the error of a URL that says what a setting says.
var errPoolSize = errors.New(
	"the URL of the database has pool_max_conns: give --database-connections in its place")

// ages sets how long connections are kept and waited for, where the URL does not say that.
func (o Options) ages(c *pgxpool.Config) error {
	asked, err := pgx.ParseConfig(o.URL) // which does not know the parameters of a pool
	if err != nil {
		return errURL
	}
	if _, given := asked.RuntimeParams["pool_max_conns"]; given {
		return errPoolSize
	}
	if _, given := asked.RuntimeParams["pool_max_conn_lifetime"]; !given {
		c.MaxConnLifetime, c.MaxConnLifetimeJitter = maxConnAge, maxConnAge/10
	}
	if _, given := asked.RuntimeParams["pool_max_conn_idle_time"]; !given {
		c.MaxConnIdleTime = maxConnIdle
	}
	if _, given := asked.RuntimeParams["pool_ping_timeout"]; !given {
		c.PingTimeout = pingTimeout
	}
	return nil
}

// neverCancel lets a connection dial while it connects and not after that: when it gives a
// statement up, pgx would ask PostgreSQL to cancel it. If that is a commit which waits for
// standbys, all would see what the standbys do not have. The limits of the session end others.
func neverCancel(_ context.Context, c *pgx.ConnConfig) error {
	var connected atomic.Bool
	dial := c.DialFunc
	c.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if connected.Load() {
			return nil, errNoCancel
		}
		return dial(ctx, network, address)
	}
	c.AfterConnect = func(context.Context, *pgconn.PgConn) error {
		connected.Store(true)
		return nil
	}
	return nil
}

var errNoCancel = errors.New("a statement is not canceled")

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// warningKey is where a connection notes that PostgreSQL sent a warning.
const warningKey = "keysake warning"

func noteWarning(c *pgconn.PgConn, n *pgconn.Notice) {
	if n.SeverityUnlocalized == "WARNING" {
		c.CustomData()[warningKey] = true
	}
}

func clearWarning(c *pgconn.PgConn) { delete(c.CustomData(), warningKey) }

func warned(c *pgconn.PgConn) bool {
	_, found := c.CustomData()[warningKey]
	return found
}
