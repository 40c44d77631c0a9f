package doctor_test

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/store/sqlite"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// memory is a source in memory, which sorts its rows as a database does.
type memory struct {
	tables []backup.Table
	rows   map[string][]backup.Row
}

func (m *memory) Tables(context.Context) ([]backup.Table, error) { return m.tables, nil }

func (m *memory) table(name string) backup.Table {
	return m.tables[slices.IndexFunc(m.tables, func(t backup.Table) bool { return t.Name == name })]
}

func (m *memory) Rows(_ context.Context, table string) iter.Seq2[backup.Row, error] {
	sorted := slices.Clone(m.rows[table])
	slices.SortStableFunc(sorted, func(a, b backup.Row) int {
		return slices.CompareFunc(a[:m.table(table).Key], b[:m.table(table).Key], compareKeys)
	})
	return func(yield func(backup.Row, error) bool) {
		for _, r := range sorted {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func compareKeys(a, b any) int {
	if x, ok := a.(int64); ok {
		y, _ := b.(int64)
		return cmp.Compare(x, y)
	}
	x, _ := a.(string)
	y, _ := b.(string)
	return cmp.Compare(x, y)
}

// clone returns a copy whose rows can be changed.
func (m *memory) clone() *memory {
	c := &memory{tables: m.tables, rows: map[string][]backup.Row{}}
	for table, rows := range m.rows {
		for _, row := range rows {
			c.rows[table] = append(c.rows[table], slices.Clone(row))
		}
	}
	return c
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A library is a database that a vault filled, with its keys.
type library struct {
	*testing.T
	*vault.Service
	*vault.Operator

	db    *sqlite.DB
	roots map[uuid.UUID]seal.RootKey
	key   seal.InstanceKey
}

func newLibrary(t *testing.T) *library {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "keysake.db"))
	ok(t, err)
	t.Cleanup(func() { ok(t, db.Close()) })
	root, err := seal.NewRootKey(make([]byte, seal.KeySize))
	ok(t, err)
	l := &library{T: t, db: db, roots: map[uuid.UUID]seal.RootKey{root.ID(): root}}
	l.key, err = seal.NewInstanceKey()
	ok(t, err)
	presets, err := catalog.Load()
	ok(t, err)
	limits, err := vault.NewLimits(20, 2)
	ok(t, err)
	l.Service, l.Operator = vault.New(vault.Options{
		Store: db, KeyTTL: time.Hour, Catalog: presets, Limits: limits,
		Keys: named{root, l.key.ID()},
	})
	ok(t, l.Initialize(t.Context(), root, "file:/k", "", l.key))
	return l
}

// named are the keys that the configuration names.
type named struct {
	root     seal.RootKey
	instance uuid.UUID
}

func (n named) FirstRootKey(context.Context, []vault.StoredRootKey) (uuid.UUID, error) {
	return n.root.ID(), nil
}

func (n named) OpenRootKey(context.Context, vault.StoredRootKey) (seal.RootKey, error) {
	return n.root, nil
}

func (n named) InstanceKeys() ([]uuid.UUID, error) { return []uuid.UUID{n.instance}, nil }

// keys are the instance keys that are believed.
func (l *library) keys(id uuid.UUID) (seal.InstanceKey, bool) { return l.key, id == l.key.ID() }

func (l *library) admin(name string) vault.Actor {
	l.Helper()
	username, err := vault.NewUsername(name)
	ok(l.T, err)
	token, err := l.CreateAdmin(l.Context(), username, vault.KeyName{})
	ok(l.T, err)
	who, err := l.Authenticate(l.Context(), token)
	ok(l.T, err)
	return who
}

func (l *library) value(text string) vault.Value {
	l.Helper()
	value, err := vault.NewValue(plaintext.FromString(text))
	ok(l.T, err)
	return value
}

func (l *library) create(who vault.Actor, secret string) uuid.UUID {
	l.Helper()
	name, err := vault.NewName(secret)
	ok(l.T, err)
	made, err := l.CreateSecret(l.Context(), who, vault.SecretRequest{
		Name: name, Value: l.value("value of " + secret),
	})
	ok(l.T, err)
	return made.ID
}

func (l *library) update(who vault.Actor, secret uuid.UUID) {
	l.Helper()
	_, err := l.UpdateSecret(l.Context(), who, secret, l.value("another value"))
	ok(l.T, err)
}

// ticket makes a lease of a secret and returns its id.
func (l *library) ticket(who vault.Actor, secret uuid.UUID) uuid.UUID {
	l.Helper()
	ids, err := vault.NewSecretIDs([]string{secret.String()})
	ok(l.T, err)
	made, err := l.CreateLease(l.Context(), who, vault.LeaseRequest{
		Secrets: ids, Delivery: vault.ByTicket, Run: vault.Run{ID: uuid.NewString(), Label: "a"},
	})
	ok(l.T, err)
	return made.ID
}

// snapshot returns the rows as they are now.
func (l *library) snapshot() *memory {
	l.Helper()
	m := &memory{rows: map[string][]backup.Row{}}
	ok(l.T, l.db.Snapshot(l.Context(), func(src backup.Source) (err error) {
		m.tables, err = src.Tables(l.Context())
		for _, table := range m.tables {
			for row, err := range src.Rows(l.Context(), table.Name) {
				ok(l.T, err)
				m.rows[table.Name] = append(m.rows[table.Name], row)
			}
		}
		return err
	}))
	return m
}

// filled returns a library of two users with secrets, old versions and API keys, one of them
// revoked, tickets, likewise, and of one who was deleted; its rows, and those from before the last
// changes.
func filled(t *testing.T) (l *library, now, before *memory) {
	t.Helper()
	l = newLibrary(t)
	ann, bob, gone := l.admin("ann"), l.admin("bob"), l.admin("gone")
	l.admin("ann")
	revoked := l.admin("ann")
	var secrets [2][2]uuid.UUID
	for i, who := range []vault.Actor{ann, bob} {
		for n := range 2 {
			secrets[i][n] = l.create(who, fmt.Sprint("S", n))
			l.update(who, secrets[i][n])
		}
	}
	doomed := l.create(ann, "DOOMED")
	l.ticket(gone, l.create(gone, "GONE"))
	ended := l.ticket(ann, secrets[0][0])
	l.ticket(ann, secrets[0][1])
	l.ticket(bob, secrets[1][0])
	before = l.snapshot()
	for i, who := range []vault.Actor{ann, bob} {
		l.update(who, secrets[i][0])
	}
	ok(t, l.DeleteSecret(t.Context(), ann, doomed))
	_, _, err := l.RevokeLease(t.Context(), ann, ended)
	ok(t, err)
	ok(t, l.RevokeAPIKey(t.Context(), ann, revoked.Credential.ID))
	ok(t, l.Service.DeleteUser(t.Context(), ann, gone.User))
	ok(t, l.RotateOwnerKey(t.Context(), bob.User))
	return l, l.snapshot(), before
}

// failed returns the names of the checks that failed.
func (l *library) failed(src backup.Source) (names []string) {
	l.Helper()
	checks, err := doctor.Examine(l.Context(), src, doctor.Keys{
		Roots: l.roots, Instance: l.keys,
	}, doctor.All)
	ok(l.T, err)
	for _, c := range checks {
		if c.Status == doctor.OK {
			continue
		}
		names = append(names, c.Name)
		if all := fmt.Sprint(c); c.Advice == "" || strings.Contains(all, "\x1b") {
			l.Errorf("%q", all)
		}
	}
	return names
}

func TestAWholeSourceIsWell(t *testing.T) {
	l, now, before := filled(t)
	for what, src := range map[string]*memory{"now": now, "before": before} {
		if names := l.failed(src); len(names) > 0 {
			t.Errorf("%s: %v failed", what, names)
		}
		failed, broken, err := doctor.Verify(t.Context(), src, l.roots, l.keys, nil)
		if err != nil || len(failed)+len(broken) > 0 {
			t.Errorf("%s: %v, of %v: %v", what, failed, broken, err)
		}
	}
	_, broken, err := doctor.Verify(t.Context(), now, nil, l.keys, nil)
	if err != nil || len(broken) == 0 {
		t.Errorf("without a root key %v are broken: %v", broken, err)
	}
}

func TestOnlyALedgerThatABelievedKeySignedCounts(t *testing.T) {
	l, now, _ := filled(t)
	var err error
	l.key, err = seal.NewInstanceKey()
	ok(t, err)
	if names := l.failed(now); !slices.Contains(names, "ledgers") {
		t.Errorf("with another instance key: %v failed", names)
	}
	none := func(uuid.UUID) (key seal.InstanceKey, found bool) { return key, false }
	checks, err := doctor.Examine(t.Context(), now, doctor.Keys{
		Roots: l.roots, Instance: none,
	}, doctor.All)
	ok(t, err)
	if !slices.ContainsFunc(checks, func(c doctor.Check) bool {
		return c.Name == "ledgers" && c.Status == doctor.Failed
	}) {
		t.Errorf("without an instance key: %v", checks)
	}
}

func TestALedgerWhoseInstanceKeyDoesNotOpenIsNotSaidToBeChanged(t *testing.T) {
	l, now, _ := filled(t)
	own := l.key.ID()
	none := func(uuid.UUID) (key seal.InstanceKey, found bool) { return key, false }
	for closed, text := range map[uuid.UUID]string{
		own:        "cannot be verified: the instance key that signed them does not open",
		uuid.New(): "are not what was stored",
	} {
		checks, err := doctor.Examine(t.Context(), now, doctor.Keys{
			Roots: l.roots, Instance: none,
			IsClosed: func(id uuid.UUID) bool { return id == closed },
		}, doctor.All)
		ok(t, err)
		if !slices.ContainsFunc(checks, func(c doctor.Check) bool {
			return c.Name == "ledgers" && c.Status == doctor.Failed &&
				strings.Contains(c.Text, text)
		}) {
			t.Errorf("nothing says that they %s: %v", text, checks)
		}
	}
}

// unchecked are the columns of which only a value that cannot be is found: they prove nothing.
var unchecked = []string{
	"api_key_uses at", "api_key_uses key_id",
	"instance_keys created_at", "instance_keys id", "instance_keys root_key_id",
	"instance_keys successions", "instance_keys wrapped",
	"leases disputed_at",
	"owner_keys created_at",
	"root_keys check_value", "root_keys created_at", "root_keys id", "root_keys params",
	"secret_uses at", "secret_uses lease_id", "secret_uses refused_at", "secret_uses secret_id",
	"secret_uses stamp", "secret_uses user_id", "secret_uses uses", "secret_uses worked_at",
	"usage_days day", "usage_days leases", "usage_days runs", "usage_days secrets",
	"usage_days user_id", "users notice_due_at", "users probe_due_at",
}

func TestADamagedValueIsAFinding(t *testing.T) {
	l, src, _ := filled(t)
	id := uuid.NewString()
	src.rows["api_key_uses"] = []backup.Row{{id, int64(1)}}
	src.rows["usage_days"] = []backup.Row{{int64(1), id, int64(1), int64(1), int64(1)}}
	src.rows["secret_uses"] = []backup.Row{
		{id, id, int64(1), int64(1), id, make([]byte, 16), int64(1), nil},
	}
	other := map[backup.Kind]any{
		backup.Text: uuid.NewString(), backup.Integer: int64(9), backup.Blob: make([]byte, 32),
	}
	impossible := map[backup.Kind][]any{
		backup.Text: {nil, "\xff\x1b[31m"}, backup.Integer: {}, backup.Blob: {nil},
	}
	found := map[string]bool{}
	for _, table := range src.tables {
		for i, c := range table.Columns {
			name := table.Name + " " + c.Name
			for _, row := range src.rows[table.Name] {
				was := row[i]
				for _, value := range impossible[c.Kind] {
					row[i] = value
					if names := l.failed(src); !slices.Contains(unread, table.Name) &&
						!slices.Contains(names, "rows") {
						t.Errorf("%s is %q: %v failed", name, value, names)
					}
				}
				row[i] = other[c.Kind]
				found[name] = found[name] || len(l.failed(src)) > 0
				row[i] = was
			}
		}
	}
	maps.DeleteFunc(found, func(_ string, found bool) bool { return found })
	if diff := gocmp.Diff(unchecked, slices.Sorted(maps.Keys(found))); diff != "" {
		t.Errorf("columns of which another value is not found (-want +got):\n%s", diff)
	}
}

// unread are the tables that the doctor does not read: what is in them is given to it, or proves
// nothing.
var unread = []string{
	"api_key_uses", "broker_requests", "broker_uses", "device_logins", "done_requests",
	"instance_keys", "root_keys", "secret_health", "secret_notices", "secret_uses", "usage_days",
	"webhook_events",
}

// revoked reports whether a row is of what was revoked: it is removed one day, and says nothing.
func revoked(table string, row backup.Row) bool {
	switch table {
	case "api_keys":
		return row[len(row)-4] != nil
	case "leases":
		return row[len(row)-2] != nil
	}
	return false
}

// checkOf returns the check that must name a change of a column.
func checkOf(table, column string) string {
	switch {
	case table == "owner_keys":
		return "owner keys"
	case table == "audit_entries":
		return "audit log"
	case column == "sealed_value":
		return "values"
	}
	return "ledgers"
}

// proved returns the tables whose rows a ledger or a chain lists.
func (m *memory) proved() (tables []backup.Table) {
	for _, t := range m.tables {
		if !slices.Contains(unread, t.Name) {
			tables = append(tables, t)
		}
	}
	return tables
}

func TestWhatIsSwappedBetweenTwoRowsIsAFinding(t *testing.T) {
	l, src, _ := filled(t)
	for _, table := range src.proved() {
		rows := src.rows[table.Name]
		if len(rows) < 2 && table.Name != "instance" {
			t.Errorf("%s has %d rows: this shows nothing", table.Name, len(rows))
		}
		for i, a := range rows {
			for _, b := range rows[i+1:] {
				for at, column := range table.Columns {
					if gocmp.Equal(a[at], b[at]) ||
						slices.Contains(unchecked, table.Name+" "+column.Name) {
						continue
					}
					a[at], b[at] = b[at], a[at]
					names, want := l.failed(src), checkOf(table.Name, column.Name)
					if !slices.Contains(names, want) {
						t.Errorf("%s of two rows of %s (%v, %v) is swapped: %v failed, not %s",
							column.Name, table.Name, a[:2], b[:2], names, want)
					}
					a[at], b[at] = b[at], a[at]
				}
			}
		}
	}
}

func TestARowThatIsHiddenIsAFinding(t *testing.T) {
	l, src, _ := filled(t)
	for _, table := range src.proved() {
		whole := src.rows[table.Name]
		hidden := 0
		for i, row := range whole {
			if revoked(table.Name, row) {
				continue
			}
			src.rows[table.Name] = slices.Delete(slices.Clone(whole), i, i+1)
			hidden++
			names, want := l.failed(src), checkOf(table.Name, "")
			if !slices.Contains(names, want) {
				t.Errorf("row %d of %s is hidden: %v failed, not %s", i, table.Name, names, want)
			}
		}
		src.rows[table.Name] = whole
		if hidden == 0 {
			t.Errorf("no row of %s was hidden", table.Name)
		}
	}
}

// TestARowThatIsAddedIsAFinding adds copies of rows with another key each.
func TestARowThatIsAddedIsAFinding(t *testing.T) {
	l, src, _ := filled(t)
	for _, table := range src.proved() {
		whole, added := src.rows[table.Name], 0
		for i, row := range whole {
			if revoked(table.Name, row) {
				continue
			}
			copied := slices.Clone(row)
			for at := range table.Key {
				name := table.Columns[at].Name
				switch id := copied[at].(type) {
				case int64: // of a version, or of an entry
					copied[at] = id + 100
				case string:
					if name == "id" { // what names a user or a secret stays
						copied[at] = uuid.NewString()
					}
				}
			}
			src.rows[table.Name] = append(slices.Clone(whole), copied)
			added++
			names, want := l.failed(src), checkOf(table.Name, "")
			if !slices.Contains(names, want) {
				t.Errorf("a copy of row %d of %s is added: %v failed, not %s",
					i, table.Name, names, want)
			}
		}
		src.rows[table.Name] = whole
		if added == 0 {
			t.Errorf("no row of %s was added", table.Name)
		}
	}
}

// TestARowThatIsPutBackIsAFinding puts each row of before back that is another one now, or gone.
func TestARowThatIsPutBackIsAFinding(t *testing.T) {
	l, now, before := filled(t)
	for _, table := range now.proved() {
		put := 0
		for _, old := range before.rows[table.Name] {
			src := now.clone()
			rows := src.rows[table.Name]
			at := slices.IndexFunc(rows, func(row backup.Row) bool {
				return gocmp.Equal(row[:table.Key], old[:table.Key])
			})
			switch {
			case at < 0:
				src.rows[table.Name] = append(rows, old)
			case gocmp.Equal(rows[at], old):
				continue
			default:
				rows[at] = old
			}
			put++
			names, want := l.failed(src), checkOf(table.Name, "")
			if !slices.Contains(names, want) {
				t.Errorf("a row of %s is put back: %v failed, not %s", table.Name, names, want)
			}
		}
		// a chain only grows
		if put == 0 && table.Name != "audit_entries" {
			t.Errorf("no row of %s was put back", table.Name)
		}
	}
}

// A user who was deleted is put back with everything that the ledger lists, entries included: the
// instance's ledger tells.
func TestAWholeLibraryOfADeletedUserThatIsPutBackIsAFinding(t *testing.T) {
	l, now, before := filled(t)
	deleted := uuid.Nil.String()
	for _, row := range now.rows["users"] {
		if row[len(row)-1] != nil {
			deleted, _ = row[0].(string)
		}
	}
	for _, table := range now.proved() {
		owner := slices.IndexFunc(table.Columns, func(c backup.Column) bool {
			return c.Name == "user_id" || c.Name == "owner_id" ||
				c.Name == "id" && table.Name == "users"
		})
		if owner < 0 {
			continue
		}
		others := func(row backup.Row) bool { return row[owner] != deleted }
		now.rows[table.Name] = slices.Concat(
			slices.DeleteFunc(slices.Clone(now.rows[table.Name]),
				func(row backup.Row) bool { return !others(row) }),
			slices.DeleteFunc(slices.Clone(before.rows[table.Name]), others))
	}
	if names := l.failed(now); !slices.Equal(names, []string{"ledgers"}) {
		t.Errorf("%v failed", names)
	}
}
