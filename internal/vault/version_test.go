package vault_test

import (
	"bytes"
	"crypto/rand"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/internal/vault/vaulttest"
)

// letter is a value that is long enough for a mask.
func letter(l string) vault.Value { return value(strings.Repeat(l, 30)) }

// values makes a secret of the admin with as many versions as there are letters, and returns its
// id.
func (p *fixture) values(name, letters string) uuid.UUID {
	p.t.Helper()
	made := p.secret(p.admin, name, letter(letters[:1]))
	for _, l := range letters[1:] {
		p.set(made.ID, string(l))
	}
	return made.ID
}

func (p *fixture) set(id uuid.UUID, l string) {
	p.t.Helper()
	_, err := p.UpdateSecret(p.t.Context(), p.admin, id, letter(l))
	p.must(err)
}

// overwrite gives a secret a value that it never had, and that begins with an o.
func (p *fixture) overwrite(id uuid.UUID) {
	p.t.Helper()
	_, err := p.UpdateSecret(p.t.Context(), p.admin, id, value("o"+rand.Text()))
	p.must(err)
}

// seen returns a secret's versions as number and first character of the mask, the current one with
// a star: "*3c 2b 1a".
func (p *fixture) seen(id uuid.UUID) string {
	p.t.Helper()
	versions, err := p.ListVersions(p.t.Context(), p.admin, id)
	p.must(err)
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

func (p *fixture) assertSeen(id uuid.UUID, want string) {
	p.t.Helper()
	if got := p.seen(id); got != want {
		p.t.Errorf("versions are %s, want %s", got, want)
	}
}

// last returns the last entry of the admin's audit chain.
func (p *fixture) last() audit.Entry {
	p.t.Helper()
	p.assertChain(p.admin.User)
	entries := p.chain(p.admin.User)
	return entries[len(entries)-1].Entry
}

func TestAnUpdateKeepsTheLastVersions(t *testing.T) {
	p := startWith(t, 200, 3)
	p.assertSeen(p.values("A", "abcde"), "*5e 4d 3c")
	p.assertSeen(p.values("B", "x"), "*1x")
}

func TestWhoKeepsOneVersionKeepsNoneBeforeIt(t *testing.T) {
	p := startWith(t, 200, 1)
	p.assertSeen(p.values("A", "abc"), "*3c")
}

func TestAVersionHasTheTimeWhenItBecameTheCurrentOne(t *testing.T) {
	p := start(t)
	id := p.values("A", "a")
	first, err := p.GetSecret(t.Context(), p.admin, id)
	p.must(err)
	p.set(id, "b")
	second, err := p.GetSecret(t.Context(), p.admin, id)
	p.must(err)
	versions, err := p.ListVersions(t.Context(), p.admin, id)
	if err != nil || len(versions) != 2 || !versions[0].CreatedAt.Equal(second.UpdatedAt) ||
		!versions[1].CreatedAt.Equal(first.UpdatedAt) {
		t.Errorf("%+v (%v)", versions, err)
	}
}

func TestARollbackIsANewVersionWithAnOldValue(t *testing.T) {
	p := startWith(t, 200, 3)
	id := p.values("A", "abc")
	secret, err := p.RollbackSecret(t.Context(), p.admin, id, 1)
	if err != nil || secret.Mask[:1] != "a" {
		t.Fatalf("the mask is %s (%v)", secret.Mask, err)
	}
	want := audit.Target{Kind: audit.TargetSecret, ID: id, Name: "A", Version: 4}
	if e := p.last(); e.Action != "secret.rollback" || e.Outcome != audit.Done || e.Target != want {
		t.Errorf("the entry is %+v", e)
	}
	p.assertSeen(id, "*4a 3c 2b")
	p.assertOpens(p.admin, id, letter("a"))
	if _, err := p.RollbackSecret(t.Context(), p.admin, id, 3); err != nil {
		t.Errorf("a rollback of the rollback: %v", err)
	}
	p.assertSeen(id, "*5c 4a 3c")
	p.assertOpens(p.admin, id, letter("c"))
}

func TestARollbackToTheCurrentVersionIsRecordedAndChangesNothing(t *testing.T) {
	p := start(t)
	id := p.values("A", "ab")
	before, err := p.GetSecret(t.Context(), p.admin, id)
	p.must(err)
	after, err := p.RollbackSecret(t.Context(), p.admin, id, 2)
	if err != nil || after != before {
		t.Errorf("%v: %+v became %+v", err, before, after)
	}
	p.assertSeen(id, "*2b 1a")
	if e := p.last(); e.Action != "secret.rollback" || e.Target.Version != 2 {
		t.Errorf("the entry is %+v", e)
	}
}

func TestARollbackToWhatIsNotThereIsRefused(t *testing.T) {
	p := startWith(t, 200, 2)
	bob := p.user("bob")
	id := p.values("A", "abc")
	for _, number := range []uint64{0, 1, 4, 1<<63 - 1} {
		_, err := p.RollbackSecret(t.Context(), p.admin, id, number)
		assertBroken(t, "a version", err, "version one of")
	}
	_, err := p.RollbackSecret(t.Context(), bob, id, 2)
	assertKind(t, "by another user", err, vault.NotFound)
	_, err = p.ListVersions(t.Context(), bob, id)
	assertKind(t, "the list for another user", err, vault.NotFound)
	_, err = p.RollbackSecret(t.Context(), with(p.admin, policy.SecretsRead), id, 2)
	assertKind(t, "with a key that may only read", err, vault.Denied)
	if e := p.last(); e.Action != "secret.rollback" || e.Outcome != audit.Refused {
		t.Errorf("the last entry is %+v", e)
	}
	p.assertSeen(id, "*3c 2b")
}

// What is moved in the database is an error, and never another value.
func TestAVersionInAnotherPlaceDoesNotOpen(t *testing.T) {
	// blobs sets the blobs of a row to those of another one.
	blobs := func(row, other string) string {
		table, where, _ := strings.Cut(row, " ")
		return "UPDATE " + table + " SET sealed_value = (SELECT o.sealed_value FROM " + other +
			"), sealed_mask = (SELECT o.sealed_mask FROM " + other + ") WHERE " + where
	}
	const (
		second  = "secret_versions secret_id = $1 AND version = 2"
		current = "secrets id = $1"
	)
	for name, statement := range map[string]string{
		"an old version in another's row": blobs(
			second, "secret_versions o WHERE o.secret_id = $1 AND o.version = 1"),
		"an old version under another number": "UPDATE secret_versions " +
			"SET version = 12 - version WHERE secret_id = $1 AND version = 2",
		"a version of another secret": blobs(
			second, "secret_versions o WHERE o.secret_id = $2 AND o.version = 2"),
		"the current one among the old": blobs(second, "secrets o WHERE o.id = $1"),
		"an old one as the current": blobs(
			current, "secret_versions o WHERE o.secret_id = $1 AND o.version = 2"),
		"a renamed secret": "UPDATE secrets SET name = 'OTHER' WHERE id = $1",
		"another stamp": "UPDATE secret_versions SET stamp = randomblob(16) " +
			"WHERE secret_id = $1 AND version = 2",
		"a mask as a value": "UPDATE secret_versions SET sealed_value = sealed_mask, " +
			"sealed_mask = sealed_value WHERE secret_id = $1 AND version = 2",
		"other bytes": "UPDATE secret_versions " +
			"SET sealed_value = randomblob(length(sealed_value)), " +
			"sealed_mask = randomblob(length(sealed_mask)) WHERE secret_id = $1 AND version = 2",
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t)
			id, other := p.values("A", "abc"), p.values("B", "xyz")
			args := []any{id.String(), other.String()}
			p.sql(statement, args[:1+strings.Count(statement, "$2")/2]...)
			_, err := p.ListVersions(t.Context(), p.admin, id)
			assertTampered(t, "the list", err)
			if name == "an old one as the current" {
				_, err := vaulttest.OpenSecret(t.Context(), p.Service, p.admin, id)
				assertTampered(t, "opening it", err)
				return
			}
			number := uint64(2)
			if name == "an old version under another number" {
				number = 10
			}
			_, err = p.RollbackSecret(t.Context(), p.admin, id, number)
			assertTampered(t, "the rollback", err)
			if name != "a renamed secret" {
				p.assertOpens(p.admin, id, letter("c"))
			}
		})
	}
}

