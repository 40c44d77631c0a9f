package server_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/store/postgres/pgtest"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// twoServers starts two on one database, which the same key opens.
func twoServers(
	t *testing.T, configure func(*config.Config),
) (first, second *apptest.Server, folder string) {
	t.Helper()
	url := pgtest.Empty(t)
	first = apptest.Start(t, func(c *config.Config) {
		c.DatabaseURL, c.DatabaseConnections = url, 4
		configure(c)
	})
	folder = filepath.Join(t.TempDir(), "second")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	second = apptest.Start(t, func(c *config.Config) {
		c.DatabaseURL, c.DatabaseConnections = url, 4
		c.Dev, c.Data, c.Keys = false, folder, filepath.Join(first.Data, "keysake.keys")
		configure(c)
	})
	second.Key = first.Key
	return first, second, folder
}

// Each would let through 20 at once by itself, and one more in a thousand seconds.
func TestServersThatShareLimitsTakeFromEachOther(t *testing.T) {
	t.Parallel()
	first, second, _ := twoServers(t, func(c *config.Config) {
		c.RateLimit, c.RateBurst, c.SharedRateLimits = 0.001, 20, true
	})
	a, b := first.Client(t), second.Client(t)
	ask := func(c *client.Client) bool {
		_, err := c.ListSecrets(t.Context())
		return err == nil
	}
	for range 10 {
		if !ask(a) || !ask(b) {
			t.Fatal("a client that keeps to the limit is refused")
		}
	}
	time.Sleep(3 * time.Second) // they tell each other in a second; nothing is asserted of it
	began, more := time.Now(), 0
	for range 20 {
		if ask(a) {
			more++
		}
	}
	t.Logf("%d more are let through in %v: of 40 by two servers that share nothing", more,
		time.Since(began))
	if more >= 10 {
		t.Errorf("%d more are let through by one, as if it were alone", more)
	}
}

func TestTwoServersOnOnePostgreSQLAgree(t *testing.T) {
	t.Parallel()
	first, second, folder := twoServers(t, func(*config.Config) {})
	made, err := first.Client(t).CreateSecret(t.Context(), wire.CreateSecret{
		Name: "SHARED", Value: plaintext.FromString("0123456789012345678901234567890123456789"),
	})
	apptest.Must(t, err)
	found, err := second.Client(t).GetSecret(t.Context(), made.ID)
	if err != nil || found.Name != "SHARED" {
		t.Errorf("the other server has %+v (%v)", found, err)
	}
	ann := first.ClientWith(t, first.NewUser(t, "ann"))
	key, err := ann.CreateAPIKey(t.Context(), wire.CreateAPIKey{})
	apptest.Must(t, err)
	elsewhere := second.ClientWith(t, plaintext.FromString(key.Key))
	if _, err := elsewhere.ListSecrets(t.Context()); err != nil {
		t.Errorf("a key of the other server: %v", err)
	}
	apptest.Must(t, ann.RevokeAPIKey(t.Context(), key.ID))
	for began := time.Now(); ; {
		if _, err := elsewhere.ListSecrets(t.Context()); err != nil {
			t.Logf("a key that the other server revoked is refused after %v", time.Since(began))
			break
		}
	}
	entries, err := os.ReadDir(folder)
	apptest.Must(t, err)
	for _, e := range entries {
		if e.Name() == "keysake.db" {
			t.Error("there is a database in the folder, too")
		}
	}
}
