package vault_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
)

func TestAnUpdateKeepsTheLastVersions(t *testing.T) {
	t.Parallel()
	s := newShelf(t, 3)
	id := s.values("A", "abcde")
	if got := s.seen(id); got != "*5e 4d 3c" {
		t.Errorf("versions are %s", got)
	}
	if other := s.values("B", "x"); s.seen(other) != "*1x" {
		t.Errorf("versions of another secret are %s", s.seen(other))
	}
}

func TestWhoKeepsOneVersionKeepsNoneBeforeIt(t *testing.T) {
	t.Parallel()
	s := newShelf(t, 1)
	id := s.values("A", "abc")
	if got := s.seen(id); got != "*3c" {
		t.Errorf("versions are %s", got)
	}
}

func TestAVersionHasTheTimeWhenItBecameTheCurrentOne(t *testing.T) {
	t.Parallel()
	s := newShelf(t, 3)
	id := s.values("A", "a")
	first, err := s.Secret(t.Context(), s.ann, id)
	if err != nil {
		t.Fatal(err)
	}
	s.set(id, "b")
	second, err := s.Secret(t.Context(), s.ann, id)
	if err != nil {
		t.Fatal(err)
	}
	versions, err := s.ListVersions(t.Context(), s.ann, id)
	if err != nil || len(versions) != 2 {
		t.Fatal(versions, err)
	}
	if !versions[0].CreatedAt.Equal(second.UpdatedAt) ||
		!versions[1].CreatedAt.Equal(first.UpdatedAt) {
		t.Errorf(
			"versions are of %v and %v, want %v and %v",
			versions[0].CreatedAt,
			versions[1].CreatedAt,
			second.UpdatedAt,
			first.UpdatedAt,
		)
	}
}

func TestARollbackIsANewVersionWithAnOldValue(t *testing.T) {
	t.Parallel()
	s := newShelf(t, 3)
	id := s.values("A", "abc")
	secret, err := s.RollbackSecret(t.Context(), s.ann, id, 1)
	if err != nil {
		t.Fatal(err)
	}
	if secret.Mask[:1] != "a" || s.opened(id) != "a" {
		t.Errorf("the mask is %s", secret.Mask)
	}
	if got := s.seen(id); got != "*4a 3c 2b" {
		t.Errorf("versions are %s", got)
	}
	if _, err := s.RollbackSecret(
		t.Context(),
		s.ann,
		id,
		3,
	); err != nil || s.opened(id) != "c" ||
		s.seen(id) != "*5c 4a 3c" {
		t.Errorf("a rollback of the rollback: %v, versions are %s", err, s.seen(id))
	}
	if e := s.last(); e.Action != "secret.open" || e.Target.Version != 5 {
		t.Errorf("the last entry is %s of version %d", e.Action, e.Target.Version)
	}
}

func TestARollbackIsRecordedWithTheVersionThatItMakes(t *testing.T) {
	t.Parallel()
	s := newShelf(t, 3)
	id := s.values("A", "ab")
	if _, err := s.RollbackSecret(t.Context(), s.ann, id, 1); err != nil {
		t.Fatal(err)
	}
	if e := s.last(); e.Action != "secret.rollback" || e.Outcome != audit.Done || e.Target !=
		(audit.Target{Kind: audit.TargetSecret, ID: id, Name: "A", Version: 3}) {
		t.Errorf("the entry is %+v", e)
	}
}

func TestARollbackToTheCurrentVersionChangesNothing(t *testing.T) {
	t.Parallel()
	s := newShelf(t, 3)
	id := s.values("A", "ab")
	before, err := s.Secret(t.Context(), s.ann, id)
	if err != nil {
		t.Fatal(err)
	}
	after, err := s.RollbackSecret(t.Context(), s.ann, id, 2)
	if err != nil || after != before || s.seen(id) != "*2b 1a" {
		t.Errorf("%v: %+v became %+v", err, before, after)
	}
}

