package maintenance_test

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/maintenance"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/store"
	"github.com/keysake/keysake/internal/store/sqlite"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/internal/vault/vaulttest"
	"github.com/keysake/keysake/plaintext"
)

// The golden files are a database and a backup of it as version 1 made them, with their root key,
// the id of the instance key and an API key, all of which are for nothing else. Every later version
// must open them: what is in testdata/golden is never made anew once a release has it, a new format
// gets a folder beside it.
// Before the first release a change of the schema makes them anew with
//
//	go test ./internal/maintenance -run Golden -update
var update = flag.Bool("update", false, "make the golden files anew")

const (
	goldenFolder = "testdata/golden/v1"
	goldenURL    = "file:/keysake/golden/root.key" // for the audit log
)

// goldenValues are all values in the golden files by user and secret, oldest version first.
var goldenValues = map[string]map[string][]string{
	"mia": {
		"OPENAI_API_KEY": {"golden-value-of-mia-for-openai"},
		"DEPLOY_TOKEN": {
			"golden-deploy-token-first",
			"golden-deploy-token-second",
			"golden-deploy-token-third",
		},
	},
	"noah": {"TOKEN": {"golden value with spaces, and ünïcödé"}, "EMPTY_MASK": {"short"}},
}

func goldenRoot() []byte {
	bits := make([]byte, seal.KeySize)
	for i := range bits {
		bits[i] = byte(i)
	}
	return bits
}

// goldenKeys is the configuration of a golden database.
type goldenKeys struct{}

func (goldenKeys) FirstRootKey(
	_ context.Context, known []vault.StoredRootKey,
) (uuid.UUID, error) {
	return known[0].ID, nil
}

func (goldenKeys) OpenRootKey(context.Context, vault.StoredRootKey) (seal.RootKey, error) {
	return seal.NewRootKey(goldenRoot())
}

func (goldenKeys) InstanceKeys() ([]uuid.UUID, error) {
	text, err := os.ReadFile(filepath.Join(goldenFolder, "instance-key"))
	if err != nil {
		return nil, err
	}
	id, err := uuid.ParseBytes(text)
	return []uuid.UUID{id}, err
}

// goldenVault returns the vault of a golden database.
func goldenVault(
	tb testing.TB, db *sqlite.DB, keys vault.Configuration,
) (*vault.Service, *vault.Operator) {
	tb.Helper()
	known, err := catalog.Load()
	if err != nil {
		tb.Fatal(err)
	}
	limits, err := vault.NewLimits(100, 5)
	if err != nil {
		tb.Fatal(err)
	}
	return vault.New(vault.Options{
		Store:   db,
		Keys:    keys,
		KeyTTL:  time.Hour,
		Catalog: known,
		Limits:  limits,
	})
}

// tokenPrefix is not in the file of the API key, which opens nothing but the golden database:
// scanners go by it.
const tokenPrefix = "ksk_"

func makeGolden(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.RemoveAll(goldenFolder))
	must(os.MkdirAll(goldenFolder, 0o755))
	must(os.WriteFile(filepath.Join(goldenFolder, "root.key"), goldenRoot(), 0o600))
	db, err := sqlite.Open(ctx, filepath.Join(goldenFolder, "keysake.db"))
	must(err)
	v, operator := goldenVault(t, db, goldenKeys{})
	root, err := seal.NewRootKey(goldenRoot())
	must(err)
	key, err := seal.NewInstanceKey()
	must(err)
	must(os.WriteFile(
		filepath.Join(goldenFolder, "instance-key"), []byte(key.ID().String()), 0o600))
	must(operator.Initialize(ctx, root, goldenURL, "", key))
	for name, secrets := range goldenValues {
		username, err := vault.NewUsername(name)
		must(err)
		token, err := operator.CreateAdmin(ctx, username, vault.KeyName{})
		must(err)
		if name == "mia" {
			must(
				os.WriteFile(
					filepath.Join(goldenFolder, "api-key"),
					bytes.TrimPrefix(token.Reveal(), []byte(tokenPrefix)), 0o600,
				),
			)
		}
		who, err := v.Authenticate(ctx, token)
		must(err)
		for secret, values := range secrets {
			name, err := vault.NewName(secret)
			must(err)
			value, err := vault.NewValue(plaintext.FromString(values[0]))
			must(err)
			made, err := v.CreateSecret(ctx, who, vault.SecretRequest{Name: name, Value: value})
			must(err)
			for _, next := range values[1:] {
				value, err := vault.NewValue(plaintext.FromString(next))
				must(err)
				_, err = v.UpdateSecret(ctx, who, made.ID, value)
				must(err)
			}
		}
	}
	must(operator.RecordBackup(ctx, "/keysake/golden/backup"))
	f, err := os.OpenFile(filepath.Join(goldenFolder, "backup"), os.O_CREATE|os.O_WRONLY, 0o600)
	must(err)
	schema, err := store.SchemaVersion()
	must(err)
	made, err := operator.MakeCheckpoint(ctx)
	must(err)
	end := made.Recorded
	must(db.Snapshot(ctx, func(src backup.Source) error {
		m := backup.Manifest{Schema: schema, CreatedAt: made.At, Audit: &backup.AuditEnd{
			Chain: end.Owner.String(), Number: end.Seq, Hash: backup.Digest(end.Hash),
			Checkpoint: string(made.Note),
		}}
		_, _, err := backup.Write(ctx, f, src, m)
		return err
	}))
	must(f.Close())
	must(db.Close())
	for _, beside := range []string{"-wal", "-shm", ".write-lock"} { // the file alone is whole
		must(os.RemoveAll(filepath.Join(goldenFolder, "keysake.db"+beside)))
	}
}