func TestAnOldVersionOfAnotherTimeIsNotListed(t *testing.T) {
	p := start(t)
	id := p.values("A", "abc")
	p.sql("UPDATE secret_versions SET created_at = created_at - 1 WHERE version = 2")
	_, err := p.ListVersions(t.Context(), p.admin, id)
	assertTampered(t, "the list", err)
}

func TestEveryVersionOpensAfterARotationOfTheOwnerKeyAndKeepsItsStamp(t *testing.T) {
	p := start(t)
	id := p.values("A", "abc")
	stamps := func() (all string) {
		p.sqlRow(`SELECT group_concat(hex(stamp), ' ') FROM (SELECT stamp FROM secrets UNION ALL
			SELECT stamp FROM secret_versions ORDER BY stamp) AS stamps`, nil, &all)
		return all
	}
	before := stamps()
	p.must(p.RotateOwnerKey(t.Context(), p.admin.User))
	if after := stamps(); after != before || len(after) != 3*32+2 {
		t.Errorf("the stamps were %s, and are %s", before, after)
	}
	p.assertSeen(id, "*3c 2b 1a")
	if _, err := p.RollbackSecret(t.Context(), p.admin, id, 1); err != nil {
		t.Error(err)
	}
	p.assertOpens(p.admin, id, letter("a"))
}

