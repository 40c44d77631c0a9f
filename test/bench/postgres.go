package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/keysake/keysake/internal/store/postgres/pgtest"
	"github.com/keysake/keysake/test/figures"
	"github.com/keysake/keysake/test/load"
)

// What is measured beside Keysake on PostgreSQL.
const (
	twoServers = "two servers"
	onSQLite   = "on SQLite"
	pgbench    = "pgbench"
)

// A shared is a PostgreSQL server with a database that two servers use, and a third server that has
// SQLite and as much in it.
type shared struct {
	*bench

	postgres           *pgtest.Server
	url                string
	first, second, own *load.Process
	lib, ownLib        *library
	creates            job
}

// measurePostgres measures Keysake on PostgreSQL in turn with pgbench, which sends the statements
// of a create to the same server.
func (b *bench) measurePostgres(ctx context.Context) (err error) {
	s := &shared{bench: b}
	// PostgreSQL's user must reach its folder
	if s.postgres, err = pgtest.Start(cmp.Or(b.settings.dir, os.TempDir())); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.postgres.Stop()) }()
	if err := s.prepare(ctx); err != nil {
		return err
	}
	defer s.first.Kill()
	defer s.second.Kill()
	defer s.own.Kill()
	for i := range b.rounds {
		r := &round{bench: b, number: i, lib: s.lib, server: s.first}
		if err := s.measureRound(ctx, r); err != nil {
			return fmt.Errorf("round %d: %w", i+1, err)
		}
	}
	b.found.Goals = s.goals()
	return errors.Join(s.first.Stop(), s.second.Stop(), s.own.Stop())
}

// prepare starts the servers, and fills both databases.
func (s *shared) prepare(ctx context.Context) error {
	const database = "keysake"
	s.url = s.postgres.URL(database)
	if err := s.statement(ctx, "postgres", "CREATE DATABASE "+database); err != nil {
		return err
	}
	start := func(name string, flags ...string) (*load.Process, error) {
		data := filepath.Join(s.dir, name)
		return load.StartServer(ctx, s.binary, data,
			append(flags, "--floors", data+".floors")...)
	}
	var err error
	if s.first, err = start("first", "--database-url", s.url); err != nil {
		return err
	}
	began := time.Now()
	if s.lib, err = s.fillServer(ctx, s.first); err != nil {
		return err
	}
	took := time.Since(began)
	s.creates = s.lib.creates()
	keys := filepath.Join(s.first.Data, "keysake.keys") // they name the same root key
	data := filepath.Join(s.dir, "second")
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	s.second, err = load.StartAnother(ctx, s.binary, data, "--database-url", s.url,
		"--keys", keys, "--floors", data+".floors")
	if err != nil {
		return err
	}
	if s.own, err = start("own"); err != nil {
		return err
	}
	if s.ownLib, err = s.fillServer(ctx, s.own); err != nil {
		return err
	}
	s.found.Settings = figures.Settings{
		Rounds: s.rounds, Seconds: s.time.Seconds(), WarmUp: s.warmUp.Seconds(), Users: s.users,
		Secrets: s.lib.secrets(), FillTook: took.Seconds(), DriveProc: 1,
	}
	return s.statement(ctx, database, `CREATE TABLE bench_users AS
		SELECT (row_number() OVER ())::int AS n, id FROM users WHERE username LIKE 'floor-%';
		ALTER TABLE bench_users ADD PRIMARY KEY (n); ANALYZE`)
}

func (s *shared) fillServer(ctx context.Context, server *load.Process) (*library, error) {
	f, lib, err := newFiller(ctx, server)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	tokens, _, err := f.users(ctx, readerPrefix, s.users, 0)
	if err == nil {
		lib.writers, _, err = f.users(ctx, writerPrefix, s.users, 0)
	}
	if err == nil {
		_, _, err = f.users(ctx, "floor-", s.users, 0)
	}
	if err == nil {
		err = f.fill(ctx, lib, tokens, perReader)
	}
	return lib, err
}

func (s *shared) statement(ctx context.Context, database, sql string) error {
	c, err := pgx.Connect(ctx, s.postgres.URL(database))
	if err != nil {
		return err
	}
	_, err = c.PgConn().Exec(ctx, sql).ReadAll()
	return errors.Join(err, c.Close(ctx))
}

func (s *shared) measureRound(ctx context.Context, r *round) error {
	err := r.inTurn(creating, 64, r.ours(ctx, 64, s.creates),
		side{twoServers, func() (figures.Sample, error) { return s.driveBoth(ctx, 64, s.creates) }},
		side{pgbench, func() (figures.Sample, error) { return s.floor(ctx, 64) }})
	if err == nil {
		err = r.inTurn(reading, clients16, r.ours(ctx, clients16, s.lib.reads()),
			side{onSQLite, func() (figures.Sample, error) {
				return s.drive(ctx, s.own, clients16, s.ownLib.reads())
			}})
	}
	if err == nil {
		err = r.measureLeases(ctx)
	}
	return err
}

