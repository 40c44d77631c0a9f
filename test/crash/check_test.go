package crash_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	_ "modernc.org/sqlite" // the driver, for SQLite's own checks

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/maintenance"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/store/sqlite"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/internal/vault/vaulttest"
	"github.com/keysake/keysake/plaintext"
)

// checkAPI asks the server what is there, and compares it with what was answered. What was in doubt
// is certain after that.
func checkAPI(t *testing.T, p *process, libraries []*library) {
	t.Helper()
	for _, l := range libraries {
		c := p.client(l.key)
		list, err := c.ListSecrets(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if who, err := c.WhoAmI(t.Context()); err != nil || who.Limits.Secrets.Used != list.Total {
			t.Errorf(
				"%d secrets where the count is %d (%v)", list.Total, who.Limits.Secrets.Used, err,
			)
		}
		there := map[string]bool{}
		for _, n := range list.Secrets {
			there[n.Name] = true
			l.checkMask(t, n.Name, n.ID, n.MaskedValue)
		}
		for name, s := range l.states {
			if !there[name] && !s.absent {
				t.Errorf("%s was answered, and is gone", name)
			}
			if !there[name] {
				l.set(name, state{absent: true})
			}
		}
	}
}

// checkMask compares one secret that is there with what may be there, and keeps the values that it
// may have.
func (l *library) checkMask(t *testing.T, name, id, mask string) {
	t.Helper()
	s, known := l.states[name]
	if !known || len(s.values) == 0 {
		t.Errorf("%s is there, and should not be", name)
		return
	}
	if s.id != "" && s.id != id {
		t.Errorf("%s has another id than was answered", name)
	}
	s.values = slices.DeleteFunc(
		s.values, func(v plaintext.Value) bool { return catalog.Mask(v) != mask },
	)
	if len(s.values) == 0 {
		t.Errorf("%s has the mask of no value that was sent", name)
	}
	l.states[name] = state{id: id, values: s.values}
}

// checkFolder opens the data folder of a server that has ended, without any server, and checks
// everything that must hold.
func checkFolder(t *testing.T, data string, libraries []*library) {
	t.Helper()
	checkFile(t, data)
	db, err := sqlite.Open(t.Context(), filepath.Join(data, "keysake.db"))
	if err != nil {
		t.Fatal(err)
	}
	service, operator := openVault(t, data, db)
	if foreign, err := operator.CheckRootKeys(t.Context()); err != nil || len(foreign) > 0 {
		t.Errorf("root keys: %v, %v", foreign, err)
	}
	checkUsers(t, data, db)
	for _, l := range libraries {
		l.checkValues(t, service)
	}
	checkUsers(t, data, db) // opening the values has made the chains longer
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	checkFile(t, data)
}

func openVault(t *testing.T, data string, db *sqlite.DB) (*vault.Service, *vault.Operator) {
	t.Helper()
	known, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	service, operator := vault.New(vault.Options{
		Store:   db,
		Keys:    instance.NewKeys(config.Config{Data: data, Dev: true}, nil),
		KeyTTL:  time.Hour,
		Catalog: known,
	})
	if err := operator.OpenInstanceKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	return service, operator
}

// checkFile lets SQLite look for what is half written.
func checkFile(t *testing.T, data string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(data, "keysake.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var verdict string
	if err := db.QueryRowContext(t.Context(), "PRAGMA integrity_check").
		Scan(&verdict); err != nil ||
		verdict != "ok" {
		t.Errorf("integrity: %q, %v", verdict, err)
	}
	var dangling int
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM pragma_foreign_key_check").
		Scan(&dangling); err != nil ||
		dangling != 0 {
		t.Errorf("%d rows belong to nothing, %v", dangling, err)
	}
}

// checkUsers checks that every ledger lists exactly the rows that there are, that the audit chains
// hold, and that they tell of every secret.
func checkUsers(t *testing.T, data string, db *sqlite.DB) {
	t.Helper()
	ctx := t.Context()
	report, err := maintenance.Doctor(ctx, config.Config{Data: data, Dev: true}, nil,
		maintenance.DoctorOptions{})
	if err != nil {
		t.Error(err)
	}
	for _, c := range report.Checks {
		if c.Status != doctor.OK && slices.Contains(
			[]string{"rows", "owner keys", "ledgers", "audit log"}, c.Name) {
			t.Errorf("%s: %s %v", c.Name, c.Text, c.Details)
		}
	}
	err = db.View(ctx, func(r vault.Reader) error {
		users, err := r.Users(ctx)
		if err != nil {
			return err
		}
		for _, u := range users {
			if err := checkUser(ctx, t, r, u.Owner); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func checkUser(ctx context.Context, t *testing.T, r vault.Reader, user uuid.UUID) error {
	t.Helper()
	rows, err := r.Secrets(ctx, user)
	if err != nil {
		return err
	}
	versions := map[uuid.UUID]uint64{} // what the audit log says is there
	err = r.AuditEntries(ctx, user, func(e audit.Linked) error {
		action := policy.Action(e.Action)
		if action == policy.SecretCreate || action == policy.SecretUpdate {
			versions[e.Target.ID] = e.Target.Version
		}
		if action == policy.SecretDelete {
			delete(versions, e.Target.ID)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, n := range rows {
		if versions[n.ID] != n.Version {
			t.Errorf(
				"version %d of a secret is there, the audit log knows of %d", n.Version,
				versions[n.ID],
			)
		}
	}
	if len(versions) != len(rows) {
		t.Errorf("%d secrets are there, the audit log knows of %d", len(rows), len(versions))
	}
	return nil
}

// openers is how many values are opened at once.
const openers = 32

// checkValues opens every value and compares it with what was sent.
func (l *library) checkValues(t *testing.T, service *vault.Service) {
	t.Helper()
	who := vault.Actor{User: uuid.MustParse(l.userID), Scopes: policy.UserScopes()}
	list, err := service.ListSecrets(t.Context(), who)
	if err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var all sync.WaitGroup
	places := make(chan struct{}, openers)
	there := map[string]bool{}
	for _, n := range list {
		there[n.Name] = true
		s := l.states[n.Name]
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			value, err := vaulttest.OpenSecret(t.Context(), service, who, n.ID)
			if err != nil || !s.allows(value) || catalog.Mask(value) != n.Mask {
				t.Errorf(
					"%s does not open to a value that was sent, with its mask (%v)", n.Name, err,
				)
			}
		})
	}
	all.Wait()
	for name, s := range l.states {
		if !there[name] && !s.absent {
			t.Errorf("%s was answered, and is gone", name)
		}
	}
}
