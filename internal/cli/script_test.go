package cli_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib" // a driver
	"github.com/rogpeppe/go-internal/testscript"
	_ "modernc.org/sqlite"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/cli"
	"github.com/keysake/keysake/internal/issuer/issuertest"
	"github.com/keysake/keysake/internal/keyring/keyringtest"
	"github.com/keysake/keysake/internal/process"
	"github.com/keysake/keysake/internal/store/postgres/pgtest"
)

func TestMain(m *testing.M) {
	testscript.Main(onBoth{m}, map[string]func(){"keysake": func() {
		if err := process.Harden(); err != nil {
			panic(err)
		}
		ctx := context.Background()
		os.Exit(cli.Main(ctx, os.Args[1:], os.LookupEnv, os.Stdin, os.Stdout, os.Stderr))
	}, "xdg-open": browse})
}

const scripts = "testdata/script"

// The scripts run the program, one process for each command, against a server that they start. They
// have testscript's commands and these:
//
//	start [NAME=VALUE…] ARGS…   run keysake serve in the background, and set $URL to its address
//	end                         stop it, require exit code 0, and write server.out and server.log
//	exits CODE COMMAND…         run a command, and require this exit code
//	rotated COMMAND…            run a rotation of keys, which is of one call, or on PostgreSQL of
//	                            as many as it takes
//	mode MODE FILE              require these permissions of FILE
//	idof STATE NAME             set $NAME to the id of the last key in this state, from the
//	                            stdout of "root-key status --json" or of instance-key
//	keep DATA                   keep a copy of the database, whose server has ended
//	putback DATA                put the copy in its place, as somebody who writes it
//	tamper DATA USER            break the user's ledger in the database, as somebody who writes it
//	certificate CERT KEY        write a new certificate for 127.0.0.1, and its key
//	repeat FILE HEAD C N TAIL   write HEAD, N times C, and TAIL to FILE: a value that has a
//	                            provider's format, and is no real key
//	keyring [lock|freeze|thaw]  start a real keyring, which the script's session has from now
//	                            on, or lock it, or make it answer nothing, or again
//	entries N                   require N entries of Keysake in the keyring
//	database                    name another empty database in KEYSAKE_DATABASE_URL from now on,
//	                            where the script runs on PostgreSQL
//
// and the condition [postgres].
func TestScripts(t *testing.T) {
	found, err := filepath.Glob(scripts + "/*.txtar")
	if err != nil || len(found) < 10 {
		t.Fatalf("%d scripts were found: %v", len(found), err)
	}
	t.Run("SQLite", func(t *testing.T) { runScripts(t, false, found) })
	t.Run("PostgreSQL", func(t *testing.T) {
		pgtest.Of(t) // or skip
		own, err := filepath.Glob("testdata/postgres/*.txtar")
		if err != nil || len(own) == 0 {
			t.Fatalf("%d scripts: %v", len(own), err)
		}
		runScripts(t, true, append(found, own...))
	})
}

func runScripts(t *testing.T, postgres bool, files []string) {
	t.Helper()
	testscript.Run(t, testscript.Params{
		Files:               files,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Condition: func(name string) (bool, error) {
			if name != "postgres" {
				return false, fmt.Errorf("unknown condition %s", name)
			}
			return postgres, nil
		},
		Setup: func(env *testscript.Env) error {
			env.Setenv("KEYSAKE_CONFIG_DIR", filepath.Join(env.WorkDir, "login"))
			if postgres {
				url, err := newDatabase(env.Defer)
				if err != nil {
					return err
				}
				env.Setenv("KEYSAKE_DATABASE_URL", url)
				env.Setenv("KEYSAKE_DATABASE_CONNECTIONS", "4")
			}
			env.Values[serverKey{}] = &background{env: env.Vars, postgres: postgres}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"start": start, "end": end, "exits": exits, "rotated": rotated,
			"mode": mode, "idof": idof, "repeat": repeat, "tamper": tamper, "keep": keep,
			"putback": putBack, "certificate": certificate, "database": database,
			"issuer": startIssuer, "token": issueToken,
			"keyring": useKeyring, "entries": entries,
		},
	})
}

