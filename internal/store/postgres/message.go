package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
)

// errDeaf is the error of a message by who does not hear those of others.
var errDeaf = errors.New("the messages of other servers are not heard")

// Hear has a function called with what servers send from now on, this one too.
func (d *DB) Hear(hear func(message string)) { d.hear.Store(&hear) }

// Send sends messages to all servers, of at most 7,999 bytes each. It is an error if this server
// does not hear those of the others. They are no change of the data: nobody waits for the disk.
func (d *DB) Send(ctx context.Context, texts []string) error {
	err := pgx.BeginFunc(ctx, d.pool, func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		batch.Queue("SET LOCAL synchronous_commit = off")
		for _, text := range texts {
			batch.Queue("SELECT pg_notify('"+messages+"', $1)", text)
		}
		return tx.SendBatch(ctx, batch).Close()
	})
	if err == nil && d.age() > heardWithin {
		err = errDeaf
	}
	return classify(err)
}
