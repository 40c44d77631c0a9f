package postgres

import (
	"context"
	"errors"
	"net"
	"strconv"
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
)

// errURL tells nothing of the URL, which may have a password.
var errURL = errors.New(
	"the URL of the database is not one of PostgreSQL's: postgres://USER@HOST:PORT/DATABASE")

func (o Options) config() (*pgxpool.Config, error) {
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
	c.MaxConnLifetime, c.MaxConnLifetimeJitter = maxConnAge, maxConnAge/10
	c.MaxConnIdleTime = maxConnIdle
	if c.ConnConfig.ConnectTimeout == 0 {
		c.ConnConfig.ConnectTimeout = connectTimeout
	}
	c.ConnConfig.OnNotice = noteWarning
	c.BeforeConnect = neverCancel
	if o.Pooler {
		c.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
		return c, nil
	}
	for name, value := range map[string]string{
		"application_name":                    "keysake",
		"statement_timeout":                   milliseconds(statementTimeout),
		"lock_timeout":                        milliseconds(lockTimeout),
		"idle_in_transaction_session_timeout": milliseconds(transactionTimeout),
	} {
		if _, given := c.ConnConfig.RuntimeParams[name]; !given {
			c.ConnConfig.RuntimeParams[name] = value
		}
	}
	return c, nil
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
