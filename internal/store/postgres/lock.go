package postgres

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"

	"github.com/jackc/pgx/v5"
)

// The advisory locks of a database. Other programs may have their own, so the first half of each
// says "keys".
const (
	migrationLock = 0x6b65_7973_616b_65 // "keysake": one server migrates while others wait
	rotationLock  = 0x6b65_7973_0000_01 // one rotation runs
	restoreLock   = 0x6b65_7973_0000_02 // one restore fills the database
	choreLock     = 0x6b65_7973 << 32   // and the hash of a name: one server does a chore
)

// TryLockRotation takes the lock that one rotation has at a time, on whatever machine it runs. It
// reports false if another has it. unlock fails if the lock was lost in the meantime, with its
// connection.
func (d *DB) TryLockRotation(
	ctx context.Context,
) (unlock func() error, locked bool, err error) {
	return d.tryLock(ctx, rotationLock)
}

// TryLockChore takes the lock of the one server that does the chore of a name. It reports false if
// another has it.
func (d *DB) TryLockChore(
	ctx context.Context, name string,
) (unlock func() error, locked bool, err error) {
	sum := fnv.New32a()
	_, _ = io.WriteString(sum, name) // it never fails
	return d.tryLock(ctx, choreLock|int64(sum.Sum32()))
}

// tryLock takes an advisory lock on a connection of its own. A transaction has it, so that it works
// through a pooler, too; it has no snapshot, and holds back no vacuum.
func (d *DB) tryLock(
	ctx context.Context, key int64,
) (unlock func() error, locked bool, err error) {
	c, err := pgx.ConnectConfig(ctx, d.pool.Config().ConnConfig)
	if err != nil {
		return nil, false, notConnected(err)
	}
	ctx = context.WithoutCancel(ctx)
	const begin = "BEGIN ISOLATION LEVEL READ COMMITTED; " +
		"SET LOCAL idle_in_transaction_session_timeout = 0"
	if _, err = c.PgConn().Exec(ctx, begin).ReadAll(); err == nil {
		err = c.QueryRow(ctx, "SELECT pg_try_advisory_xact_lock($1)", key).Scan(&locked)
	}
	if err != nil || !locked {
		return nil, false, errors.Join(classify(err), c.Close(ctx))
	}
	return func() error {
		_, err := c.Exec(ctx, "COMMIT")
		if err != nil {
			err = fmt.Errorf("the lock was lost while this ran: run it again: %w", classify(err))
		}
		_ = c.Close(ctx)
		return err
	}, true, nil
}
