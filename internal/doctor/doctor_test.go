package doctor_test

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/store/sqlite"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// memory is a source in memory.
type memory struct {
	tables []backup.Table
	rows   map[string][]backup.Row
}

func (m *memory) Tables(context.Context) ([]backup.Table, error) { return m.tables, nil }

func (m *memory) Rows(_ context.Context, table string) iter.Seq2[backup.Row, error] {
	return func(yield func(backup.Row, error) bool) {
		for _, r := range m.rows[table] {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// id returns ids in ascending order.
func id(n byte) uuid.UUID { return uuid.UUID{0: n, 6: 0x70, 8: 0x80} }

// library returns the rows of a database with two users and an instance whose id is between theirs,
// and its root keys.
func library(t *testing.T) (*memory, map[uuid.UUID]seal.RootKey) {
	t.Helper()
	ctx := t.Context()
	db, err := sqlite.Open(ctx, filepath.Join(t.TempDir(), "keysake.db"))
	ok(t, err)
	t.Cleanup(func() { ok(t, db.Close()) })
	root, err := seal.NewRootKey(make([]byte, seal.KeySize))
	ok(t, err)
	at := time.UnixMicro(1_700_000_000_000_000).UTC()
	ok(t, db.Update(ctx, func(tx vault.Tx) error {
		check, err := root.Check(ctx)
		ok(t, err)
		ok(t, tx.InsertRootKey(ctx, vault.StoredRootKey{
			ID: root.ID(), Check: check, CreatedAt: at,
		}))
		ok(t, tx.SaveInstance(ctx, vault.Ledger{Owner: id(50), Head: chain(t, tx, id(50), at)}))
		for _, n := range []byte{10, 90} {
			user := id(n)
			key, err := seal.NewOwnerKey()
			ok(t, err)
			wrapped, err := root.Wrap(ctx, user, key)
			ok(t, err)
			ok(t, tx.InsertUser(ctx, vault.User{
				ID: user, Username: fmt.Sprint("user-", n), OwnerKey: key.ID(), CreatedAt: at,
			}))
			ok(t, tx.InsertOwnerKey(ctx, vault.StoredOwnerKey{
				ID: key.ID(), User: user, RootKey: root.ID(), Wrapped: wrapped, CreatedAt: at,
			}))
			ok(t, tx.InsertAPIKey(ctx, vault.APIKey{
				ID: id(n + 2), User: user, Hash: vault.TokenHash{n}, CreatedAt: at,
				Scopes: []policy.Scope{policy.Admin},
			}))
			secret := vault.StoredSecret{
				ID: id(n + 3), User: user, Name: "S", CreatedAt: at, UpdatedAt: at,
			}
			for secret.Version = 1; ; secret.Version++ {
				secret.Stamp = seal.NewStamp()
				secret.SealedValue = key.SealValue(secret.Binding(), plaintext.FromString("value"))
				secret.SealedMask = key.SealMask(secret.Binding(), "mask")
				if secret.Version == 2 {
					ok(t, tx.ArchiveVersion(ctx, user, secret.ID))
					ok(t, tx.UpdateSecret(ctx, secret))
					break
				}
				ok(t, tx.InsertSecret(ctx, secret))
			}
			ok(t, tx.SaveLedger(ctx, vault.Ledger{
				Owner: user, Secrets: 1, OwnerKey: key.ID(), Head: chain(t, tx, user, at),
			}))
		}
		return nil
	}))
	m := &memory{rows: map[string][]backup.Row{}}
	ok(t, db.Snapshot(ctx, func(src backup.Source) (err error) {
		m.tables, err = src.Tables(ctx)
		for _, table := range m.tables {
			for row, err := range src.Rows(ctx, table.Name) {
				ok(t, err)
				m.rows[table.Name] = append(m.rows[table.Name], row)
			}
		}
		return err
	}))
	return m, map[uuid.UUID]seal.RootKey{root.ID(): root}
}

// chain appends two entries to an audit chain.
func chain(t *testing.T, tx vault.Tx, owner uuid.UUID, at time.Time) (head audit.Head) {
	t.Helper()
	for range 2 {
		e := audit.Entry{Owner: owner, At: at, Action: "a", Outcome: audit.Done}
		head = audit.Chain{}.Append(head, &e)
		ok(t, tx.AppendAudit(t.Context(), audit.Linked{Entry: e, Hash: head.Hash}))
	}
	return head
}

// failed returns the names of the checks that failed.
func failed(
	t *testing.T, src backup.Source, roots map[uuid.UUID]seal.RootKey,
) (names []string) {
	t.Helper()
	checks, err := doctor.Examine(t.Context(), src, roots, doctor.All)
	ok(t, err)
	for _, c := range checks {
		if c.Status == doctor.OK {
			continue
		}
		names = append(names, c.Name)
		if all := fmt.Sprint(c); c.Advice == "" || strings.Contains(all, "\x1b") {
			t.Errorf("%q", all)
		}
	}
	return names
}

func TestAWholeSourceIsWell(t *testing.T) {
	src, roots := library(t)
	if names := failed(t, src, roots); len(names) > 0 {
		t.Errorf("%v failed", names)
	}
	ok(t, doctor.OpenOwnerKeys(t.Context(), src, roots))
	if err := doctor.OpenOwnerKeys(t.Context(), src, nil); err == nil {
		t.Error("owner keys opened without a root key")
	}
}

// unchecked are the columns of which only a value that cannot be is found.
var unchecked = []string{
	"api_keys id", "api_keys masked", "api_keys name", "api_keys parent_id", "api_keys scopes",
	"api_keys token_hash", "root_keys check_value", "root_keys id", "root_keys params",
	"users email_address", "users full_name", "users username",
}

func TestADamagedValueIsAFinding(t *testing.T) {
	src, roots := library(t)
	other := map[backup.Kind]any{
		backup.Text: id(200).String(), backup.Integer: int64(9), backup.Blob: make([]byte, 32),
	}
	impossible := map[backup.Kind][]any{
		backup.Text: {nil, "\xff\x1b[31m"}, backup.Integer: {}, backup.Blob: {nil},
	}
	found := map[string]bool{}
	for _, table := range src.tables {
		for i, c := range table.Columns {
			name := table.Name + " " + c.Name
			if strings.HasSuffix(name, "_at") && !strings.HasPrefix(name, "secret") {
				continue // any number is a time, and NULL is none; a mask is bound to its own
			}
			for _, row := range src.rows[table.Name] {
				was := row[i]
				for _, value := range impossible[c.Kind] {
					row[i] = value
					if names := failed(t, src, roots); table.Name != "root_keys" &&
						!slices.Contains(names, "rows") {
						t.Errorf("%s is %q: %v failed", name, value, names)
					}
				}
				row[i] = other[c.Kind]
				found[name] = found[name] || len(failed(t, src, roots)) > 0
				row[i] = was
			}
		}
	}
	maps.DeleteFunc(found, func(_ string, found bool) bool { return found })
	if diff := cmp.Diff(unchecked, slices.Sorted(maps.Keys(found))); diff != "" {
		t.Errorf("columns of which another value is not found (-want +got):\n%s", diff)
	}
}

func TestAMissingRowIsAFinding(t *testing.T) {
	src, roots := library(t)
	for _, name := range []string{
		"users", "instance", "owner_keys", "secrets", "audit_entries",
	} {
		whole := src.rows[name]
		for i := range whole {
			src.rows[name] = slices.Delete(slices.Clone(whole), i, i+1)
			if len(failed(t, src, roots)) == 0 {
				t.Errorf("row %d of %s is missing, and nothing was found", i, name)
			}
		}
		src.rows[name] = whole
	}
}
