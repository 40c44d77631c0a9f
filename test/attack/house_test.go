// Package attack_test attacks the product as somebody who holds its disk: who reads and writes
// every row and every backup at any time, also while a server runs, may have an API key of their
// own, and has no root key, no server's memory and no configuration. The attacker of a [Run] has
// what a program has whose key is at the broker.
//
// Each test is one attack, and its name says what must not happen.
package attack_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	_ "modernc.org/sqlite"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/server"
	"github.com/keysake/keysake/internal/vault/vaulttest"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// A House is a server that serves three people, and an attacker's connection to its database.
type House struct {
	*apptest.Server

	t   *testing.T
	cfg config.Config
	db  *sql.DB // the attacker's

	wrote *atomic.Int64 // when the attacker wrote last, in Unix nanoseconds

	ada, mia, eve Person // the admin, the victim, and a user who works for the attacker

	// Of mia the first two, of which one is of version 2; the third is eve's.
	one, two, eves wire.Secret
}

// A Person is a user with an API key.
type Person struct {
	name, id, keyID string
	key             plaintext.Value
}

// newHouse starts a server with its people and their secrets.
func newHouse(t *testing.T) *House {
	t.Helper()
	t.Parallel()
	return newHouse2(t)
}

// newHouse2 is newHouse for the second house of a test.
func newHouse2(t *testing.T) *House {
	t.Helper()
	return newHouseWith(t, "")
}

// newHouseWith is newHouse2 with a root key that the operator names, and a passphrase's file.
func newHouseWith(t *testing.T, rootKey string, passphrase ...string) *House {
	t.Helper()
	cfg := apptest.Config(t)
	cfg.Dev = false
	if rootKey != "" {
		cfg.RootKeys = []string{rootKey}
	}
	cfg.RootPassphraseFile = strings.Join(passphrase, "")
	first, err := instance.Init(t.Context(), cfg, nil, "ada")
	apptest.Must(t, err)
	cfg.RootKeys = nil // the keys file names it
	h := &House{
		t: t, cfg: cfg, Server: apptest.StartWith(t, cfg), wrote: new(atomic.Int64),
	}
	h.connect()
	h.ada = Person{name: "ada", key: first.Key}
	me, err := h.as(h.ada).WhoAmI(t.Context())
	apptest.Must(t, err)
	h.ada.id = me.ID
	h.ada.keyID = h.row("api_keys", "user_id = ?", me.ID).text("id")
	h.mia, h.eve = h.newPerson("mia"), h.newPerson("eve")
	h.one = h.create(h.mia, "ONE")
	h.two = h.create(h.mia, "TWO")
	h.eves = h.create(h.eve, "EVES")
	h.one = h.update(h.mia, h.one.ID, "ONE", "second")
	return h
}

func (h *House) connect() {
	h.t.Helper()
	var err error
	h.db, err = sql.Open("sqlite", "file:"+h.file()+"?_pragma=busy_timeout(10000)")
	apptest.Must(h.t, err)
	h.db.SetMaxOpenConns(1)
	db := h.db
	h.t.Cleanup(func() { _ = db.Close() })
}

func (h *House) file() string { return filepath.Join(h.cfg.Data, instance.DatabaseFile) }

// as returns a client of the server that runs now.
func (h *House) as(p Person) *client.Client {
	h.t.Helper()
	h.noticed()
	return h.ClientWith(h.t, p.key)
}

var everyScope = []string{
	"secrets:read", "secrets:write", "leases:write", "keys:write", "audit:read",
}

func (h *House) newPerson(name string) Person {
	h.t.Helper()
	user, err := h.as(h.ada).CreateUser(h.t.Context(), wire.CreateUser{Username: name})
	apptest.Must(h.t, err)
	in := wire.CreateAPIKey{AllowedScopes: &everyScope, Name: &name}
	key, err := h.as(h.ada).CreateAPIKeyFor(h.t.Context(), user.ID, in)
	apptest.Must(h.t, err)
	return Person{name, user.ID, key.ID, plaintext.FromString(key.Key)}
}

// newKey makes another API key for the user, below the person's own.
func (h *House) newKey(p Person, name string, scopes ...string) Person {
	h.t.Helper()
	key, err := h.as(p).CreateAPIKey(
		h.t.Context(), wire.CreateAPIKey{AllowedScopes: &scopes, Name: &name})
	apptest.Must(h.t, err)
	return Person{p.name, p.id, key.ID, plaintext.FromString(key.Key)}
}

// value returns the value of a secret of a person, by the secret's name and a word.
func value(p Person, name, word string) plaintext.Value {
	return plaintext.FromString(fmt.Sprintf("%s-value-of-%s-of-%s", word, name, p.name))
}

func (h *House) create(p Person, name string) wire.Secret {
	h.t.Helper()
	s, err := h.as(p).CreateSecret(
		h.t.Context(), secretOf(p, name))
	apptest.Must(h.t, err)
	return s
}

func (h *House) update(p Person, id, name, word string) wire.Secret {
	h.t.Helper()
	s, err := h.as(p).UpdateSecret(
		h.t.Context(), id, wire.UpdateSecret{Value: value(p, name, word)})
	apptest.Must(h.t, err)
	return s
}

// restart stops the server, and starts another on what the attacker left.
func (h *House) restart() {
	h.t.Helper()
	h.Stop(h.t)
	h.Server = apptest.StartWith(h.t, h.cfg)
}

// both runs the part of a test with the server that runs, and with one that was just started.
func (h *House) both(use func()) {
	h.t.Helper()
	use()
	h.restart()
	use()
}

// start starts a server on what the attacker left, and returns its error if it refuses.
func (h *House) start() error {
	h.t.Helper()
	h.Stop(h.t)
	ctx, stop := context.WithCancel(h.t.Context())
	defer stop()
	banner, done := &apptest.Buffer{}, make(chan error, 1)
	go func() { done <- server.Run(ctx, h.cfg, nil, banner, io.Discard) }()
	for !strings.Contains(banner.String(), "listening on") {
		select {
		case err := <-done:
			if err == nil {
				err = errors.New("the server ended")
			}
			return err
		case <-time.After(time.Millisecond):
		}
	}
	stop()
	apptest.Must(h.t, <-done)
	h.Server = apptest.StartWith(h.t, h.cfg)
	return nil
}

// open returns the value of a secret, as what delivers it to a program does.
func (h *House) open(p Person, id string) (value plaintext.Value, err error) {
	h.t.Helper()
	i, err := instance.Open(
		h.t.Context(), h.cfg, instance.NewKeys(h.cfg, nil), instance.Shared)
	if err != nil {
		return value, err
	}
	defer func() { err = errors.Join(err, i.Close()) }()
	who, err := i.Vault.Authenticate(h.t.Context(), p.key)
	if err != nil {
		return value, err
	}
	return vaulttest.OpenSecret(h.t.Context(), i.Vault, who, uuid.MustParse(id))
}

// elsewhere returns the settings of a house that is not there yet and has the configuration of
// this one: what lies beside the data folder, but not what is in it.
func (h *House) elsewhere() config.Config {
	h.t.Helper()
	cfg := h.cfg
	cfg.Data = filepath.Join(h.t.TempDir(), "data")
	beside, err := filepath.Glob(h.cfg.Data + ".*")
	apptest.Must(h.t, err)
	for _, path := range beside {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			continue // the checkpoints
		}
		content, err := os.ReadFile(path)
		apptest.Must(h.t, err)
		to := cfg.Data + strings.TrimPrefix(path, h.cfg.Data)
		apptest.Must(h.t, os.WriteFile(to, content, 0o600))
	}
	return cfg
}
