package vault_test

import (
	"context"
	"database/sql"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/store/sqlite"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// A shelf is a service that keeps some versions, on a database of its own, with the users ann, who
// is the admin, and bob.
type shelf struct {
	*vault.Service
	t        *testing.T
	db       *sqlite.DB
	file     string
	ann, bob vault.Actor
}

func newShelf(t *testing.T, keep int) *shelf {
	t.Helper()
	s := &shelf{t: t, file: filepath.Join(t.TempDir(), "keysake.db")}
	root, err := seal.NewRootKey([]byte(strings.Repeat("k", seal.KeySize)))
	if err != nil {
		t.Fatal(err)
	}
	known, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	if s.db, err = sqlite.Open(t.Context(), s.file); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.db.Close(); err != nil {
			t.Error(err)
		}
	})
	s.Service = vault.New(vault.Options{
		Store:        s.db,
		KeyTTL:       time.Hour,
		Catalog:      known,
		MaxSecrets:   10,
		KeepVersions: keep,
		Log:          slog.New(slog.DiscardHandler),
		OpenRoot:     func(context.Context, vault.StoredRootKey) (seal.RootKey, error) { return root, nil },
	})
	if err := s.AddRootKey(t.Context(), root, "file:k", ""); err != nil {
		t.Fatal(err)
	}
	s.ann, s.bob = s.newUser("ann"), s.newUser("bob")
	return s
}

func (s *shelf) newUser(name string) vault.Actor {
	s.t.Helper()
	token, err := s.Bootstrap(s.t.Context(), name, "")
	if err != nil {
		s.t.Fatal(err)
	}
	who, err := s.Authenticate(s.t.Context(), token)
	if err != nil {
		s.t.Fatal(err)
	}
	return who
}

// values makes a secret with as many versions as there are values, each of a letter, and returns
// its id.
func (s *shelf) values(name, letters string) uuid.UUID {
	s.t.Helper()
	made, err := s.CreateSecret(s.t.Context(), s.ann, name, "", letter(letters[:1]))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, l := range letters[1:] {
		s.set(made.ID, string(l))
	}
	return made.ID
}

func (s *shelf) set(id uuid.UUID, l string) {
	s.t.Helper()
	if _, err := s.UpdateSecret(s.t.Context(), s.ann, id, letter(l)); err != nil {
		s.t.Fatal(err)
	}
}

// letter is a value that is long enough for a mask.
func letter(l string) plaintext.Value { return plaintext.FromString(strings.Repeat(l, 30)) }

// seen returns a secret's versions as number and first character of the mask, the current one with
// a star: "*3c 2b 1a".
func (s *shelf) seen(id uuid.UUID) string {
	s.t.Helper()
	versions, err := s.ListVersions(s.t.Context(), s.ann, id)
	if err != nil {
		s.t.Fatal(err)
	}
	var all []string
	for _, v := range versions {
		text := string(rune('0'+v.Number)) + v.Mask[:1]
		if v.Current {
			text = "*" + text
		}
		all = append(all, text)
	}
	return strings.Join(all, " ")
}

// opened returns the first character of a secret's value.
func (s *shelf) opened(id uuid.UUID) string {
	s.t.Helper()
	value, err := s.OpenSecret(s.t.Context(), s.ann, id)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(value.Reveal()[:1])
}

// last returns the last entry of ann's audit chain, and checks the chain.
func (s *shelf) last() audit.Entry {
	s.t.Helper()
	var entries []audit.Linked
	err := s.db.View(s.t.Context(), func(r vault.Reader) error {
		ledger, err := r.Ledger(s.t.Context(), s.ann.User)
		if err != nil {
			return err
		}
		err = r.AuditEntries(s.t.Context(), s.ann.User, func(e audit.Linked) error {
			entries = append(entries, e)
			return nil
		})
		if err != nil {
			return err
		}
		return audit.Chain{}.Verify(s.ann.User, func(yield func(audit.Linked, error) bool) {
			for _, e := range entries {
				if !yield(e, nil) {
					return
				}
			}
		}, ledger.Head)
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return entries[len(entries)-1].Entry
}

// behind changes the database behind the service's back.
func (s *shelf) behind(query string, args ...any) {
	s.t.Helper()
	db, err := sql.Open(
		"sqlite",
		(&url.URL{Scheme: "file", Opaque: s.file, RawQuery: "_pragma=busy_timeout(5000)"}).String(),
	)
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(s.t.Context(), query, args...); err != nil {
		s.t.Fatal(err)
	}
}
