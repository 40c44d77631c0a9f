package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/keysake/keysake/bundle"
	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/store/postgres/pgtest"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/test/load"
	"github.com/keysake/keysake/wire"
)

// A cost is what a run costs PostgreSQL.
type cost struct {
	processor time.Duration // of all its processes
	log       float64       // bytes
}

// The library of a user, and how many of it there are. A run is a lease of half of it.
const (
	users   = 16
	secrets = 10
)

// measure has every user make leases, all at once, at a server on a new PostgreSQL.
func measure(ctx context.Context, runs int) (c cost, err error) {
	dir, err := os.MkdirTemp("", "keysake-primary-")
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	db, err := pgtest.Start(os.TempDir())
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, db.Stop()) }()
	cfg := apptest.ConfigIn(dir)
	cfg.DatabaseURL, cfg.DatabaseConnections = db.URL("postgres"), users
	cfg.LogLevel = 4
	s, err := apptest.Launch(cfg)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, s.End()) }()
	all := make([]*library, users)
	for i := range all {
		if all[i], err = newLibrary(ctx, s, i); err != nil {
			return c, err
		}
	}
	if err := lease(ctx, all, users); err != nil { // what is slow at first
		return c, err
	}
	before, err := used(ctx, db)
	if err != nil {
		return c, err
	}
	if err := lease(ctx, all, runs); err != nil {
		return c, err
	}
	after, err := used(ctx, db)
	return cost{
		processor: (after.processor - before.processor) / time.Duration(runs),
		log:       (after.log - before.log) / float64(runs),
	}, err
}

// A library is a user who makes leases.
type library struct {
	*client.Client
	leased []string
}

func newLibrary(ctx context.Context, s *apptest.Server, number int) (*library, error) {
	key, err := s.AddUser(ctx, fmt.Sprintf("user-%d", number))
	if err != nil {
		return nil, err
	}
	c, err := client.New(s.URL, key)
	l := &library{Client: c}
	for i := 0; err == nil && i < secrets; i++ {
		var made wire.Secret
		made, err = l.CreateSecret(ctx, wire.CreateSecret{
			Name: fmt.Sprintf("SECRET_%d", i), Value: plaintext.FromString(strings.Repeat("x", 80)),
		})
		l.leased = append(l.leased, made.ID)
	}
	l.leased = l.leased[:secrets/2]
	return l, err
}

// lease makes so many leases in all.
func lease(ctx context.Context, all []*library, runs int) error {
	key, err := bundle.NewKey(bundle.XWing)
	if err != nil {
		return err
	}
	errs := make(chan error)
	for i, l := range all {
		go func() {
			var err error
			for n := i; err == nil && n < runs; n += len(all) {
				_, err = l.CreateLease(ctx, wire.CreateLease{
					SecretIDs: l.leased, Delivery: wire.DeliveryBundle,
					Recipient: new(key.Recipient().String()),
				})
			}
			errs <- err
		}()
	}
	for range all {
		err = errors.Join(err, <-errs)
	}
	return err
}

// used returns what PostgreSQL has used so far.
func used(ctx context.Context, db *pgtest.Server) (c cost, err error) {
	conn, err := pgx.Connect(ctx, db.URL("postgres"))
	if err != nil {
		return c, err
	}
	defer conn.Close(ctx) //nolint:errcheck // it was only read
	const position = "SELECT (pg_current_wal_lsn() - '0/0')::float8"
	if err := conn.QueryRow(ctx, position).Scan(&c.log); err != nil {
		return c, err
	}
	text, err := os.ReadFile(filepath.Join(db.Socket(), "data", "postmaster.pid"))
	if err != nil {
		return c, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	first, err := strconv.Atoi(line)
	if err != nil {
		return c, err
	}
	children, err := pgtest.Children(first)
	for _, pid := range append(children, first) {
		c.processor += load.BusyOf(pid)
	}
	return c, err
}
