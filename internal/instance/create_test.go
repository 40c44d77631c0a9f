package instance_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/server"
	"github.com/keysake/keysake/internal/store/sqlite"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/wire"
)

// production returns the settings of a server that was not created by --dev: an empty folder, and a
// root key beside it.
func production(t *testing.T) config.Config {
	t.Helper()
	cfg := apptest.Config(t)
	cfg.Dev = false
	cfg.RootKeys = []string{"file:" + cfg.Data + ".root-key"}
	return cfg
}

func keyPath(cfg config.Config) string { return strings.TrimPrefix(cfg.RootKeys[0], "file:") }

// initialised is production with a first admin.
func initialised(t *testing.T) (config.Config, instance.FirstAdmin) {
	t.Helper()
	cfg := production(t)
	first, err := instance.Init(t.Context(), cfg, nil, "ada")
	apptest.Must(t, err)
	return cfg, first
}

func TestInitMakesAFolderThatServesItsFirstAdmin(t *testing.T) {
	t.Parallel()
	cfg, first := initialised(t)
	s := apptest.StartWith(t, cfg)
	me, err := s.ClientWith(t, first.Key).WhoAmI(t.Context())
	if err != nil || me.Username != "ada" || !me.IsPlatformAdmin || first.Username != "ada" ||
		first.Data != cfg.Data ||
		first.RootKey != cfg.RootKeys[0] {
		t.Errorf("the first admin is %+v: %v", me, err)
	}
	modes := map[string]os.FileMode{
		cfg.Data:                                  os.ModeDir | 0o700,
		filepath.Join(cfg.Data, "keysake.db"):     0o600,
		filepath.Join(cfg.Data, "keysake.db-wal"): 0o600,
		filepath.Join(cfg.Data, "keysake.lock"):   0o600,
		keyPath(cfg):                              0o600,
		cfg.Data + ".keys":                        0o600,
	}
	for path, mode := range modes {
		if info, err := os.Stat(path); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, want the mode %v", filepath.Base(path), err, mode)
		}
	}
	if info, err := os.Stat(keyPath(cfg)); err != nil || info.Size() != 32 {
		t.Errorf("the root key has not 32 bytes: %v", err)
	}
	if strings.Contains(s.Logs.String(), string(first.Key.Reveal())) {
		t.Error("the log has the key")
	}
}

func TestInitTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	cfg, _ := initialised(t)
	before := apptest.Files(t, cfg.Data)
	for _, username := range []string{"ada", "grace"} {
		_, err := instance.Init(t.Context(), cfg, nil, username)
		wantCannotOpen(t, err, "already has an admin")
		apptest.WantFiles(t, cfg.Data, before)
	}
}

func TestInitFinishesAFolderWhoseMakingWasCutShort(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(cfg config.Config) error{
		"only the folder": func(config.Config) error { return nil },
		"only the root key": func(cfg config.Config) error {
			_, err := rootkey.CreateKeyFile(keyPath(cfg))
			return err
		},
		"a database of no bytes": func(cfg config.Config) error {
			return os.WriteFile(filepath.Join(cfg.Data, "keysake.db"), nil, 0o600)
		},
		"an empty database": func(cfg config.Config) error {
			db, err := sqlite.Open(context.Background(), filepath.Join(cfg.Data, "keysake.db"))
			if err != nil {
				return err
			}
			return db.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := production(t)
			apptest.Must(t, os.MkdirAll(cfg.Data, 0o700))
			apptest.Must(t, begin(cfg))
			if name == "an empty database" {
				wantCannotOpen(
					t, server.Run(t.Context(), cfg, nil, io.Discard, io.Discard),
					"is not initialized: run keysake init",
				)
			}
			first, err := instance.Init(t.Context(), cfg, nil, "ada")
			apptest.Must(t, err)
			if _, err := apptest.StartWith(t, cfg).ClientWith(t, first.Key).
				ListUsers(t.Context()); err != nil {
				t.Errorf("the first admin cannot work: %v", err)
			}
		})
	}
}

