package crash_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // to change a database past Keysake

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/floors"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// A remembering is a server with a floors file, a user with a secret, and a copy of the database as
// it was yesterday, before the secret got another value.
type remembering struct {
	*process

	floors, yesterday string
	user              string // the id
	key               plaintext.Value
	secret            wire.Secret
}

func startRemembering(t *testing.T) *remembering {
	t.Helper()
	data := newData(t)
	r := &remembering{floors: filepath.Join(t.TempDir(), "floors")}
	r.yesterday = r.floors + ".yesterday"
	r.process = start(t, data, "--floors", r.floors)
	r.user, r.key = r.newUser("mia")
	var err error
	value := plaintext.FromString("yesterdays-value-of-mia")
	r.secret, err = r.client(r.key).CreateSecret(
		t.Context(), wire.CreateSecret{Name: "KEPT", Value: value})
	apptest.Must(t, err)
	r.stop()
	db, err := os.ReadFile(r.path())
	apptest.Must(t, err)
	apptest.Must(t, os.WriteFile(r.yesterday, db, 0o600))
	r.restart()
	_, err = r.client(r.key).UpdateSecret(
		t.Context(), r.secret.ID,
		wire.UpdateSecret{Value: plaintext.FromString("the-value-of-mia-of-today")})
	apptest.Must(t, err)
	r.until("stores the floor", func() bool { return r.floor() == r.number() })
	return r
}

func (r *remembering) path() string { return filepath.Join(r.data, "keysake.db") }

func (r *remembering) restart() {
	r.t.Helper()
	r.process = start(r.t, r.data, "--floors", r.floors)
}

func (r *remembering) open() *sql.DB {
	r.t.Helper()
	db, err := sql.Open("sqlite", "file:"+r.path()+"?_pragma=busy_timeout(5000)")
	apptest.Must(r.t, err)
	db.SetMaxOpenConns(1) // for what is attached
	return db
}

// number returns the number of the user's ledger in the database.
func (r *remembering) number() (n uint64) {
	r.t.Helper()
	db := r.open()
	row := db.QueryRowContext(r.t.Context(), "SELECT number FROM users WHERE id = ?", r.user)
	apptest.Must(r.t, errors.Join(row.Scan(&n), db.Close()))
	return n
}

// floor returns the number that the floors file has.
func (r *remembering) floor() uint64 {
	r.t.Helper()
	content, err := floors.New(r.floors).Read()
	apptest.Must(r.t, err)
	for l, n := range content.Numbers {
		if l.User.String() == r.user {
			return n
		}
	}
	return 0
}

