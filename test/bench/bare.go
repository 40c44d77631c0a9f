package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/store/sqlite"
	"github.com/keysake/keysake/internal/store/sqlite/engine"
	"github.com/keysake/keysake/test/figures"
	"github.com/keysake/keysake/test/load"
)

// A bare writes to a copy of Keysake's database what creates write, as one connection does it at
// best: prepared statements, nothing read that was just written, nothing sealed, no savepoints,
// nobody waiting. The latency is that of a commit.
type bare struct {
	conn  *engine.Conn
	users []string
	turn  int
	noise *rand.ChaCha8
}

// openBare opens a copy of a database that was filled. Users whose names begin with a prefix get
// the secrets.
func openBare(path, prefix string) (*bare, error) {
	conn, err := engine.Open("file:" + path)
	if err != nil {
		return nil, err
	}
	b := &bare{conn: conn, noise: rand.NewChaCha8([32]byte{})}
	// SQLite itself copies the log into the database when it is as long as Keysake's
	checkpoint := fmt.Sprintf("wal_autocheckpoint(%d)", sqlite.MaxLog)
	for _, setting := range append(sqlite.WriterSettings(), checkpoint) {
		err = errors.Join(err, conn.Run("PRAGMA "+setting))
	}
	if err == nil {
		err = b.run("SELECT id FROM users WHERE username GLOB $1", func(s *engine.Stmt) {
			b.users = append(b.users, s.Text(0))
		}, prefix+"*")
	}
	if err == nil && len(b.users) == 0 {
		err = errors.New("the database has no users")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("bare SQLite: %w", err), conn.Close())
	}
	return b, nil
}

func (b *bare) close() { _ = b.conn.Close() } // the folder is removed next

// run runs a statement, which is prepared at the first time, and calls each for its rows.
func (b *bare) run(text string, each func(*engine.Stmt), args ...any) error {
	s, err := b.conn.Prepare(text)
	if err != nil {
		return err
	}
	defer s.Reset()
	if err := s.Bind(args); err != nil {
		return err
	}
	for more := true; more; {
		if more, err = s.Step(); err != nil {
			return err
		}
		if more && each != nil {
			each(s)
		}
	}
	return nil
}

// measure makes secrets for some time, so many in one durable transaction.
func (b *bare) measure(gathered int, warmUp, length time.Duration) (figures.Sample, error) {
	if _, err := b.commits(gathered, warmUp); err != nil {
		return figures.Sample{}, err
	}
	before, began := load.Own(), time.Now()
	took, err := b.commits(gathered, length)
	used := load.Own().Minus(before)
	s := figures.Summarise(took, time.Since(began))
	s.Requests *= gathered
	s.PerSecond *= float64(gathered)
	return perRequest(s, used, load.Usage{}), err
}

// commits makes secrets for some time, and returns how long each commit took.
func (b *bare) commits(gathered int, length time.Duration) (took []time.Duration, err error) {
	began := time.Now()
	for last := began; last.Sub(began) < length; {
		if err := b.run("BEGIN IMMEDIATE", nil); err != nil {
			return nil, err
		}
		for range gathered {
			if err := b.create(); err != nil {
				return nil, err
			}
		}
		if err := b.run("COMMIT", nil); err != nil {
			return nil, err
		}
		now := time.Now()
		took = append(took, now.Sub(last))
		last = now
	}
	return took, nil
}

const (
	// sealOverhead is by how much a sealed value is longer than the value: format, key id, nonce
	// and tag.
	sealOverhead = 1 + 16 + 12 + 16
	// entrySize is how many bytes a ledger has for a secret.
	entrySize = 8
	// reminder is the one of a secret of whose expiry nothing was said: 14 days, in microseconds.
	reminder int64 = 14 * 24 * 3600 * 1_000_000
)

// create does what a create does: it reads the ledger, and writes the secret, the ledger that lists
// it, and an audit entry.
func (b *bare) create() error {
	b.turn++
	user, now := b.users[b.turn%len(b.users)], time.Now().UnixMicro()
	id, name := uuid.Must(uuid.NewV7()).String(), fmt.Sprintf("BARE_%d", b.turn)
	var number int64
	var ledger []byte
	err := b.run("SELECT number, ledger FROM users WHERE id = $1", func(s *engine.Stmt) {
		number, ledger = s.Int(0), s.Bytes(1)
	}, user)
	if err != nil {
		return err
	}
	err = b.run(`INSERT INTO secrets (id, user_id, name, provider, version, stamp, sealed_mask,
			sealed_value, created_at, updated_at, remind_before)
		VALUES ($1, $2, $3, 'openai', 1, $4, $5, $6, $7, $7, $8)`, nil,
		id, user, name, b.random(16), b.random(sealOverhead+21),
		b.random(sealOverhead+len(load.Value)), now, reminder)
	if err != nil {
		return err
	}
	err = b.run(`INSERT INTO audit_entries (owner_id, seq, at, user_id, credential_kind,
			credential_id, on_behalf_of, client, action, outcome, target_kind, target_id,
			target_name, target_version, lease_id, run, hash)
		VALUES ($1, $2, $3, $1, 'api-key', $1, '', '127.0.0.1', 'secret.create', 'done', 'secret',
			$4, $5, 1, '', '', $6)`, nil,
		user, number+1, now, id, name, b.random(32))
	if err != nil {
		return err
	}
	ledger = append(ledger, b.random(entrySize)...)
	return b.run("UPDATE users SET number = $1, ledger = $2 WHERE id = $3 AND number = $4", nil,
		number+1, ledger, user, number)
}

func (b *bare) random(n int) []byte {
	bytes := make([]byte, n)
	_, _ = b.noise.Read(bytes) // it never fails
	return bytes
}