// driveBoth has half of the clients at each server.
func (s *shared) driveBoth(ctx context.Context, clients int, j job) (figures.Sample, error) {
	type result struct {
		figures.Sample

		err error
	}
	results := make(chan result, 2)
	for _, server := range []*load.Process{s.first, s.second} {
		go func() {
			sample, err := s.drive(ctx, server, clients/2, j)
			results <- result{sample, err}
		}()
	}
	a, b := <-results, <-results
	a.Requests += b.Requests
	a.PerSecond += b.PerSecond
	a.P50, a.P99 = (a.P50+b.P50)/2, max(a.P99, b.P99)
	return a.Sample, errors.Join(a.err, b.err)
}

// create has the statements of a create, with the lengths of its values.
const create = `\set u random(1, %d)
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
SELECT u.id AS id, u.number + 1 AS next FROM users u JOIN bench_users b ON b.id = u.id
	WHERE b.n = :u FOR NO KEY UPDATE OF u \gset
INSERT INTO secrets (id, user_id, name, provider, version, stamp, sealed_mask, sealed_value,
		created_at, updated_at, remind_before)
	VALUES (gen_random_uuid()::text, :id, gen_random_uuid()::text, 'openai', 1,
		decode(repeat('ab', 16), 'hex'), decode(repeat('ab', 66), 'hex'),
		decode(repeat('ab', 95), 'hex'), 1, 1, 1209600000000);
INSERT INTO audit_entries (owner_id, seq, at, user_id, credential_kind, credential_id, on_behalf_of,
		client, action, outcome, target_kind, target_id, target_name, target_version, lease_id, run,
		hash)
	VALUES (:id, :next, 1, :id, 'api-key', :id, '', '127.0.0.1', 'secret.create', 'done',
		'secret', :id, 'BARE', 1, '', '', decode(repeat('ab', 32), 'hex'));
UPDATE users SET number = :next, ledger = ledger WHERE id = :id;
COMMIT;
`

// floor is what pgbench does with so many clients.
func (s *shared) floor(ctx context.Context, clients int) (sample figures.Sample, err error) {
	script := filepath.Join(s.dir, "create.sql")
	if err := os.WriteFile(script, fmt.Appendf(nil, create, s.users), 0o600); err != nil {
		return sample, err
	}
	seconds := strconv.Itoa(max(1, int((s.time + s.warmUp).Round(time.Second).Seconds())))
	cmd := exec.CommandContext(ctx, "pgbench", "-n", "-M", "prepared", "-f", script,
		"-c", strconv.Itoa(clients), "-T", seconds, s.url)
	var out, failed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &failed
	if err := cmd.Run(); err != nil {
		return sample, fmt.Errorf("pgbench: %w: %s", err, failed.Bytes())
	}
	return parsePgbench(&out)
}

// parsePgbench returns what pgbench prints of a run. It prints no median: the average is in its
// place.
func parsePgbench(out io.Reader) (sample figures.Sample, err error) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if rest, found := strings.CutPrefix(lines.Text(), "tps = "); found {
			rate, _, _ := strings.Cut(rest, " ")
			sample.PerSecond, err = strconv.ParseFloat(rate, 64)
		}
		if rest, found := strings.CutPrefix(lines.Text(), "latency average = "); found {
			average, _, _ := strings.Cut(rest, " ")
			var millis float64
			if millis, err = strconv.ParseFloat(average, 64); err == nil {
				sample.P50 = millis * 1000
			}
		}
	}
	if err == nil && sample.PerSecond == 0 {
		err = errors.New("pgbench prints no rate")
	}
	return sample, err
}

func (s *shared) goals() []figures.Goal {
	rate := func(side, work string, clients int) float64 {
		return figures.Find(s.found.Rows, side, work, clients).Of(figures.PerSecond).Median
	}
	ours := rate(figures.Keysake, creating, 64)
	read := rate(figures.Keysake, reading, clients16)
	return []figures.Goal{
		atLeast("create, 64 clients / pgbench", 0.6, over(ours, rate(pgbench, creating, 64)), ""),
		atLeast("create, 64 clients, two servers / one", 1,
			over(rate(twoServers, creating, 64), ours), ""),
		atLeast("read, 16 clients / SQLite", 0.5,
			over(read, rate(onSQLite, reading, clients16)), ""),
	}
}