// keysake runs a command on the data folder, and returns its exit code and what it says.
func (r *remembering) keysake(args ...string) (int, string) {
	r.t.Helper()
	args = append(args, "--data", r.data, "--keys", filepath.Join(r.data, "keysake.keys"),
		"--floors", r.floors)
	cmd := exec.CommandContext(r.t.Context(), program, args...)
	cmd.Env = []string{"HOME=" + filepath.Dir(r.data)}
	out, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		r.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// read returns the status of a read of the user's secret, 0 for success.
func (r *remembering) read(key plaintext.Value) int {
	r.t.Helper()
	_, err := r.client(key).ListSecrets(r.t.Context())
	if refused, ok := errors.AsType[*client.Error](err); ok {
		return refused.Status
	}
	apptest.Must(r.t, err)
	return 0
}

// wantHealed accepts the older database beside the running server, which takes it over.
func (r *remembering) wantHealed(older string) {
	r.t.Helper()
	if code, out := r.keysake("doctor", "--all"); code != 1 ||
		!strings.Contains(out, "failed   freshness") || !strings.Contains(out, older) {
		r.t.Errorf("doctor: exit code %d\n%s", code, out)
	}
	code, out := r.keysake("floors", "reset")
	if code != 0 || !strings.Contains(out, "Accepted older data of mia.") {
		r.t.Errorf("floors reset: exit code %d\n%s", code, out)
	}
	r.until("takes the reset over", func() bool { return r.read(r.key) == 0 })
	r.kill()
	r.restart()
	if status := r.read(r.key); status != 0 {
		r.t.Errorf("after another start: %d", status)
	}
	if code, out := r.keysake("doctor", "--all"); !strings.Contains(out, "ok       freshness") {
		r.t.Errorf("doctor afterwards: exit code %d\n%s", code, out)
	}
	var entries int
	db := r.open()
	row := db.QueryRowContext(r.t.Context(),
		"SELECT count(*) FROM audit_entries WHERE action = 'floors.reset'")
	apptest.Must(r.t, errors.Join(row.Scan(&entries), db.Close()))
	if entries != 1 {
		r.t.Errorf("the reset is recorded %d times", entries)
	}
}

func TestAllRowsOfAUserThatWerePutBackWhileTheServerWasDownAreRefused(t *testing.T) {
	t.Parallel()
	r := startRemembering(t)
	r.kill()
	db := r.open()
	_, err := db.ExecContext(t.Context(), "ATTACH ? AS yesterday", r.yesterday)
	apptest.Must(t, err)
	for table, column := range map[string]string{
		"audit_entries": "owner_id", "secret_versions": "user_id", "secrets": "user_id",
		"api_keys": "user_id", "owner_keys": "user_id", "users": "id",
	} {
		for _, query := range []string{
			"DELETE FROM main.%[1]s WHERE %[2]s = ?",
			"INSERT INTO main.%[1]s SELECT * FROM yesterday.%[1]s WHERE %[2]s = ?",
		} {
			_, err := db.ExecContext(t.Context(), fmt.Sprintf(query, table, column), r.user)
			apptest.Must(t, err)
		}
	}
	apptest.Must(t, db.Close())
	r.restart()
	if status := r.read(r.key); status != 500 {
		t.Errorf("the user's rows of yesterday: %d", status)
	}
	if status := r.read(r.devKey()); status != 0 {
		t.Errorf("another user: %d", status)
	}
	r.until("logs it", func() bool {
		return strings.Contains(r.logs.String(), "the database was tampered with")
	})
	r.wantLog("ledger of user " + r.user)
	r.wantHealed("the data of user " + r.user + " (mia) is older")
}

func TestTheDatabaseOfYesterdayIsRefused(t *testing.T) {
	t.Parallel()
	r := startRemembering(t)
	r.kill()
	for _, suffix := range []string{"-wal", "-shm"} {
		_ = os.Remove(r.path() + suffix)
	}
	old, err := os.ReadFile(r.yesterday)
	apptest.Must(t, errors.Join(err, os.WriteFile(r.path(), old, 0o600)))
	r.restart()
	if status := r.read(r.key); status != 500 {
		t.Errorf("yesterday's database: %d", status)
	}
	r.until("logs it", func() bool {
		return strings.Contains(r.logs.String(), "the database was tampered with")
	})
	r.wantHealed("(mia) is older")
}

func TestAFloorsFileThatCannotBeWrittenStopsNobody(t *testing.T) {
	t.Parallel()
	data := newData(t)
	none := filepath.Join(t.TempDir(), "no-such-folder", "floors")
	p := start(t, data, "--floors", none)
	p.until("warns", func() bool {
		return strings.Contains(p.logs.String(), "the floors file cannot be written")
	})
	_, key := p.newUser("mia")
	if _, err := p.client(key).ListSecrets(t.Context()); err != nil {
		t.Error(err)
	}
	apptest.Must(t, os.Mkdir(filepath.Dir(none), 0o700))
	p.until("recovers", func() bool {
		return strings.Contains(p.logs.String(), "the floors file is written again")
	})
	p.stop()
	if strings.Count(p.logs.String(), "the floors file cannot be written") != 1 {
		t.Error("the warning is repeated")
	}
}
