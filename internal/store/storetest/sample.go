package storetest

import (
	"context"
	"crypto/rand"
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/vault"
)

// most is the greatest number that a database's integers hold.
const most = math.MaxInt64

// moment returns a time that is exact to the microsecond, which is what a store keeps.
func moment(minutes int) time.Time {
	return time.Date(2026, 11, 23, 6, 45, 7, 123_456_000, time.UTC).
		Add(time.Duration(minutes) * time.Minute)
}

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// blob returns n bytes, with every byte that there is among the first 256.
func blob(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	for i := range min(n, 256) {
		b[i] = byte(i)
	}
	return b
}

// random32 returns something that stands for a hash.
func random32() (b [32]byte) {
	_, _ = rand.Read(b[:])
	return b
}

// oddTexts are what a text column must give back as it was: SQL, patterns, placeholders, other
// scripts, marks that combine, line ends.
func oddTexts() []string {
	return []string{
		"'; DROP TABLE users; --",
		`"quoted"`,
		`back\slash`,
		"per%cent_under",
		"$1",
		"?1",
		":name",
		"ключ",
		"鍵",
		"🔑",
		"e\u0301",
		"\u00e9",
		" spaces around ",
		"tab\tand\nline\r\nends",
		"NULL",
		"0",
		"1e3",
		"-",
	}
}

// NewUser returns a user as one is inserted: without a ledger.
func NewUser(name string) vault.StoredUser {
	return vault.StoredUser{
		StoredLedger: vault.StoredLedger{Owner: newID()},
		Username:     name,
		Email:        name + "@example.org",
		FullName:     "Full name of " + name,
		CreatedAt:    moment(0),
		Watch:        vault.Watch{ProbeEvery: time.Hour, UnusedAfter: 2 * time.Hour},
		ProbeDueAt:   moment(60),
		NoticeDueAt:  moment(61),
	}
}

// AddUser stores a new user.
func AddUser(t *testing.T, s vault.Store, name string) vault.StoredUser {
	t.Helper()
	u := NewUser(name)
	err := s.Update(t.Context(), func(tx vault.Tx) error { return tx.InsertUser(t.Context(), u) })
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func (s subject) addUser(name string) vault.StoredUser {
	s.Helper()
	return AddUser(s.T, s.Store, name)
}

func rootKey() vault.StoredRootKey {
	return vault.StoredRootKey{
		ID:        newID(),
		Check:     blob(300),
		CreatedAt: moment(1),
	}
}

// addRootKey stores a new root key.
func (s subject) addRootKey() vault.StoredRootKey {
	s.Helper()
	k := rootKey()
	s.update(func(tx vault.Tx) error { return tx.InsertRootKey(s.ctx, k) })
	return k
}

// apiKeyOf returns a key of a user that does not expire.
func apiKeyOf(user uuid.UUID) vault.APIKey {
	return vault.APIKey{
		ID: newID(), User: user, Hash: random32(), Masked: "ksk_ab••••xyz", Name: "a key",
		Scopes: []policy.Scope{policy.SecretsRead, policy.SecretsWrite}, CreatedAt: moment(2),
	}
}

// addAPIKey stores a new key of a user, after change.
func (s subject) addAPIKey(user uuid.UUID, change func(*vault.APIKey)) vault.APIKey {
	s.Helper()
	k := apiKeyOf(user)
	if change != nil {
		change(&k)
	}
	s.update(func(tx vault.Tx) error { return tx.InsertAPIKey(s.ctx, k) })
	return k
}

func (s subject) apiKeys(user uuid.UUID) []vault.APIKey {
	s.Helper()
	return got(s, func(ctx context.Context, r vault.Reader) ([]vault.APIKey, error) {
		return r.APIKeys(ctx, user)
	})
}

func secretOf(user uuid.UUID, name string) vault.StoredSecret {
	return vault.StoredSecret{
		ID: newID(), User: user, Name: name, Provider: "openai", Version: 1,
		Stamp:       seal.NewStamp(),
		SealedValue: blob(400), SealedMask: blob(300), CreatedAt: moment(3), UpdatedAt: moment(4),
		ExpiresAt: moment(5), RemindBefore: 6 * time.Minute,
	}
}

// addSecret stores a new secret of a user.
func (s subject) addSecret(user uuid.UUID, name string) vault.StoredSecret {
	s.Helper()
	n := secretOf(user, name)
	s.update(func(tx vault.Tx) error { return tx.InsertSecret(s.ctx, n) })
	return n
}

func (s subject) secrets(user uuid.UUID) []vault.StoredSecret {
	s.Helper()
	return got(s, func(ctx context.Context, r vault.Reader) ([]vault.StoredSecret, error) {
		return r.Secrets(ctx, user)
	})
}

// names returns the names of a user's secrets, in the store's order.
func (s subject) names(user uuid.UUID) (names []string) {
	s.Helper()
	for _, n := range s.secrets(user) {
		names = append(names, n.Name)
	}
	return names
}

func (s subject) wantSame(what string, got, want any) {
	s.Helper()
	diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty())
	if diff != "" {
		s.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
