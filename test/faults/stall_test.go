package faults_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/store/postgres/pgtest"
)

// A network passes on what servers and a database say, and can stop that without an end of any
// connection.
type network struct {
	address string
	to      func() (net.Conn, error)

	mu   sync.Mutex
	flow chan struct{} // closed while it passes on
	all  []net.Conn
}

// newNetwork returns a network before a database on loopback.
func newNetwork(t *testing.T, address string) *network {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	apptest.Must(t, err)
	n := &network{
		address: l.Addr().String(), flow: make(chan struct{}),
		to: func() (net.Conn, error) { return net.Dial("tcp", address) },
	}
	close(n.flow)
	t.Cleanup(func() { _ = l.Close(); n.resume(); n.cut() })
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			go n.serve(from)
		}
	}()
	return n
}

func (n *network) serve(from net.Conn) {
	defer from.Close()
	n.await()
	to, err := n.to()
	if err != nil {
		return
	}
	defer to.Close()
	n.mu.Lock()
	n.all = append(n.all, from, to)
	n.mu.Unlock()
	ended := make(chan struct{})
	go func() { n.pass(from, to); close(ended) }()
	n.pass(to, from)
	<-ended
}

// pass passes on one direction.
func (n *network) pass(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 1<<14)
	for {
		read, err := from.Read(buffer)
		n.await()
		if _, failed := to.Write(buffer[:read]); err != nil || failed != nil {
			return
		}
	}
}

// await waits while nothing is passed on.
func (n *network) await() {
	n.mu.Lock()
	flow := n.flow
	n.mu.Unlock()
	<-flow
}

func (n *network) stall() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.flow = make(chan struct{})
}

func (n *network) resume() {
	n.mu.Lock()
	defer n.mu.Unlock()
	select {
	case <-n.flow:
	default:
		close(n.flow)
	}
}

// cut ends all connections.
func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.all {
		_ = c.Close()
	}
	n.all = nil
}

func TestRequestsEndWhileTheNetworkStalls(t *testing.T) {
	t.Parallel()
	direct := pgtest.Of(t).TCP(databaseOf(t, pgtest.Empty(t)))
	u, err := url.Parse(direct)
	apptest.Must(t, err)
	n := newNetwork(t, u.Host)
	u.Host = n.address
	servers := startServers(t, 2, u.String())
	load := newLoad(t, servers)
	inRounds(t, 1, func(t *testing.T, _ int) {
		t.Helper()
		load.t = t
		load.begin()
		load.reach(100)
		was := look(t, servers)
		load.measureGap()
		n.stall()
		refused := load.failures() + 2*loadUsers*loadWorkers // every worker, more than once
		eventually(t, "requests end", func() error {
			if load.failures() < refused {
				return errors.New(load.summary())
			}
			return nil
		})
		n.resume()
		load.reach(100)
		load.end()
		if n := load.errors[late]; n > 0 {
			t.Errorf("%d requests hung: %s", n, load.summary())
		}
		was.checkServers(t, servers, direct)
		load.check()
		checkDatabase(t, servers[0], direct)
		t.Logf("%s; the longest time without a change: %v", load.summary(), load.longestGap())
	})
}

// databaseOf returns the name of a URL's database.
func databaseOf(t *testing.T, database string) string {
	t.Helper()
	u, err := url.Parse(database)
	apptest.Must(t, err)
	return u.Path[1:]
}

// with adds parameters to a URL.
func with(t *testing.T, database string, parameters ...string) string {
	t.Helper()
	u, err := url.Parse(database)
	apptest.Must(t, err)
	query := u.Query()
	for i := 0; i < len(parameters); i += 2 {
		query.Set(parameters[i], parameters[i+1])
	}
	u.RawQuery = query.Encode()
	return u.String()
}

func TestAStatementThatTakesTooLongIsA503(t *testing.T) {
	t.Parallel()
	for what, limits := range map[string][]string{
		"by the limit of statements": {"statement_timeout", "300", "lock_timeout", "0"},
		"by the limit of locks":      {"statement_timeout", "0", "lock_timeout", "300"},
	} {
		t.Run(what, func(t *testing.T) {
			url := pgtest.Empty(t)
			s := startServers(t, 1, with(t, url, limits...))[0]
			c := s.client(s.devKey())
			_, err := c.ListSecrets(t.Context())
			apptest.Must(t, err)
			end := hold(t, url, "LOCK TABLE secrets, users IN ACCESS EXCLUSIVE MODE")
			_, err = c.ListSecrets(t.Context())
			if !errors.Is(err, client.ErrUnavailable) {
				t.Errorf("got %v, want a 503", err)
			}
			end()
			if _, err = c.ListSecrets(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// hold begins a transaction with a statement. What it returns ends it.
func hold(t *testing.T, url, statement string) (end func()) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	apptest.Must(t, err)
	_, err = c.Exec(t.Context(), "BEGIN; "+statement)
	apptest.Must(t, err)
	return func() { t.Helper(); apptest.Must(t, c.Close(context.Background())) }
}

// refusal returns nil if the error is a 401.
func refusal(err error) error {
	if errors.Is(err, client.ErrUnauthenticated) {
		return nil
	}
	return fmt.Errorf("it is not refused: %w", err)
}
