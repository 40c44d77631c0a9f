package server_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/store/postgres/pgtest"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

func TestTwoServersOnOnePostgreSQLAgree(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	first := apptest.Start(t, func(c *config.Config) {
		c.DatabaseURL, c.DatabaseConnections = url, 4
	})
	folder := filepath.Join(t.TempDir(), "second")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	second := apptest.Start(t, func(c *config.Config) {
		c.DatabaseURL, c.DatabaseConnections = url, 4
		c.Dev, c.Data, c.Keys = false, folder, filepath.Join(first.Data, "keysake.keys")
	})
	second.Key = first.Key

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
	if _, err := elsewhere.ListSecrets(t.Context()); err == nil {
		t.Error("a key that the other server revoked is let in")
	}
	entries, err := os.ReadDir(folder)
	apptest.Must(t, err)
	for _, e := range entries {
		if e.Name() == "keysake.db" {
			t.Error("there is a database in the folder, too")
		}
	}
}