// newDatabase makes an empty database that is given back at the end of a script.
func newDatabase(atEnd func(func())) (url string, err error) {
	url, giveBack, err := pgtest.Migrated.Take(context.Background())
	if err == nil {
		atEnd(func() {
			if err := giveBack(); err != nil {
				panic(err)
			}
		})
	}
	return url, err
}

func database(ts *testscript.TestScript, neg bool, args []string) {
	b := ts.Value(serverKey{}).(*background)
	if neg || len(args) > 0 {
		ts.Fatalf("usage: database")
	}
	if b.postgres {
		url, err := newDatabase(ts.Defer)
		ts.Check(err)
		ts.Setenv("KEYSAKE_DATABASE_URL", url)
	}
}

type serverKey struct{}

// background is a script's server.
type background struct {
	env       []string // of the script, as it was set up
	postgres  bool
	cmd       *exec.Cmd
	out, logs *apptest.Buffer
	ended     chan struct{}
	issuer    *issuertest.Issuer   // nil before one was started
	keyring   *keyringtest.Keyring // as well
}

var (
	assignment = regexp.MustCompile(`^(KEYSAKE_[A-Z_]+|SSL_CERT_FILE)=`)
	listening  = regexp.MustCompile(`(?m)^Keysake is listening on (\S+)$`)
)

const timeout = 30 * time.Second

func start(ts *testscript.TestScript, neg bool, args []string) {
	b := ts.Value(serverKey{}).(*background)
	if neg || b.cmd != nil {
		ts.Fatalf("usage: start [NAME=VALUE…] ARGS…, once before end")
	}
	const url = "KEYSAKE_DATABASE_URL"
	env := append(slices.Clone(b.env), url+"="+ts.Getenv(url))
	for len(args) > 0 && assignment.MatchString(args[0]) {
		env, args = append(env, args[0]), args[1:]
	}
	path, err := os.Executable()
	ts.Check(err)
	b.cmd = exec.Command(path, append([]string{"serve"}, args...)...)
	b.cmd.Args[0] = "keysake" // makes the test's binary run the program
	b.cmd.Dir, b.cmd.Env = ts.MkAbs("."), env
	b.out, b.logs, b.ended = &apptest.Buffer{}, &apptest.Buffer{}, make(chan struct{})
	b.cmd.Stdout, b.cmd.Stderr = b.out, b.logs
	ts.Check(b.cmd.Start())
	cmd, ended := b.cmd, b.ended
	go func() {
		defer close(ended)
		_ = cmd.Wait() // end reads the exit code
	}()
	ts.Defer(func() {
		_ = cmd.Process.Kill() // fails if the script stopped it
		<-ended
	})
	for deadline := time.Now().Add(timeout); ; time.Sleep(2 * time.Millisecond) {
		if m := listening.FindStringSubmatch(b.out.String()); m != nil {
			ts.Setenv("URL", m[1])
			return
		}
		select {
		case <-ended:
			ts.Fatalf("the server ended: %v\n%s%s", cmd.ProcessState, b.out, b.logs)
		default:
		}
		if time.Now().After(deadline) {
			ts.Fatalf("the server does not listen\n%s", b.logs)
		}
	}
}

func end(ts *testscript.TestScript, neg bool, args []string) {
	b := ts.Value(serverKey{}).(*background)
	if neg || len(args) > 0 || b.cmd == nil {
		ts.Fatalf("usage: end, after start")
	}
	ts.Check(b.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-b.ended:
	case <-time.After(timeout):
		ts.Fatalf("the server does not stop\n%s", b.logs)
	}
	if code := b.cmd.ProcessState.ExitCode(); code != 0 {
		ts.Fatalf("the server ended with exit code %d\n%s", code, b.logs)
	}
	ts.Check(os.WriteFile(ts.MkAbs("server.out"), []byte(b.out.String()), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("server.log"), []byte(b.logs.String()), 0o600))
	b.cmd = nil
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND…")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if want, err := strconv.Atoi(args[0]); err != nil || code != want {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

func mode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode MODE FILE")
	}
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}

