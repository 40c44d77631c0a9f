package maintenance_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/maintenance"
	"github.com/keysake/keysake/internal/store/postgres/pgtest"
	"github.com/keysake/keysake/wire"
)

// onPostgres returns the settings of a server on an empty database of PostgreSQL.
func (s *site) onPostgres(t *testing.T) config.Config {
	t.Helper()
	cfg := s.elsewhere(t)
	cfg.RootKeys = []string{"file:" + s.key}
	cfg.DatabaseURL, cfg.DatabaseConnections = pgtest.Empty(t), 4
	return cfg
}

// heads returns the ends of all audit chains but the instance's, in which each restore is recorded.
func heads(t *testing.T, cfg config.Config) map[string]string {
	t.Helper()
	log, err := maintenance.ReadAuditLog(t.Context(), cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, c := range log.Chains[1:] {
		all[c.Whose+" "+c.ID.String()] = c.Hash.String()
	}
	return all
}

func wantClean(t *testing.T, cfg config.Config, backup string) {
	t.Helper()
	o := maintenance.DoctorOptions{Sample: doctor.All, Backup: backup}
	report, err := maintenance.Doctor(t.Context(), cfg, nil, o)
	if err != nil || report.Count(doctor.Failed) > 0 {
		t.Errorf("doctor: %v: %+v", err, report)
	}
}

func TestAHouseMovesToPostgreSQLAndBack(t *testing.T) {
	s := newSite(t)
	keep := maintenance.RestoreOptions{KeepAPIKeys: true}
	there := restored(t, s.onPostgres(t), s.backup, keep)
	wantClean(t, there, "")
	if diff := cmp.Diff(heads(t, s.cfg), heads(t, there)); diff != "" {
		t.Errorf("the audit chains there (-want +got):\n%s", diff)
	}
	if _, err := os.Stat(filepath.Join(there.Data, instance.DatabaseFile)); err == nil {
		t.Error("there is a database in the folder, too")
	}
	if _, err := maintenance.Restore(t.Context(), s.onPostgresAgain(t, there), nil, s.backup,
		keep); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("a restore into a database that is not empty: %v", err)
	}

	there.Listen = s.cfg.Listen
	server := apptest.StartWith(t, there)
	server.Key = s.Key
	users, err := server.Client(t).ListUsers(t.Context())
	apptest.Must(t, err)
	file := filepath.Join(t.TempDir(), "backup")
	_, err = maintenance.Backup(t.Context(), there, nil, file, false)
	apptest.Must(t, err)
	wantClean(t, there, file)

	back := there
	back.DatabaseURL, back.Data = "", filepath.Join(t.TempDir(), "back")
	back = restored(t, back, file, keep)
	wantClean(t, back, "")
	if diff := cmp.Diff(heads(t, there), heads(t, back)); diff != "" {
		t.Errorf("the audit chains back (-want +got):\n%s", diff)
	}
	again := apptest.StartWith(t, back)
	again.Key = s.Key
	found, err := again.Client(t).ListUsers(t.Context())
	apptest.Must(t, err)
	if diff := cmp.Diff(users, found); diff != "" {
		t.Errorf("the users (-there +back):\n%s", diff)
	}
}

// onPostgresAgain returns the settings of another folder with the database of cfg.
func (s *site) onPostgresAgain(t *testing.T, cfg config.Config) config.Config {
	t.Helper()
	again := s.onPostgres(t)
	again.DatabaseURL = cfg.DatabaseURL
	return again
}

func TestARestoreThatIsRefusedLeavesNoRowInPostgreSQL(t *testing.T) {
	s := newSite(t)
	cfg := s.onPostgres(t)
	o := maintenance.RestoreOptions{Username: "nobody"}
	if _, err := maintenance.Restore(t.Context(), cfg, nil, s.backup, o); err == nil {
		t.Error("it was restored")
	}
	o.Username = ""
	restored(t, cfg, s.backup, o)
}

// Servers of other machines have copies of the keys file. Each step of a rotation leaves a keys
// file with which a server works that has the file of the step before, and one that has the next.
func TestARotationOnPostgreSQLWaitsForTheKeysFilesOfOtherServers(t *testing.T) {
	cfg := apptest.Config(t)
	cfg.DatabaseURL, cfg.DatabaseConnections = pgtest.Empty(t), 4
	first := apptest.StartWith(t, cfg)
	other := cfg
	other.Dev, other.Data = false, filepath.Join(t.TempDir(), "other")
	other.Keys = other.Data + ".keys"
	copyKeys := func() {
		copyFile(t, cfg.DevKeysFile(), other.Keys, 0o600)
	}
	copyKeys()
	second := apptest.StartWith(t, other)
	second.Key = first.Key
	check := func(step string) {
		for _, s := range []*apptest.Server{first, second} {
			made, err := s.Client(t).CreateUser(t.Context(), wire.CreateUser{
				Username: strings.ReplaceAll(step, " ", "-"),
			})
			if err == nil {
				err = s.Client(t).DeleteUser(t.Context(), made.ID)
			}
			if err != nil {
				t.Errorf("%s: %v", step, err)
			}
		}
	}
	to := maintenance.NewRootKey{URL: "file:" + filepath.Join(t.TempDir(), "second")}
	turn := func(what string, rotate func() (next string, err error)) {
		for n := range 4 {
			next, err := rotate()
			if err != nil || strings.Contains(next, "again") != (n < 2) {
				t.Fatalf("%s, step %d: %q, %v", what, n, next, err)
			}
			check(what)
			if n < 2 {
				copyKeys()
				check(what + " with the copy")
				continue
			}
			copyKeys()
			return
		}
	}
	turn("root key", func() (string, error) {
		done, err := maintenance.RotateRootKey(t.Context(), cfg, nil, to, silent)
		return done.Next, err
	})
	check("after the root key")
	turn("instance key", func() (string, error) {
		done, err := maintenance.RotateInstanceKey(t.Context(), cfg, nil, nil, silent)
		return done.Next, err
	})
	check("after the instance key")
	err := errors.Join(first.End(), second.End())
	apptest.Must(t, err)
	wantClean(t, cfg, "")
}
