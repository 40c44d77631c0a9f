package faults_test

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/store/postgres/pgtest"
)

// needs returns the path of a program. Without it the test is skipped, and fails where CI is set.
func needs(t *testing.T, name string) string {
	t.Helper()
	pgtest.Of(t) // or skip
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + name) // not in the path of every user
	}
	if err != nil && os.Getenv("CI") == "" {
		t.Skipf("%s is not installed: make fault-programs installs it", name)
	}
	apptest.Must(t, err)
	return path
}

// pooling is how PgBouncer pools here: fewer connections than its clients have.
const pooling = `[databases]
* = host=%s port=%d
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %s
unix_socket_dir =
auth_type = trust
auth_file = %s
pool_mode = transaction
default_pool_size = 4
max_client_conn = 200
logfile = %s
`

// startPooler starts PgBouncer before a server, until the test ends or it is killed. More are lines
// of its settings.
func startPooler(
	t *testing.T, db *pgtest.Server, address string, more ...string,
) *exec.Cmd {
	t.Helper()
	program, dir := needs(t, "pgbouncer"), forPostgres(t)
	_, port, err := net.SplitHostPort(address)
	apptest.Must(t, err)
	settings, users := filepath.Join(dir, "pgbouncer.ini"), filepath.Join(dir, "users")
	text := fmt.Sprintf(pooling, db.Socket(), db.Port(), port, users, filepath.Join(dir, "log"))
	text += strings.Join(more, "\n") + "\n"
	apptest.Must(t, os.WriteFile(settings, []byte(text), 0o644))
	apptest.Must(t, os.WriteFile(users, []byte(`"keysake" ""`), 0o644))
	cmd := exec.Command(program, settings)
	start(t, cmd)
	eventually(t, "PgBouncer listens", func() error {
		c, err := net.Dial("tcp", address)
		if err == nil {
			err = c.Close()
		}
		return err
	})
	return cmd
}

// forPostgres returns a folder that PostgreSQL's user may write.
func forPostgres(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "keysake-faults-*")
	apptest.Must(t, err)
	t.Cleanup(func() { apptest.Must(t, os.RemoveAll(dir)) })
	who, err := pgtest.Unprivileged()
	apptest.Must(t, err)
	if as := who.Credential; as != nil {
		apptest.Must(t, os.Chown(dir, int(as.Uid), int(as.Gid)))
	}
	return dir
}

// pooled returns the URL of a database through PgBouncer.
func pooled(t *testing.T, address, database string) string {
	t.Helper()
	u := url.URL{
		Scheme: "postgres", User: url.User("keysake"), Host: address,
		Path: "/" + databaseOf(t, database), RawQuery: "sslmode=disable",
	}
	return u.String()
}

func TestServersWorkThroughPgBouncer(t *testing.T) {
	t.Parallel()
	direct, address := pgtest.Empty(t), freeAddress(t)
	pooler := startPooler(t, pgtest.Of(t), address)
	servers := startServers(t, 2, pooled(t, address, direct), "--database-pooler")
	load := newLoad(t, servers)
	whole := t // until it ends, a pooler goes on
	inRounds(t, 1, func(t *testing.T, _ int) {
		t.Helper()
		load.t = t
		failed := load.failures()
		load.begin()
		load.reach(200)
		if load.failures() > failed {
			t.Errorf("nothing is wrong, and yet: %s", load.summary())
		}
		was := look(t, servers)
		load.measureGap()
		apptest.Must(t, pooler.Process.Kill())
		_ = pooler.Wait() // it was killed
		pooler = startPooler(whole, pgtest.Of(t), address)
		load.reach(100)
		load.end()
		was.checkServers(t, servers, direct)
		load.check()
		checkDatabase(t, servers[0], direct)
		t.Logf("%s; the longest time without a change: %v", load.summary(), load.longestGap())
	})
}
