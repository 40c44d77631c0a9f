package instance_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	_ "modernc.org/sqlite" // to change a database past Keysake

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/keysfile"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/vault"
)

// byFile is initialised without flags that name keys.
func byFile(t *testing.T) (config.Config, keysfile.File) {
	t.Helper()
	cfg, _ := initialised(t)
	cfg.RootKeys = nil
	f, err := keysfile.Read(cfg.Data + ".keys")
	apptest.Must(t, err)
	return cfg, f
}

func opened(t *testing.T, cfg config.Config) *instance.Instance {
	t.Helper()
	i, err := instance.Open(t.Context(), cfg, instance.NewKeys(cfg, nil), instance.Serve)
	apptest.Must(t, err)
	t.Cleanup(func() { _ = i.Close() })
	return i
}

// The keys file names the keys before the database has them.
func TestInitCompletesAFolderWhoseKeysFileIsAllThereIs(t *testing.T) {
	t.Parallel()
	cfg := production(t)
	cfg.RootKeys = nil
	left := keysfile.File{
		RootKeys:     []string{"file:" + cfg.Data + ".root-key"},
		InstanceKeys: []uuid.UUID{{6: 0x80, 8: 0x80, 15: 1}},
	}
	apptest.Must(t, left.Write(cfg.Data+".keys"))
	_, err := rootkey.CreateKeyFile(cfg.Data + ".root-key")
	apptest.Must(t, err)
	before, err := os.ReadFile(cfg.Data + ".root-key")
	apptest.Must(t, err)
	_, err = instance.Init(t.Context(), cfg, nil, "ada")
	apptest.Must(t, err)
	f, err := keysfile.Read(cfg.Data + ".keys")
	apptest.Must(t, err)
	if !slices.Equal(f.RootKeys, left.RootKeys) || len(f.InstanceKeys) != 1 ||
		slices.Equal(f.InstanceKeys, left.InstanceKeys) {
		t.Errorf("the file names %v and %v", f.RootKeys, f.InstanceKeys)
	}
	if after, err := os.ReadFile(cfg.Data + ".root-key"); err != nil ||
		string(after) != string(before) {
		t.Errorf("the root key was made anew: %v", err)
	}
	apptest.StartWith(t, cfg)
}

// Whoever can write the database can take every row away. What is beside it must not be lost.
func TestInitMakesNoKeysForADatabaseThatHasUsers(t *testing.T) {
	t.Parallel()
	cfg, before := byFile(t)
	execute(t, cfg, "DELETE FROM owner_keys; DELETE FROM instance_keys; DELETE FROM root_keys")
	_, err := instance.Init(t.Context(), cfg, nil, "eve")
	wantCannotOpen(t, err, "not new: it has 0 root keys and 1 users")
	after, err := keysfile.Read(cfg.Data + ".keys")
	apptest.Must(t, err)
	if before.String() != after.String() {
		t.Errorf("the keys file says now:\n%s", after)
	}
}

func TestAnInstanceKeyCountsOnlyIfTheConfigurationNamesIt(t *testing.T) {
	t.Parallel()
	cfg, f := byFile(t)
	other := uuid.UUID{6: 0x80, 8: 0x80, 15: 1}
	for says, ids := range map[string][]uuid.UUID{
		"The database has no instance key " + other.String(): {other},
		"has no instance key":                                {other, f.InstanceKeys[0]},
		"no instance key is named":                           {},
	} {
		apptest.Must(t, keysfile.File{RootKeys: f.RootKeys, InstanceKeys: ids}.
			Write(cfg.Data+".keys"))
		_, err := instance.Open(t.Context(), cfg, instance.NewKeys(cfg, nil), instance.Serve)
		wantCannotOpen(t, err, says)
		wantCannotOpen(t, err, "must name the instance key of")
	}
	// One that only verifies may be gone, as where a rotation was interrupted at its end.
	apptest.Must(t, keysfile.File{
		RootKeys: f.RootKeys, InstanceKeys: []uuid.UUID{f.InstanceKeys[0], other},
	}.Write(cfg.Data+".keys"))
	apptest.Must(t, opened(t, cfg).Close())
	// Its id follows from its bits: another key's row does not pass for it.
	apptest.Must(t, keysfile.File{RootKeys: f.RootKeys, InstanceKeys: []uuid.UUID{other}}.
		Write(cfg.Data+".keys"))
	execute(t, cfg, "UPDATE instance_keys SET id = '"+other.String()+"'")
	_, err := instance.Open(t.Context(), cfg, instance.NewKeys(cfg, nil), instance.Serve)
	if !errors.Is(err, vault.ErrTampered) {
		t.Errorf("under another id: %v", err)
	}
}

