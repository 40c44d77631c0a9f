package maintenance_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/maintenance"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// populate gives some users secrets with old versions, and deletes one user.
func populate(tb testing.TB, srv *apptest.Server) {
	tb.Helper()
	ctx := tb.Context()
	for u := range 3 {
		c := srv.ClientWith(tb, srv.NewUser(tb, fmt.Sprint("user-", u)))
		for s := range 4 {
			made, err := c.CreateSecret(
				ctx,
				wire.CreateSecret{
					Name:  fmt.Sprint("S", s),
					Value: plaintext.FromString(fmt.Sprintf("value %d of %d, first", s, u)),
				},
			)
			if err != nil {
				tb.Fatal(err)
			}
			if _, err := c.UpdateSecret(
				ctx,
				made.ID,
				wire.UpdateSecret{
					Value: plaintext.FromString(fmt.Sprintf("value %d of %d, second", s, u)),
				},
			); err != nil {
				tb.Fatal(err)
			}
		}
	}
	gone, err := srv.Client(tb).CreateUser(ctx, wire.CreateUser{Username: "gone"})
	if err == nil {
		err = srv.Client(tb).DeleteUser(ctx, gone.ID)
	}
	if err != nil {
		tb.Fatal(err)
	}
}

// site is a server with data whose root key is not with it, and a backup of that.
type site struct {
	*apptest.Server

	cfg    config.Config
	key    string // the root key's file
	backup string
}

func newSite(tb testing.TB) *site {
	tb.Helper()
	s := &site{
		cfg:    apptest.Config(tb),
		key:    filepath.Join(tb.TempDir(), "root.key"),
		backup: filepath.Join(tb.TempDir(), "backup"),
	}
	s.cfg.RootKeys = []string{"file:" + s.key}
	s.Server = apptest.StartWith(tb, s.cfg)
	s.cfg.RootKeys = nil
	populate(tb, s.Server)
	if _, err := maintenance.Backup(tb.Context(), s.cfg, nil, s.backup, false); err != nil {
		tb.Fatal(err)
	}
	return s
}

// instanceKeys returns the ids of the instance keys that a keys file names.
func instanceKeys(tb testing.TB, cfg config.Config) []uuid.UUID {
	tb.Helper()
	ids, err := instance.NewKeys(cfg, nil).InstanceKeys()
	if err != nil {
		tb.Fatal(err)
	}
	return ids
}

// elsewhere returns the settings of a data folder that is not there yet.
func (s *site) elsewhere(tb testing.TB) config.Config {
	tb.Helper()
	cfg := s.cfg
	cfg.Data = filepath.Join(tb.TempDir(), "restored")
	cfg.Dev, cfg.Keys = false, s.cfg.DevKeysFile()
	return cfg
}

// restored restores a backup, and returns the settings of the new folder.
func restored(
	tb testing.TB, cfg config.Config, file string, o maintenance.RestoreOptions,
) config.Config {
	tb.Helper()
	done, err := maintenance.Restore(tb.Context(), cfg, nil, file, o)
	if err != nil {
		tb.Fatal(err)
	}
	cfg.Keys, cfg.RootKeys, cfg.InstanceKeys = done.KeysFile, nil, nil
	return cfg
}

