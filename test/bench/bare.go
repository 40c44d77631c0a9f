package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	_ "modernc.org/sqlite" // registers the driver "sqlite"

	"github.com/keysake/keysake/test/load"
)

// A bare is a database with Keysake's schema and pragmas, and what a create writes as one
// connection does it at best: prepared statements, nothing read that was just written, nothing
// sealed, no savepoints, nobody waiting.
type bare struct {
	db     *sql.DB
	conn   *sql.Conn
	begin  *sql.Stmt
	commit *sql.Stmt
	secret *sql.Stmt
	ledger *sql.Stmt
	user   *sql.Stmt
	entry  *sql.Stmt
	users  []string
	turn   int
}

const pragmas = "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)" +
	"&_pragma=foreign_keys(ON)&_pragma=secure_delete(ON)&_pragma=cache_size(-65536)" +
	"&_pragma=wal_autocheckpoint(4000)&_pragma=trusted_schema(OFF)"

// openBare makes a database at path with the schema of the one at from.
func openBare(ctx context.Context, from, path string, users int) (b *bare, err error) {
	b = &bare{users: make([]string, users)}
	if b.db, err = sql.Open("sqlite", "file:"+path+pragmas); err != nil {
		return nil, err
	}
	if b.conn, err = b.db.Conn(ctx); err == nil {
		err = b.copySchema(ctx, from)
	}
	if err == nil {
		err = b.addUsers(ctx)
	}
	if err == nil {
		err = b.prepare(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("bare SQLite: %w", err), b.db.Close())
	}
	return b, nil
}

func (b *bare) close() { _ = b.db.Close() } // the folder is removed next

func (b *bare) copySchema(ctx context.Context, from string) error {
	source, err := sql.Open("sqlite", "file:"+from+"?mode=ro")
	if err != nil {
		return err
	}
	defer source.Close() //nolint:errcheck // it was only read
	rows, err := source.QueryContext(
		ctx,
		`SELECT sql FROM sqlite_master
		WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid`,
	)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // Err says it
	for rows.Next() {
		var statement string
		if err := rows.Scan(&statement); err != nil {
			return err
		}
		if _, err := b.conn.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (b *bare) addUsers(ctx context.Context) error {
	tx, err := b.conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for i := range b.users {
		b.users[i] = newID()
		_, err := tx.ExecContext(ctx,
			`INSERT INTO users (id, number, ledger, username, email_address, full_name, created_at)
			VALUES ($1, 0, $2, $3, '', '', $4)`,
			b.users[i], noise(ledgerSize), fmt.Sprintf("user-%d", i), time.Now().UnixMicro())
		if err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}

func (b *bare) prepare(ctx context.Context) error {
	for query, stmt := range map[string]**sql.Stmt{
		"BEGIN IMMEDIATE": &b.begin,
		"COMMIT":          &b.commit,
		`INSERT INTO secrets (id, user_id, name, provider, version, stamp, sealed_mask,
				created_at, updated_at, sealed_value)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`: &b.secret,
		"SELECT number, ledger FROM users WHERE id = $1":                          &b.ledger,
		"UPDATE users SET number = $1, ledger = $2 WHERE id = $3 AND number = $4": &b.user,
		`INSERT INTO audit_entries (owner_id, seq, at, user_id, credential_kind, credential_id,
				on_behalf_of, client, action, outcome, target_kind, target_id, target_name,
				target_version, lease_id, run, hash)
			VALUES ($1, $2, $3, $4, 'api-key', $5, '', '127.0.0.1', $6, $7, 'secret', $8, $9, $10,
				'', '', $11)`: &b.entry,
	} {
		//nolint:sqlclosecheck // closed with the database
		prepared, err := b.conn.PrepareContext(ctx, query)
		if err != nil {
			return err
		}
		*stmt = prepared
	}
	return nil
}

// measure makes secrets for the given time, as many in one durable transaction as gathered says.
// The latency is a transaction's.
func (b *bare) measure(ctx context.Context, gathered int, length time.Duration) (sample, error) {
	var took []time.Duration
	began := time.Now()
	for last := began; last.Sub(began) < length; {
		if _, err := b.begin.ExecContext(ctx); err != nil {
			return sample{}, err
		}
		for range gathered {
			if err := b.create(ctx); err != nil {
				return sample{}, err
			}
		}
		if _, err := b.commit.ExecContext(ctx); err != nil {
			return sample{}, err
		}
		now := time.Now()
		took = append(took, now.Sub(last))
		last = now
	}
	s := summarise(took, time.Since(began))
	s.rate *= float64(gathered)
	return s, nil
}

// sealOverhead is by how much a sealed value is longer than the value: format, key id, nonce and
// tag.
const sealOverhead = 1 + 16 + 12 + 16

// ledgerSize is how long the ledger of a user with one API key is, and entrySize how many bytes a
// secret adds.
const (
	ledgerSize = 210 + 16 + 32
	entrySize  = 8
)

// create does what a create does: it reads the ledger, and writes the secret, the ledger that lists
// it, and an audit entry.
func (b *bare) create(ctx context.Context) error {
	b.turn++
	user, id, now, hash := b.users[b.turn%len(b.users)], newID(), time.Now().UnixMicro(), noise(32)
	name := fmt.Sprintf("BENCH_%d", b.turn)
	_, err := b.secret.ExecContext(
		ctx, id, user, name, "openai", 1, noise(16), noise(sealOverhead+21), now,
		now, noise(sealOverhead+len(load.Value)),
	)
	if err != nil {
		return err
	}
	var number int64
	var ledger []byte
	if err := b.ledger.QueryRowContext(ctx, user).Scan(&number, &ledger); err != nil {
		return err
	}
	ledger = append(ledger, noise(entrySize)...)
	if _, err := b.user.ExecContext(ctx, number+1, ledger, user, number); err != nil {
		return err
	}
	_, err = b.entry.ExecContext(
		ctx, user, number+1, now, user, user, "secret.create", "done", id, name, 1, hash,
	)
	return err
}

// newID returns an id of version 7, as Keysake's are.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it ends the program rather than fail
	return b
}
