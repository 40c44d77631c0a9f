package faults_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/store/postgres/pgtest"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

func TestServersThatAreKilledInTurnLoseNothing(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	servers := startServers(t, 3, url)
	load := newLoad(t, servers)
	inRounds(t, 1, func(t *testing.T, _ int) {
		t.Helper()
		load.t = t
		load.begin()
		was := look(t, servers)
		for _, s := range servers {
			load.reach(int64(20 + rand.IntN(100)))
			time.Sleep(rand.N(20 * time.Millisecond))
			s.kill()
			load.reach(50) // without it
			s.start()
		}
		load.reach(50)
		load.end()
		was.checkServers(t, servers, url)
		load.check()
		checkDatabase(t, servers[0], url)
		t.Log(load.summary())
	})
}

// How long a key is still let in is printed. It is not asserted, but that it ends: the machine may
// be busy with anything.
func TestEveryServerSoonRefusesAKeyThatOneRevoked(t *testing.T) {
	t.Parallel()
	servers := startServers(t, 3, pgtest.Empty(t))
	ann := servers[0].client(servers[0].newUser("ann"))
	longest := make([]time.Duration, len(servers))
	for range rounds(t, 5) {
		made, err := ann.CreateAPIKey(t.Context(), wire.CreateAPIKey{})
		apptest.Must(t, err)
		key := plaintext.FromString(made.Key)
		for _, s := range servers {
			_, err := s.client(key).ListSecrets(t.Context())
			apptest.Must(t, err)
		}
		apptest.Must(t, ann.RevokeAPIKey(t.Context(), made.ID))
		revoked := time.Now()
		for i, s := range servers {
			c := s.client(key)
			eventually(t, "the key is refused", func() error {
				_, err := c.ListSecrets(t.Context())
				return refusal(err)
			})
			longest[i] = max(longest[i], time.Since(revoked))
		}
	}
	t.Logf("a revoked key was refused after at most %v by the server that revoked it, and %v and "+
		"%v by the others", longest[0], longest[1], longest[2])
}
