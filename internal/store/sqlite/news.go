package sqlite

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/store"
	"github.com/keysake/keysake/internal/vault"
)

const (
	// newsTTL is how long after the writer looked for commits of other processes it counts that
	// there were none.
	newsTTL = vault.NoticedWithin
	// newsDue is after how long a reader asks the writer to look again.
	newsDue = 10 * time.Millisecond
)

// A news tells when the ledgers in a database changed last. The writer numbers its commits.
type news struct {
	store.Moments

	began  time.Time
	looked atomic.Int64  // when the writer last looked, since it began
	wanted chan struct{} // a look, which the writer is to take when it has time

	published time.Time // when anything was told last

	version int64 // of the database when the writer last looked, as it counts for its connection
}

func newNews() *news {
	n := &news{began: time.Now(), wanted: make(chan struct{}, 1)}
	n.looked.Store(-int64(newsTTL)) // never
	return n
}

// Unchanged implements [vault.Store]. It asks the writer for a look in time, so that those who ask
// often need not wait for one.
func (n *news) Unchanged(user uuid.UUID, since uint64) bool {
	age := time.Since(n.began) - time.Duration(n.looked.Load())
	if age > newsDue {
		select {
		case n.wanted <- struct{}{}:
		default:
		}
	}
	return age < newsTTL && n.Silent(user, since)
}

// SameAccess implements [vault.Store]. What lets nobody in is told, too.
func (n *news) SameAccess(user uuid.UUID, since uint64) bool { return n.Unchanged(user, since) }

// look finds out whether another connection has changed the database since the last look. Only the
// writer looks: SQLite does not count what the connection that asks has committed itself.
func (n *news) look(ctx context.Context, c *conn) {
	at := time.Since(n.began)
	err := c.Query(ctx, "PRAGMA data_version", func(r store.Row) error {
		if version := r.Int(0); version != n.version {
			n.version = version
			n.publish([]uuid.UUID{uuid.Nil})
		}
		return nil
	})
	if err == nil {
		n.looked.Store(int64(at))
	}
}

// publish tells that ledgers may have changed.
func (n *news) publish(owners []uuid.UUID) {
	if len(owners) > 0 {
		n.Tell(owners)
		n.published = time.Now()
	}
}

// settle waits until every other process has noticed what this one has told, after its writer has
// ended. So a command beside a server has ended only when what it did counts there.
func (n *news) settle() { time.Sleep(time.Until(n.published.Add(newsTTL))) }