func TestVersionNumbersAreNeverUsedTwice(t *testing.T) {
	p := startWith(t, 200, 3)
	id := p.values("A", "a")
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for range 10 {
				_, err := p.UpdateSecret(t.Context(), p.admin, id, value(rand.Text()))
				if err != nil {
					t.Error(err)
				}
			}
		})
		callers.Go(func() {
			for range 10 {
				versions, err := p.ListVersions(t.Context(), p.admin, id)
				if err != nil {
					t.Error(err)
					continue
				}
				oldest := versions[len(versions)-1].Number
				_, err = p.RollbackSecret(t.Context(), p.admin, id, oldest)
				if err != nil && vault.KindOf(err) != vault.Invalid { // others may have pruned it
					t.Error(err)
				}
			}
		})
	}
	callers.Wait()
	var numbers []uint64
	for _, e := range p.chain(p.admin.User) {
		if e.Target.ID == id {
			numbers = append(numbers, e.Target.Version)
		}
	}
	// A rollback to what was just made the only version again changes nothing, and has the number
	// of the current one.
	if !slices.IsSorted(numbers) || len(slices.Compact(slices.Clone(numbers))) < 41 {
		t.Errorf("version numbers were %v", numbers)
	}
	versions, err := p.ListVersions(t.Context(), p.admin, id)
	if err != nil || len(versions) != 3 || versions[0].Number != numbers[len(numbers)-1] {
		t.Errorf("%v %v", versions, err)
	}
}

func TestADeletedUserLeavesNothingThatOpens(t *testing.T) {
	if onPostgres {
		return // it keeps what was deleted for a while: see the threat model
	}
	p := start(t)
	mia := p.user("mia")
	for _, name := range []string{"A", "B", "C"} {
		secret := p.secret(mia, name, letter("a"))
		_, err := p.UpdateSecret(t.Context(), mia, secret.ID, letter("b"))
		p.must(err)
	}
	blobs := p.blobsOf(mia.User)
	if len(blobs) != 13 || !p.inFiles(blobs) {
		t.Fatalf("%d blobs, which are not found while they are there", len(blobs))
	}
	p.must(p.Service.DeleteUser(t.Context(), p.admin, mia.User))
	if p.inFiles(blobs) {
		t.Error("a sealed value, a mask or the owner key is still in the files")
	}
}

// blobsOf returns all that is sealed of a user, the owner key among it.
func (p *fixture) blobsOf(user uuid.UUID) (blobs [][]byte) {
	p.t.Helper()
	var key vault.StoredOwnerKey
	var secrets []vault.StoredSecret
	var versions []vault.StoredVersion
	ledger, _, err := p.LedgerOf(p.t.Context(), user)
	p.must(err)
	p.view(func(r vault.Reader) error {
		key = must(r.OwnerKey(p.t.Context(), user, ledger.OwnerKey))
		secrets = must(r.SealedSecrets(p.t.Context(), user))
		versions = must(r.SealedVersions(p.t.Context(), user))
		return nil
	})
	blobs = append(blobs, key.Wrapped)
	for _, s := range secrets {
		blobs = append(blobs, s.SealedValue, s.SealedMask)
	}
	for _, v := range versions {
		blobs = append(blobs, v.SealedValue, v.SealedMask)
	}
	return blobs
}

// inFiles reports whether 16 bytes in a row of any blob, from behind the id of its key, are in the
// database's files.
func (p *fixture) inFiles(blobs [][]byte) bool {
	p.t.Helper()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		data, err := os.ReadFile(p.file + suffix)
		p.must(err)
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