func TestARollbackToWhatIsNotThereIsRefused(t *testing.T) {
	t.Parallel()
	s := newShelf(t, 2)
	id := s.values("A", "abc")
	for _, number := range []uint64{0, 1, 4, 1<<63 - 1} {
		_, err := s.RollbackSecret(t.Context(), s.ann, id, number)
		bad, ok := errors.AsType[*vault.Error](err)
		if !ok || bad.Kind != vault.Invalid || len(bad.Fields) != 1 ||
			bad.Fields[0].Name != "version" {
			t.Errorf("version %d: %v", number, err)
		}
	}
	if _, err := s.RollbackSecret(t.Context(), s.bob, id, 2); vault.KindOf(err) != vault.NotFound {
		t.Errorf("by another user: %v", err)
	}
	if _, err := s.ListVersions(t.Context(), s.bob, id); vault.KindOf(err) != vault.NotFound {
		t.Errorf("the list for another user: %v", err)
	}
	reader := s.ann
	reader.Scopes = []policy.Scope{policy.SecretsRead}
	if _, err := s.RollbackSecret(t.Context(), reader, id, 2); vault.KindOf(err) != vault.Denied {
		t.Errorf("with a key that may only read: %v", err)
	}
	if e := s.last(); e.Action != "secret.rollback" || e.Outcome != audit.Refused {
		t.Errorf("the last entry is %+v", e)
	}
	if got := s.seen(id); got != "*3c 2b" {
		t.Errorf("versions are %s", got)
	}
}

// What is moved in the database is an error, and never another value.
func TestAVersionInAnotherPlaceDoesNotOpen(t *testing.T) {
	t.Parallel()
	const mask = "sealed_mask = (SELECT sealed_mask FROM "
	const value = "sealed_value = (SELECT sealed_value FROM "
	for name, what := range map[string]string{
		"an old version in another's row": "UPDATE secret_versions SET " + value +
			"secret_versions o WHERE o.secret_id = $1 AND o.version = 1), " +
			mask +
			"secret_versions o WHERE o.secret_id = $1 AND o.version = 1) WHERE secret_id = $1 AND version = 2",
		"an old version under another number": "UPDATE secret_versions SET version = 12 - version WHERE secret_id = $1 AND version = 2",
		"a version of another secret": "UPDATE secret_versions SET " + value +
			"secret_versions o WHERE o.secret_id = $2 AND o.version = 2), " +
			mask +
			"secret_versions o WHERE o.secret_id = $2 AND o.version = 2) WHERE secret_id = $1 AND version = 2",
		"the current one among the old": "UPDATE secret_versions SET " + value +
			"secrets WHERE id = $1), " + mask +
			"secrets WHERE id = $1) WHERE secret_id = $1 AND version = 2",
		"an old one as the current": "UPDATE secrets SET " + value +
			"secret_versions WHERE secret_id = $1 AND version = 2), " +
			mask + "secret_versions WHERE secret_id = $1 AND version = 2) WHERE id = $1",
		"a mask as a value": "UPDATE secret_versions SET sealed_value = sealed_mask, sealed_mask = sealed_value WHERE secret_id = $1 AND version = 2",
		"other bytes": "UPDATE secret_versions SET sealed_value = randomblob(length(sealed_value)), sealed_mask = randomblob(length(sealed_mask)) " +
			"WHERE secret_id = $1 AND version = 2",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t, 5)
			id, other := s.values("A", "abc"), s.values("B", "xyz")
			s.tamper(what, id, other)
			if _, err := s.ListVersions(
				t.Context(),
				s.ann,
				id,
			); !errors.Is(
				err,
				vault.ErrTampered,
			) {
				t.Errorf("the list: %v", err)
			}
			number := uint64(2)
			if name == "an old version under another number" {
				number = 10
			}
			if name == "an old one as the current" {
				if _, err := s.OpenSecret(
					t.Context(),
					s.ann,
					id,
				); !errors.Is(
					err,
					vault.ErrTampered,
				) {
					t.Errorf("opening it: %v", err)
				}
				return
			}
			if _, err := s.RollbackSecret(
				t.Context(),
				s.ann,
				id,
				number,
			); !errors.Is(
				err,
				vault.ErrTampered,
			) {
				t.Errorf("the rollback: %v", err)
			}
			if s.opened(id) != "c" {
				t.Error("the current value is another one now")
			}
		})
	}
}