func TestAFolderWithoutAnAdminGetsANewOneFromInit(t *testing.T) {
	t.Parallel()
	cfg, first := initialised(t)
	s := apptest.StartWith(t, cfg)
	s.RevokeWithAll(t, first.Key)
	s.Stop(t)
	second, err := instance.Init(t.Context(), cfg, nil, "ada")
	apptest.Must(t, err)
	again := apptest.StartWith(t, cfg)
	users, err := again.ClientWith(t, second.Key).ListUsers(t.Context())
	if err != nil || users.Total != 1 {
		t.Errorf("%d users, %v", users.Total, err)
	}
	if _, err := again.ClientWith(t, first.Key).WhoAmI(t.Context()); err == nil {
		t.Error("the revoked key works again")
	}
}

func TestAnOperatorWhoLostTheKeyGetsANewOneThatIsRecorded(t *testing.T) {
	t.Parallel()
	cfg, first := initialised(t)
	name, key, err := instance.NewAdminKey(t.Context(), cfg, nil, "")
	apptest.Must(t, err)
	s := apptest.StartWith(t, cfg)
	users, err := s.ClientWith(t, key).ListUsers(t.Context())
	if err != nil || users.Total != 1 || users.Users[0].Username != name {
		t.Errorf("%d users, %v", users.Total, err)
	}
	_, _, err = instance.NewAdminKey(t.Context(), cfg, nil, name)
	wantCannotOpen(t, err, "another keysake is running")
	keys, err := s.ClientWith(t, key).ListAPIKeys(t.Context())
	apptest.Must(t, err)
	if keys.Total != 2 || keys.APIKeys[0].ParentID != nil {
		t.Errorf("%d keys", keys.Total)
	}
	apptest.Must(t, s.ClientWith(t, key).RevokeAPIKey(t.Context(), keys.APIKeys[1].ID))
	if _, err := s.ClientWith(t, first.Key).WhoAmI(t.Context()); err == nil {
		t.Error("the lost key still works")
	}
	_, err = s.ClientWith(t, key).CreateUser(t.Context(), wire.CreateUser{Username: "grace"})
	apptest.Must(t, err)
	s.Stop(t)
	before := apptest.Files(t, cfg.Data)
	_, _, err = instance.NewAdminKey(t.Context(), cfg, nil, "nobody")
	wantCannotOpen(t, err, "there is no user nobody")
	apptest.WantFiles(t, cfg.Data, before)
	db, err := sqlite.Open(t.Context(), filepath.Join(cfg.Data, "keysake.db"))
	apptest.Must(t, err)
	defer db.Close()
	var entry audit.Entry
	apptest.Must(t, db.View(t.Context(), func(r vault.Reader) error {
		user, err := r.UserNamed(t.Context(), name)
		if err != nil {
			return err
		}
		return r.AuditEntries(t.Context(), user.Owner, func(e audit.Linked) error {
			if e.Target.Name == "from the operator" {
				entry = e.Entry
			}
			return nil
		})
	}))
	if entry.Action != "api-key.create-for" || entry.User != uuid.Nil {
		t.Errorf("what is recorded is %q by %v", entry.Action, entry.User)
	}
}

func TestWithoutADatabaseNothingStartsAndNothingIsMade(t *testing.T) {
	t.Parallel()
	cfg := production(t)
	before := apptest.Files(t, cfg.Data)
	wantCannotOpen(
		t, server.Run(t.Context(), cfg, nil, io.Discard, io.Discard),
		"has no database: create it with keysake init",
	)
	apptest.WantFiles(t, cfg.Data, before)
	if _, err := os.Stat(cfg.Data); err == nil {
		t.Error("the folder was made")
	}
}