func TestARestoreOfABackupThatWasMadeUnderLoadIsCleanAndOpensEverything(t *testing.T) {
	s := newSite(t)
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	var lost sync.Map
	for n := range 4 {
		key := s.NewUser(t, fmt.Sprint("busy-", n))
		load.Go(func() {
			if err := keepCreating(ctx, s.ClientWith(t, key)); err != nil {
				lost.Store(n, err)
			}
		})
	}
	for n := range 3 {
		made, err := maintenance.Backup(t.Context(), s.cfg, nil, fmt.Sprint(s.backup, n), false)
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 && made.Rows["secrets"] < 12 {
			t.Errorf("%d secrets", made.Rows["secrets"])
		}
	}
	stop()
	load.Wait()
	lost.Range(func(_, err any) bool {
		t.Errorf("a request failed because of a backup: %v", err)
		return true
	})
	for n := range 3 {
		cfg := s.elsewhere(t)
		file := fmt.Sprint(s.backup, n)
		cfg = restored(t, cfg, file, maintenance.RestoreOptions{KeepAPIKeys: true})
		clean(t, cfg, "")
		if n == 2 {
			restored := apptest.StartWith(t, cfg)
			list, err := s.ClientWith(t, s.Key).ListUsers(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			there, err := restored.ClientWith(t, s.Key).ListUsers(t.Context())
			if err != nil || there.Total != list.Total {
				t.Errorf("%d users of %d: %v", there.Total, list.Total, err)
			}
		}
	}
}

func keepCreating(ctx context.Context, c *client.Client) error {
	for n := 0; ctx.Err() == nil; n++ {
		in := wire.CreateSecret{
			Name:  fmt.Sprint("N", n%100),
			Value: plaintext.FromString(fmt.Sprintf("a value of some length, number %d", n)),
		}
		made, err := c.CreateSecret(context.WithoutCancel(ctx), in)
		if err == nil && n >= 90 {
			err = c.DeleteSecret(context.WithoutCancel(ctx), made.ID)
			n--
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// examine returns the checks of a report by their names.
func examine(
	tb testing.TB, cfg config.Config, what maintenance.DoctorOptions,
) map[string]doctor.Check {
	tb.Helper()
	report, err := maintenance.Doctor(tb.Context(), cfg, nil, what)
	if err != nil {
		tb.Fatal(err)
	}
	byName := map[string]doctor.Check{}
	for _, c := range report.Checks {
		byName[c.Name] = c
		for _, text := range append(c.Details, c.Text, c.Advice) {
			if strings.Contains(text, "value 1 of") {
				tb.Errorf("%s shows a value", c.Name)
			}
		}
	}
	return byName
}

// clean wants every check to be ok.
func clean(tb testing.TB, cfg config.Config, backup string) {
	tb.Helper()
	checks := examine(tb, cfg, maintenance.DoctorOptions{Sample: doctor.All, Backup: backup})
	for _, c := range checks {
		if c.Status != doctor.OK {
			tb.Errorf("%+v", c)
		}
	}
	if want := 10; len(checks) < want {
		tb.Errorf("%d checks: %v", len(checks), checks)
	}
}

func TestABackupReplacesNothingUnlessItIsToldTo(t *testing.T) {
	s := newSite(t)
	info, err := os.Stat(s.backup)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v: %v", info.Mode(), err)
	}
	before, err := os.ReadFile(s.backup)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := maintenance.Backup(t.Context(), s.cfg, nil, s.backup, false); err == nil {
		t.Error("a backup was replaced")
	}
	if after, err := os.ReadFile(s.backup); err != nil || string(after) != string(before) {
		t.Errorf("the backup was changed: %v", err)
	}
	if _, err := maintenance.Backup(t.Context(), s.cfg, nil, s.backup, true); err != nil {
		t.Error(err)
	}
	if after, err := os.ReadFile(s.backup); err != nil || string(after) == string(before) {
		t.Errorf("the backup was not replaced: %v", err)
	}
	_, err = maintenance.Backup(t.Context(), s.elsewhere(t), nil, s.backup+"2", false)
	if !errors.Is(err, instance.ErrCannotOpen) {
		t.Errorf("of no database: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := maintenance.Backup(ctx, s.cfg, nil, s.backup+"3", false); err == nil {
		t.Error("a backup that was given up was made")
	}
	if names, err := filepath.Glob(filepath.Join(filepath.Dir(s.backup), "*")); err != nil ||
		len(names) != 1 {
		t.Errorf("there are %v: %v", names, err)
	}
	if names, err := filepath.Glob(filepath.Join(filepath.Dir(s.backup), ".*")); err != nil ||
		len(names) > 0 {
		t.Errorf("there are %v: %v", names, err)
	}
}

func TestABackupRemovesWhatKilledOnesLeft(t *testing.T) {
	s := newSite(t)
	dir := filepath.Dir(s.backup)
	whole, err := os.ReadFile(s.backup)
	if err != nil {
		t.Fatal(err)
	}
	for n, content := range [][]byte{nil, whole[:len(whole)/2], whole} {
		part := filepath.Join(dir, fmt.Sprintf(".monday.%d.part", n))
		if err := os.WriteFile(part, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tuesday := filepath.Join(dir, "tuesday")
	if _, err := maintenance.Backup(t.Context(), s.cfg, nil, tuesday, false); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("the folder has %v, want the two backups (%v)", entries, err)
	}
}

func TestARestoreIsRefusedForEachReasonAndThenWritesNothing(t *testing.T) {
	s := newSite(t)
	whole, err := os.ReadFile(s.backup)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "other.key")
	if _, err := rootkey.CreateKeyFile(other); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(t.TempDir(), "open.key")
	copyFile(t, s.key, open, 0o644)
	for what, c := range map[string]struct {
		backup  string
		rootKey string
		want    string
		start   bool // exit code 3
	}{
		"another root key":          {string(whole), "file:" + other, "does not name it", true},
		"a root key others can see": {string(whole), "file:" + open, "make it 0600", true},
		"no such file":              {"", "", "no such file", false},
		"a changed byte": {edited(
			t, string(whole), "secrets", "version", set("3"),
		), "", "digest", false},
		"an end that is missing": {string(whole[:len(whole)-200]), "", "cut short", false},
		"a newer format": {strings.Replace(
			string(whole), "keysake backup 1", "keysake backup 2", 1,
		), "", "newer keysake", false},
		"something else": {"SQLite format 3\x00", "", "not a Keysake backup", false},
		"a newer schema": {resigned(
			strings.Replace(string(whole), `"schema":1`, `"schema":99`, 1),
		), "", "newer keysake", false},
		"an owner key that does not open": {
			resigned(edited(t, string(whole), "owner_keys", "wrapped", flipped(100))), "",
			"owner key", false,
		},
		"a damaged row": {
			resigned(edited(t, string(whole), "users", "number", set("-1"))), "",
			"number", false,
		},
		"a root key's check value that does not open": {
			resigned(edited(t, string(whole), "root_keys", "check_value", flipped(70))), "",
			"root key", true,
		},
	} {
		file := filepath.Join(t.TempDir(), "backup")
		if c.backup != "" {
			if err := os.WriteFile(file, []byte(c.backup), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cfg := s.elsewhere(t)
		if c.rootKey != "" {
			cfg.RootKeys = []string{c.rootKey}
		}
		_, err := maintenance.Restore(t.Context(), cfg, nil, file, maintenance.RestoreOptions{})
		if err == nil || !strings.Contains(err.Error(), c.want) ||
			errors.Is(err, instance.ErrCannotOpen) != c.start {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := os.Stat(cfg.Data); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: something was written: %v", what, err)
		}
	}
	if err := os.Remove(s.key); err != nil {
		t.Fatal(err)
	}
	_, err = maintenance.Restore(
		t.Context(), s.elsewhere(t), nil, s.backup, maintenance.RestoreOptions{})
	if !errors.Is(err, instance.ErrCannotOpen) {
		t.Errorf("without its root key: %v", err)
	}
}

func TestARestoreNeedsAnEmptyFolderAndFinishesOneThatWasCutShort(t *testing.T) {
	s := newSite(t)
	cfg := s.elsewhere(t)
	for _, name := range []string{"keysake.db", "notes.txt"} {
		if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(cfg.Data, name)
		if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := maintenance.Restore(t.Context(), cfg, nil, s.backup, maintenance.RestoreOptions{})
		if err == nil ||
			!strings.Contains(err.Error(), "not empty") {
			t.Errorf("over %s: %v", name, err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != "mine" {
			t.Errorf("%s was touched: %v", name, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	half := filepath.Join(cfg.Data, ".restoring")
	if err := os.MkdirAll(half, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(half, "keysake.db"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	moved := filepath.Join(t.TempDir(), "moved.key")
	if err := os.Rename(s.key, moved); err != nil {
		t.Fatal(err)
	}
	named := instanceKeys(t, s.cfg)
	cfg.Keys, cfg.RootKeys, cfg.InstanceKeys = "", []string{"file:" + moved}, named
	cfg = restored(t, cfg, s.backup, maintenance.RestoreOptions{})
	if names, err := filepath.Glob(filepath.Join(cfg.Data, ".*")); err != nil || len(names) > 0 {
		t.Errorf("there are %v: %v", names, err)
	}
	clean(t, cfg, "") // the new keys file names them
}

func copyFile(tb testing.TB, from, to string, mode os.FileMode) {
	tb.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, mode)
	}
	if err == nil {
		err = os.Chmod(to, mode)
	}
	if err != nil {
		tb.Fatal(err)
	}
}
