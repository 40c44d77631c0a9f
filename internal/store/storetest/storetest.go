// Package storetest has the conformance suite of stores: every promise of [vault.Store], checked on
// whatever database there is.
//
// A behaviour is a function with a sentence for a name, and gets an empty store of its own. What
// one database does in its own way (files, pragmas, full disks) is tested next to its code.
package storetest

import (
	"context"
	"testing"

	"github.com/keysake/keysake/internal/vault"
)

// A Store is a database that the suite can run on.
type Store interface {
	vault.Store
	// Ping reports whether the database can be read.
	Ping(ctx context.Context) error
	// Stats returns how many updates were made durable, and in how many commits.
	Stats() (updates, commits uint64)
	// Close waits for the transactions that were begun. It may be called twice.
	Close() error
}

// Exercise runs the suite. open returns a store with the schema and no rows; the suite closes it.
func Exercise(t *testing.T, open func(t *testing.T) Store) {
	t.Helper()
	for _, part := range []struct {
		name       string
		behaviours []behaviour
	}{
		{"root and owner keys", keyBehaviours()},
		{"users", userBehaviours()},
		{"names and ends of users", userListBehaviours()},
		{"ledgers", ledgerBehaviours()},
		{"API keys", apiKeyBehaviours()},
		{"uses and ends of API keys", apiKeyEnds()},
		{"keys below others, and of admins", lineBehaviours()},
		{"secrets", secretBehaviours()},
		{"names of secrets", secretNames()},
		{"updates and ends of secrets", secretEnds()},
		{"secrets of others", foreignBehaviours()},
		{"old versions", versionBehaviours()},
		{"leases", leaseBehaviours()},
		{"what providers said", healthBehaviours()},
		{"what a webhook is told", webhookBehaviours()},
		{"audit entries", auditBehaviours()},
		{"audit chains", chainBehaviours()},
		{"requests that were done", doneRequestBehaviours()},
		{"logins that wait", deviceBehaviours()},
		{"updates", updateBehaviours()},
		{"callers who go away", contextBehaviours()},
		{"updates that are run again", rerunBehaviours()},
		{"views", viewBehaviours()},
		{"reads", readBehaviours()},
		{"what has changed", newsBehaviours()},
		{"the end", closeBehaviours()},
		{"crowds", crowdBehaviours()},
	} {
		t.Run(part.name, func(t *testing.T) {
			for _, b := range part.behaviours {
				t.Run(b.sentence, func(t *testing.T) {
					t.Parallel()
					s := subject{T: t, Store: open(t), ctx: t.Context()}
					t.Cleanup(func() {
						if err := s.Close(); err != nil {
							t.Errorf("close: %v", err)
						}
					})
					b.check(s)
				})
			}
		})
	}
}

// A behaviour is one promise.
type behaviour struct {
	sentence string
	check    func(s subject)
}

// A subject is a store under test. The functions that its updates run must not end the test: they
// run on another goroutine.
type subject struct {
	*testing.T
	Store

	ctx context.Context //nolint:containedctx // the test's
}

// update runs an update that must succeed.
func (s subject) update(do func(vault.Tx) error) {
	s.Helper()
	if err := s.try(do); err != nil {
		s.Fatalf("an update failed: %v", err)
	}
}

// try runs an update.
func (s subject) try(do func(vault.Tx) error) error {
	return s.Update(s.ctx, do)
}

// refuses runs an update that must fail with the kind.
func (s subject) refuses(kind vault.Kind, what string, do func(vault.Tx) error) {
	s.Helper()
	s.wantKind(kind, what, s.try(do))
}

func (s subject) wantKind(kind vault.Kind, what string, err error) {
	s.Helper()
	if err == nil || vault.KindOf(err) != kind {
		s.Errorf("%s: got kind %d (%v), want kind %d", what, vault.KindOf(err), err, kind)
	}
}

// fails runs an update that must fail, of whatever kind.
func (s subject) fails(what string, do func(vault.Tx) error) {
	s.Helper()
	if s.try(do) == nil {
		s.Errorf("%s: no error", what)
	}
}

// reads is a query for a T.
type reads[T any] func(ctx context.Context, r vault.Reader) (T, error)

// got returns what a read finds in a view, and alone.
func got[T any](s subject, read reads[T]) (found T) {
	s.Helper()
	err := s.View(s.ctx, func(r vault.Reader) (err error) {
		found, err = read(s.ctx, r)
		return err
	})
	if err != nil {
		s.Fatalf("a view failed: %v", err)
	}
	var alone T
	s.wantNoError(s.Read(s.ctx, func(r vault.Reader) (err error) {
		alone, err = read(s.ctx, r)
		return err
	}))
	s.wantSame("outside of a view", alone, found)
	return found
}

// missing checks that a read answers NotFound, in a view, alone and in an update.
func missing[T any](s subject, what string, read reads[T]) {
	s.Helper()
	look := func(r vault.Reader) error {
		_, err := read(s.ctx, r)
		return err
	}
	s.wantKind(vault.NotFound, what+" in a view", s.View(s.ctx, look))
	s.wantKind(vault.NotFound, what+" alone", s.Read(s.ctx, look))
	s.refuses(vault.NotFound, what+" in an update", func(tx vault.Tx) error { return look(tx) })
}