func TestAnotherRootKeyThanItsOwnOpensNoDatabase(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, says string
		spoil      func(path string) error
	}{
		{"missing", "no such file", os.Remove},
		{"another", "the configuration does not name it", func(path string) error {
			other := make([]byte, 32)
			_, _ = rand.Read(other)
			return os.WriteFile(path, other, 0o600)
		}},
		{"cut off", "32 bytes", func(path string) error { return os.Truncate(path, 31) }},
		{"empty", "32 bytes", func(path string) error { return os.Truncate(path, 0) }},
		{"longer", "32 bytes", func(path string) error { return os.Truncate(path, 33) }},
		{"open to others", "make it 0600", func(path string) error { return os.Chmod(path, 0o640) }},
		{"a folder", "regular file", func(path string) error {
			return errors.Join(os.Remove(path), os.Mkdir(path, 0o700))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, _ := initialised(t)
			kept, err := os.ReadFile(keyPath(cfg))
			apptest.Must(t, err)
			apptest.Must(t, c.spoil(keyPath(cfg)))
			before := apptest.Files(t, cfg.Data)
			out := &apptest.Buffer{}
			wantCannotOpen(t, server.Run(t.Context(), cfg, nil, out, io.Discard), c.says)
			_, err = instance.Init(t.Context(), cfg, nil, "grace")
			wantCannotOpen(t, err, c.says)
			dev := cfg
			dev.Dev, dev.Keys = true, cfg.Data+".keys"
			wantCannotOpen(t, server.Run(t.Context(), dev, nil, out, io.Discard), c.says)
			apptest.WantFiles(t, cfg.Data, before)
			if out.String() != "" {
				t.Error("it said that it listens")
			}
			apptest.Must(t, os.RemoveAll(keyPath(cfg)))
			apptest.Must(t, os.WriteFile(keyPath(cfg), kept, 0o600))
			apptest.StartWith(t, cfg) // put back, it opens again
		})
	}
}

func TestDevDoesNotOpenAFolderThatItDidNotMake(t *testing.T) {
	t.Parallel()
	cfg, _ := initialised(t)
	before := apptest.Files(t, cfg.Data)
	cfg.Dev, cfg.Keys = true, cfg.Data+".keys"
	wantCannotOpen(
		t, server.Run(t.Context(), cfg, nil, io.Discard, io.Discard), "was not created by --dev",
	)
	apptest.WantFiles(t, cfg.Data, before)
}

func TestTheDevKeyIsAloneInItsFile(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	path := filepath.Join(s.Data, "dev-api-key")
	content, err := os.ReadFile(path)
	apptest.Must(t, err)
	if !regexp.MustCompile(`^ksk_[0-9A-Za-z]{49}$`).Match(content) {
		t.Errorf("%d bytes, which are not the key and nothing else", len(content))
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("its mode is %v: %v", info.Mode(), err)
	}
	if strings.Contains(s.Logs.String(), string(content)) {
		t.Error("the log has the key")
	}
}

func TestADevKeyThatDoesNotWorkIsReplaced(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(path string) error{
		"lost":    os.Remove,
		"cut off": func(path string) error { return os.Truncate(path, 20) },
		"revoked": nil,
	} {
		t.Run(name, func(t *testing.T) {
			s := apptest.Start(t)
			_, err := s.Client(t).
				CreateSecret(t.Context(), wire.CreateSecret{Name: "KEPT", Value: s.Key})
			apptest.Must(t, err)
			if spoil != nil {
				apptest.Must(t, spoil(filepath.Join(s.Data, "dev-api-key")))
			} else {
				s.RevokeWithAll(t, s.Key)
			}
			s.Stop(t)
			list, err := s.Restart(t).Client(t).ListSecrets(t.Context())
			if err != nil || list.Total != 1 {
				t.Errorf("%d secrets, %v", list.Total, err)
			}
		})
	}
}

func TestASecondServerOnAFolderDoesNotStart(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	cfg := apptest.Config(t)
	cfg.Data = s.Data
	wantCannotOpen(
		t, server.Run(t.Context(), cfg, nil, io.Discard, io.Discard), "another keysake is running",
	)
	if _, err := instance.Init(t.Context(), cfg, nil, "ada"); err == nil {
		t.Error("init went into the folder of a server that runs")
	} else {
		wantCannotOpen(t, err, "another keysake is running")
	}
	if _, err := s.Client(t).Health(t.Context()); err != nil {
		t.Errorf("the first server does not serve any more: %v", err)
	}
}

// wantCannotOpen checks the error of a folder that must not open.
func wantCannotOpen(t *testing.T, err error, text string) {
	t.Helper()
	if !errors.Is(err, instance.ErrCannotOpen) && !errors.Is(err, server.ErrCannotStart) ||
		!strings.Contains(err.Error(), text) {
		t.Errorf("the error is %v, want one that says %q", err, text)
	}
}