func TestAChangedKeysFileReachesAnOpenFolder(t *testing.T) {
	t.Parallel()
	cfg, f := byFile(t)
	i := opened(t, cfg)
	next := "file:" + cfg.Data + ".next"
	_, err := rootkey.CreateKeyFile(strings.TrimPrefix(next, "file:"))
	apptest.Must(t, err)
	name := func(urls ...string) {
		t.Helper()
		apptest.Must(t, keysfile.File{RootKeys: urls, InstanceKeys: f.InstanceKeys}.
			Write(cfg.Data+".keys"))
	}
	create := func(name string) error {
		username, err := vault.NewUsername(name)
		apptest.Must(t, err)
		_, err = i.Operator.CreateAdmin(t.Context(), username, vault.KeyName{})
		return err
	}
	owned := func() (counts []int) {
		keys, err := i.Operator.ListRootKeys(t.Context())
		apptest.Must(t, err)
		for _, k := range keys {
			counts = append(counts, k.OwnerKeys)
		}
		return counts
	}
	name(f.RootKeys[0], next)
	apptest.Must(t, create("second"))
	name(next, f.RootKeys[0])
	if err := create("third"); vault.KindOf(err) != vault.Unavailable {
		t.Errorf("with a root key that the database does not know: %v", err)
	}
	apptest.Must(t, i.Reload(t.Context()))
	apptest.Must(t, create("third"))
	if got := owned(); !slices.Equal(got, []int{2, 1}) {
		t.Errorf("the root keys wrap %v", got)
	}
	apptest.Must(t, os.WriteFile(cfg.Data+".keys", []byte("nonsense"), 0o600))
	if err := i.Reload(t.Context()); err == nil {
		t.Error("a file that cannot be read passes")
	}
	apptest.Must(t, create("fourth"))
	name(next)
	apptest.Must(t, i.Reload(t.Context()))
	if len(i.Foreign) != 1 || i.Foreign[0].OwnerKeys != 2 {
		t.Errorf("foreign are %v", i.Foreign)
	}
	known, err := i.Operator.ListRootKeys(t.Context())
	apptest.Must(t, err)
	if err := i.Operator.OpenOwnerKeys(t.Context(), known[0].ID); !errors.Is(
		err, vault.ErrNotConfigured,
	) {
		t.Errorf("a root key that was taken out: %v", err)
	}
}

func TestAPassphraseIsNamedWithTheKeysID(t *testing.T) {
	t.Parallel()
	cfg := production(t)
	cfg.RootKeys = []string{"passphrase:"}
	cfg.RootPassphraseFile = filepath.Join(t.TempDir(), "word")
	apptest.Must(t, os.WriteFile(cfg.RootPassphraseFile, []byte("a-horse-of-nobody"), 0o600))
	_, err := instance.Init(t.Context(), cfg, nil, "ada")
	apptest.Must(t, err)
	f, err := keysfile.Read(cfg.Data + ".keys")
	apptest.Must(t, err)
	if len(f.RootKeys) != 1 || rootkey.PassphraseID(f.RootKeys[0]) == uuid.Nil {
		t.Fatalf("the file names %v", f.RootKeys)
	}
	apptest.Must(t, opened(t, cfg).Close())
	// A row of the same passphrase with another salt is another key, which only an id tells apart.
	root, loc, err := instance.NewKeys(cfg, nil).Opener.Create(t.Context(), "passphrase:")
	apptest.Must(t, err)
	check, err := root.Check(t.Context())
	apptest.Must(t, err)
	execute(t, cfg, "INSERT INTO root_keys VALUES (?, ?, ?, 0)", loc.ID.String(), loc.Params, check)
	_, err = instance.Open(t.Context(), cfg, instance.NewKeys(cfg, nil), instance.Serve)
	wantCannotOpen(t, err, "name one of them as passphrase:ID")
	cfg.RootKeys = nil
	opened(t, cfg)
}

// execute changes the database past Keysake.
func execute(t *testing.T, cfg config.Config, statement string, args ...any) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(cfg.Data, "keysake.db"))
	apptest.Must(t, err)
	defer func() { _ = db.Close() }()
	_, err = db.ExecContext(t.Context(), statement, args...)
	apptest.Must(t, err)
}