// tamper runs a statement in which $1 and $2 stand for the ids of secrets.
func (s *shelf) tamper(statement string, id, other uuid.UUID) {
	s.t.Helper()
	if strings.Contains(statement, "$2") {
		s.behind(statement, id.String(), other.String())
		return
	}
	s.behind(statement, id.String())
}

func TestVersionNumbersAreNeverUsedTwice(t *testing.T) {
	t.Parallel()
	s := newShelf(t, 3)
	id := s.values("A", "a")
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for range 10 {
				if _, err := s.UpdateSecret(
					context.Background(),
					s.ann,
					id,
					letter("u"),
				); err != nil {
					t.Error(err)
				}
			}
		})
		callers.Go(func() {
			for range 10 {
				versions, err := s.ListVersions(context.Background(), s.ann, id)
				if err != nil {
					t.Error(err)
					continue
				}
				_, err = s.RollbackSecret(
					context.Background(),
					s.ann,
					id,
					versions[len(versions)-1].Number,
				)
				if err != nil && vault.KindOf(err) != vault.Invalid { // others may have pruned it
					t.Error(err)
				}
			}
		})
	}
	callers.Wait()
	var numbers []uint64
	err := s.db.View(t.Context(), func(r vault.Reader) error {
		return r.AuditEntries(t.Context(), s.ann.User, func(e audit.Linked) error {
			if e.Target.ID == id {
				numbers = append(numbers, e.Target.Version)
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	// A rollback to what was just made the only version again changes nothing, and has the number
	// of the current one.
	if !slices.IsSorted(numbers) || len(slices.Compact(slices.Clone(numbers))) < 41 {
		t.Errorf("version numbers were %v", numbers)
	}
	versions, err := s.ListVersions(t.Context(), s.ann, id)
	if err != nil || len(versions) != 3 || versions[0].Number != numbers[len(numbers)-1] {
		t.Errorf("%v %v", versions, err)
	}
}

func TestADeletedUserLeavesNothingThatOpens(t *testing.T) {
	t.Parallel()
	s := newShelf(t, 3)
	made, err := s.CreateUser(t.Context(), s.ann, "mia", "")
	if err != nil {
		t.Fatal(err)
	}
	mia := s.ann
	mia.User = made.ID
	for _, name := range []string{"A", "B", "C"} {
		secret, err := s.CreateSecret(t.Context(), mia, name, "", letter("a"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.UpdateSecret(t.Context(), mia, secret.ID, letter("b")); err != nil {
			t.Fatal(err)
		}
	}
	blobs := s.blobsOf(made)
	if len(blobs) != 13 || !s.inFiles(blobs) {
		t.Fatalf("%d blobs, which are not found while they are there", len(blobs))
	}
	if err := s.DeleteUser(t.Context(), s.ann, made.ID); err != nil {
		t.Fatal(err)
	}
	if s.inFiles(blobs) {
		t.Error("a sealed value, a mask or the owner key is still in the files")
	}
}

// blobsOf returns all that is sealed of a user, the owner key among it.
func (s *shelf) blobsOf(user vault.User) (blobs [][]byte) {
	s.t.Helper()
	err := s.db.View(s.t.Context(), func(r vault.Reader) error {
		key, err := r.OwnerKey(s.t.Context(), user.ID, user.OwnerKey)
		if err != nil {
			return err
		}
		blobs = append(blobs, key.Wrapped)
		secrets, err := r.SealedSecrets(s.t.Context(), user.ID)
		if err != nil {
			return err
		}
		for _, v := range secrets {
			blobs = append(blobs, v.SealedValue, v.SealedMask)
		}
		versions, err := r.SealedVersions(s.t.Context(), user.ID)
		for _, v := range versions {
			blobs = append(blobs, v.SealedValue, v.SealedMask)
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return blobs
}

// inFiles tells whether 16 bytes in a row of any blob, from behind the id of its key, are in the
// database's files.
func (s *shelf) inFiles(blobs [][]byte) bool {
	s.t.Helper()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		data, err := os.ReadFile(s.file + suffix)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, b := range blobs {
			for i := 17; i+16 <= len(b); i++ {
				if bytes.Contains(data, b[i:i+16]) {
					return true
				}
			}
		}
	}
	return false
}