func TestTheGoldenDatabaseAndTheGoldenBackupOpen(t *testing.T) {
	if *update {
		makeGolden(t)
	}
	keys := t.TempDir()
	key := filepath.Join(keys, "root.key")
	copyFile(t, filepath.Join(goldenFolder, "root.key"), key, 0o600)
	cfg := apptest.Config(t)
	ids, err := goldenKeys{}.InstanceKeys()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Dev, cfg.RootKeys, cfg.InstanceKeys = false, []string{"file:" + key}, ids
	if err := os.Mkdir(cfg.Data, 0o700); err != nil {
		t.Fatal(err)
	}
	copyFile(
		t, filepath.Join(goldenFolder, "keysake.db"), filepath.Join(cfg.Data, "keysake.db"), 0o600,
	)
	assertGolden(t, cfg, goldenKeys{})

	cfg.Data += "-restored"
	cfg = restored(t, cfg, filepath.Join(goldenFolder, "backup"),
		maintenance.RestoreOptions{KeepAPIKeys: true})
	assertGolden(t, cfg, restoredKeys{ids: instanceKeys(t, cfg)})
}

// restoredKeys is goldenKeys for what was restored.
type restoredKeys struct {
	goldenKeys

	ids []uuid.UUID
}

func (k restoredKeys) InstanceKeys() ([]uuid.UUID, error) { return k.ids, nil }

// assertGolden wants a folder to have all golden values, and a server to serve it.
func assertGolden(t *testing.T, cfg config.Config, keys vault.Configuration) {
	t.Helper()
	for _, c := range examine(t, cfg, maintenance.DoctorOptions{Sample: doctor.All}) {
		if c.Status != doctor.OK && c.Name != "schema" {
			t.Errorf("%+v", c)
		}
	}
	token, err := os.ReadFile(filepath.Join(goldenFolder, "api-key"))
	if err != nil {
		t.Fatal(err)
	}
	srv := apptest.StartWith(t, cfg)
	list, err := srv.ClientWith(t, plaintext.FromString(tokenPrefix+string(token))).
		ListSecrets(t.Context())
	if err != nil || list.Total != len(goldenValues["mia"]) {
		t.Errorf("%d secrets: %v", list.Total, err)
	}
	srv.Stop(t)
	db, err := sqlite.Open(t.Context(), filepath.Join(cfg.Data, "keysake.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	v, operator := goldenVault(t, db, keys)
	if err := operator.OpenInstanceKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, secrets := range goldenValues {
		id, err := operator.FindUser(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		assertValues(t, v, vault.Actor{User: id, Scopes: policy.AllScopes()}, secrets)
	}
}

// assertValues wants every version of every secret to open to its value.
func assertValues(t *testing.T, v *vault.Service, who vault.Actor, want map[string][]string) {
	t.Helper()
	secrets, err := v.ListSecrets(t.Context(), who)
	if err != nil || len(secrets) != len(want) {
		t.Fatalf("%d secrets: %v", len(secrets), err)
	}
	for _, s := range secrets {
		values := want[s.Name]
		for number := len(values); number > 0; number-- {
			if number < len(values) {
				if _, err := v.RollbackSecret(t.Context(), who, s.ID, uint64(number)); err != nil {
					t.Fatal(err)
				}
			}
			got, err := vaulttest.OpenSecret(t.Context(), v, who, s.ID)
			if err != nil || !bytes.Equal(got.Reveal(), []byte(values[number-1])) {
				t.Errorf("version %d of %s does not open to its value: %v", number, s.Name, err)
			}
		}
	}
}