func tamper(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: tamper DATA USER")
	}
	driver := "sqlite"
	url := "file:" + filepath.Join(ts.MkAbs(args[0]), "keysake.db") + "?_pragma=busy_timeout(10000)"
	if ts.Value(serverKey{}).(*background).postgres {
		driver, url = "pgx", ts.Getenv("KEYSAKE_DATABASE_URL")
	}
	db, err := sql.Open(driver, url)
	ts.Check(err)
	_, err = db.Exec("UPDATE users SET ledger = $1 WHERE username = $2", []byte{0}, args[1])
	ts.Check(errors.Join(err, db.Close()))
}

func keep(ts *testscript.TestScript, _ bool, args []string) {
	copyDatabase(ts, args, "keysake.db", "kept.db", `CREATE SCHEMA kept`,
		`CREATE TABLE kept.%[1]s AS TABLE %[1]s`)
}

func putBack(ts *testscript.TestScript, _ bool, args []string) {
	copyDatabase(ts, args, "kept.db", "keysake.db", `SET session_replication_role = replica`,
		`DELETE FROM %[1]s; INSERT INTO %[1]s TABLE kept.%[1]s`)
}

// copyDatabase copies a file, or on PostgreSQL executes a statement, and another one for each
// table.
func copyDatabase(
	ts *testscript.TestScript, args []string, from, to, first, each string,
) {
	if len(args) != 1 {
		ts.Fatalf("usage: keep DATA or putback DATA")
	}
	if !ts.Value(serverKey{}).(*background).postgres {
		content, err := os.ReadFile(filepath.Join(ts.MkAbs(args[0]), from))
		ts.Check(err)
		ts.Check(os.WriteFile(filepath.Join(ts.MkAbs(args[0]), to), content, 0o600))
		return
	}
	ctx := context.Background()
	c, err := pgx.Connect(ctx, ts.Getenv("KEYSAKE_DATABASE_URL"))
	ts.Check(err)
	defer c.Close(ctx)
	rows, err := c.Query(ctx, `SELECT tablename FROM pg_tables
		WHERE schemaname = current_schema() AND tablename <> 'goose_db_version'`)
	ts.Check(err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	ts.Check(err)
	statements := first
	for _, table := range tables {
		statements += "; " + fmt.Sprintf(each, table)
	}
	_, err = c.PgConn().Exec(ctx, statements).ReadAll()
	ts.Check(err)
}

func certificate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: certificate CERT KEY")
	}
	cert, key, err := apptest.NewCertificate()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), cert, 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), key, 0o600))
}

func repeat(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 5 {
		ts.Fatalf("usage: repeat FILE HEAD C N TAIL")
	}
	n, err := strconv.Atoi(args[3])
	ts.Check(err)
	text := args[1] + strings.Repeat(args[2], n) + args[4]
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

func idof(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: idof STATE NAME")
	}
	type key struct{ ID, State string }
	var status struct {
		RootKeys     []key `json:"root_keys"`
		InstanceKeys []key `json:"instance_keys"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &status))
	ts.Setenv(args[1], "")
	for _, k := range append(status.RootKeys, status.InstanceKeys...) {
		if k.State == args[0] {
			ts.Setenv(args[1], k.ID)
		}
	}
}

func rotated(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: rotated COMMAND…")
	}
	const calls = 3 // the new key is named last, then first, then used
	for range calls {
		ts.Check(ts.Exec(args[0], args[1:]...))
		if !strings.Contains(ts.ReadFile("stderr"), "run this again") {
			return
		}
	}
	ts.Fatalf("the rotation is not complete after %d calls", calls)
}
