package postgres

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/keysake/keysake/internal/store"
	"github.com/keysake/keysake/internal/vault"
)

const (
	// newsTTL is how long after a look began it counts that all news had come.
	newsTTL = vault.NoticedWithin
	// newsDue is after how long a reader asks for the next look.
	newsDue = 15 * time.Millisecond
	// newsIdle is after how long somebody looks whom nobody has asked, so that news which nobody
	// reads do not pile up, and a connection that was lost is noticed.
	newsIdle = 30 * time.Second
	// lookTimeout bounds how long a look may take before the connection counts as lost.
	lookTimeout = 2 * time.Second
	// listenAgain is how long to wait before a connection that was lost is replaced, and poolerWait
	// before it is tried again where there is none that can listen.
	listenAgain = 250 * time.Millisecond
	poolerWait  = time.Minute
)

// channel is where servers tell each other whose access has changed: the id of a user, or nothing
// for everyone.
const channel = "keysake_access"

// messages is where servers send each other what else they have to say.
const messages = "keysake_messages"

// heardWithin is how old the last look may be for who sends a message, and wants to hear others.
const heardWithin = 3 * time.Second

// A news is what servers told each other. It has a connection of its own that listens, from when
// somebody asks first. PostgreSQL sends all news of the commits before a statement with the answer
// to that statement: that is what a look is.
type news struct {
	store.Moments

	config  *pgx.ConnConfig // nil: nobody listens
	primary *timeline
	hear    atomic.Pointer[func(message string)]

	began  time.Time
	looked atomic.Int64  // when the last look that succeeded began, since that
	wanted chan struct{} // a look

	mu   sync.Mutex
	told time.Time // when this process told anything last

	stop  context.CancelFunc
	ended chan struct{}
}

// startNews has another goroutine listen, which ends with [news.close].
func startNews(config *pgx.ConnConfig, primary *timeline) *news {
	n := &news{
		config: config, primary: primary, began: time.Now(), wanted: make(chan struct{}, 1),
		ended: make(chan struct{}),
	}
	n.looked.Store(-int64(newsTTL)) // never
	ctx, stop := context.WithCancel(context.Background())
	n.stop = stop
	go n.listen(ctx)
	return n
}

// close waits until the other servers have noticed what this one has told: a command has ended only
// when what it did counts there.
func (n *news) close() {
	n.stop()
	<-n.ended
	n.mu.Lock()
	defer n.mu.Unlock()
	time.Sleep(time.Until(n.told.Add(newsTTL)))
}

// SameAccess implements [vault.Store].
func (n *news) SameAccess(user uuid.UUID, since uint64) bool {
	return n.age() < newsTTL && n.Silent(user, since)
}

// age returns how long ago the last look began, and asks for another one in time.
func (n *news) age() time.Duration {
	age := time.Since(n.began) - time.Duration(n.looked.Load())
	if age > newsDue {
		select {
		case n.wanted <- struct{}{}:
		default:
		}
	}
	return age
}

// publish notes what another server told, or everything for who does not know.
func (n *news) publish(users ...uuid.UUID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.Tell(users)
}

// published notes what this server told.
func (n *news) published(users []uuid.UUID) {
	if len(users) == 0 {
		return
	}
	n.publish(users...)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.told = time.Now()
}

// errPooler means that a pooler lends the connection: it would give others what is sent to it.
var errPooler = errors.New("the connection is a pooler's")

func (n *news) listen(ctx context.Context) {
	defer close(n.ended)
	if n.config == nil || !n.await(ctx, newsIdle) {
		return
	}
	for ctx.Err() == nil {
		wait := listenAgain
		if errors.Is(n.follow(ctx), errPooler) {
			wait = poolerWait
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// await waits until somebody wants a look, or for some time. It returns false at the end.
func (n *news) await(ctx context.Context, longest time.Duration) bool {
	timer := time.NewTimer(longest)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-n.wanted:
	case <-timer.C:
	}
	return true
}

// follow listens until the connection is lost. What was told before it began is not known, so then
// everything may have changed.
func (n *news) follow(ctx context.Context) error {
	config := n.config.Copy()
	config.OnNotification = func(_ *pgconn.PgConn, told *pgconn.Notification) {
		if told.Channel == messages {
			if hear := n.hear.Load(); hear != nil {
				(*hear)(told.Payload)
			}
			return
		}
		user, err := uuid.Parse(told.Payload)
		if err != nil {
			user = uuid.Nil
		}
		n.publish(user)
	}
	c, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer hangUp(c)
	if err := run(ctx, c, "LISTEN "+channel+"; LISTEN "+messages, nil); err != nil {
		return err
	}
	n.publish(uuid.Nil)
	for {
		if err := n.look(ctx, c); err != nil {
			return err
		}
		if !n.await(ctx, newsIdle) {
			return ctx.Err()
		}
	}
}

// hangUp closes a connection, which may be lost, and its network stalled.
func hangUp(c *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), lookTimeout)
	defer cancel()
	_ = c.Close(ctx)
}

// look reads all news of what was committed before it began. A pooler names another process than
// the one that answers.
func (n *news) look(ctx context.Context, c *pgx.Conn) error {
	at := time.Since(n.began)
	var process, line string
	err := run(ctx, c, "SELECT pg_backend_pid(), "+n.primary.sql(), func(row [][]byte) {
		process, line = string(row[0]), string(row[1])
	})
	switch {
	case err != nil:
		return err
	case process != strconv.FormatUint(uint64(c.PgConn().PID()), 10):
		return errPooler
	case line == "":
		return errStandby
	}
	if err = n.primary.see(line); err == nil {
		n.looked.Store(int64(at))
	}
	return err
}

var errStandby = errors.New("the server is a standby now")

// run runs a statement, and calls each for its rows as texts.
func run(ctx context.Context, c *pgx.Conn, sql string, each func([][]byte)) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	results, err := c.PgConn().Exec(ctx, sql).ReadAll()
	if err != nil {
		return err
	}
	for _, result := range results {
		for _, row := range result.Rows {
			each(row)
		}
	}
	return nil
}
