package sqlite_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/store"
	"github.com/keysake/keysake/internal/store/sqlite"
	"github.com/keysake/keysake/internal/store/storetest"
	"github.com/keysake/keysake/internal/vault"
)

func TestErasedDataIsInNoFile(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		l := newLibrary(t, seed)
		for range 800 {
			l.step()
		}
		l.destroy() // this purges everything that was replaced before
		l.assertGone(l.erased)
		l.assertNoGaps()
		l.assertKept()
	}
}

// An owner has a library with one secret in three versions, and two owner keys.
type owner struct {
	*library

	secret *storedSecret
	oldKey vault.StoredOwnerKey

	instanceKey vault.StoredInstanceKey
	newKey      vault.StoredOwnerKey
	rootKeys    [2]vault.StoredRootKey
}

func newOwner(t *testing.T) *owner {
	t.Helper()
	o := &owner{library: newLibrary(t, 1)}
	o.create()
	o.secret = o.secrets[0]
	o.replace(o.secret)
	o.replace(o.secret)
	o.flush()
	at := time.UnixMicro(1_700_000_000_000_000)
	for i := range o.rootKeys {
		o.rootKeys[i] = vault.StoredRootKey{ID: uuid.New(), Check: random(74), CreatedAt: at}
	}
	for _, k := range []*vault.StoredOwnerKey{&o.oldKey, &o.newKey} {
		*k = vault.StoredOwnerKey{
			ID: uuid.New(), User: o.user, RootKey: o.rootKeys[0].ID, Wrapped: random(100),
			CreatedAt: at,
		}
	}
	for _, k := range o.rootKeys {
		o.update(func(tx vault.Tx) error { return tx.InsertRootKey(o.ctx, k) })
	}
	o.instanceKey = vault.StoredInstanceKey{
		ID: uuid.New(), RootKey: o.rootKeys[0].ID, Wrapped: random(100), CreatedAt: at,
		Successions: random(100),
	}
	o.update(func(tx vault.Tx) error { return tx.InsertInstanceKey(o.ctx, o.instanceKey) })
	for _, k := range []vault.StoredOwnerKey{o.oldKey, o.newKey} {
		o.update(func(tx vault.Tx) error { return tx.InsertOwnerKey(o.ctx, k) })
	}
	return o
}

// erasures calls every method that erases sealed data, and returns the blobs that it erases.
var erasures = map[string]func(o *owner, tx vault.Tx) ([][]byte, error){
	"UpdateSecret": func(o *owner, tx vault.Tx) ([][]byte, error) {
		k := o.secret.StoredSecret
		k.SealedValue, k.SealedMask = random(100), random(74)
		return o.secret.versions[2][:], tx.UpdateSecret(o.ctx, k)
	},
	"ResealSecret": func(o *owner, tx vault.Tx) ([][]byte, error) {
		k := o.secret.StoredSecret
		k.SealedValue, k.SealedMask = random(100), random(74)
		return o.secret.versions[2][:], tx.ResealSecret(o.ctx, k)
	},
	"RenameSecret": func(o *owner, tx vault.Tx) ([][]byte, error) {
		k := o.secret.StoredSecret
		k.Name, k.SealedMask = "RENAMED", random(74)
		return o.secret.versions[2][1:], tx.RenameSecret(o.ctx, k)
	},
	"SetDeadline": func(o *owner, tx vault.Tx) ([][]byte, error) { // the row moves
		k := o.secret.StoredSecret
		k.SealedValue, k.SealedMask, k.ExpiresAt = random(100), random(74), time.Now()
		return o.secret.versions[2][:],
			errors.Join(tx.UpdateSecret(o.ctx, k), tx.SetDeadline(o.ctx, k))
	},
	"ResealVersion": func(o *owner, tx vault.Tx) ([][]byte, error) {
		return o.secret.versions[1][:], tx.ResealVersion(o.ctx, vault.StoredVersion{
			Secret: o.secret.ID, User: o.user, Number: 2,
			SealedValue: random(100), SealedMask: random(74),
		})
	},
	"PruneVersions": func(o *owner, tx vault.Tx) ([][]byte, error) {
		return o.secret.blobs()[:4], tx.PruneVersions(o.ctx, o.user, o.secret.ID, 2)
	},
	"DeleteSecret": func(o *owner, tx vault.Tx) ([][]byte, error) {
		return o.secret.blobs(), tx.DeleteSecret(o.ctx, o.user, o.secret.ID)
	},
	"DeleteSecrets": func(o *owner, tx vault.Tx) ([][]byte, error) {
		return o.secret.blobs(), tx.DeleteSecrets(o.ctx, o.user)
	},
	"RewrapOwnerKey": func(o *owner, tx vault.Tx) ([][]byte, error) {
		k := o.oldKey
		k.RootKey, k.Wrapped = o.rootKeys[1].ID, random(100)
		return [][]byte{o.oldKey.Wrapped}, tx.RewrapOwnerKey(o.ctx, k, o.rootKeys[0].ID)
	},
	"DeleteInstanceKey": func(o *owner, tx vault.Tx) ([][]byte, error) {
		k := o.instanceKey
		return [][]byte{k.Wrapped}, tx.DeleteInstanceKey(o.ctx, k.ID, k.RootKey)
	},
	"SetSuccessions": func(o *owner, tx vault.Tx) ([][]byte, error) {
		k := o.instanceKey
		stored := base64.StdEncoding.AppendEncode(nil, k.Successions)
		return [][]byte{stored}, tx.SetSuccessions(o.ctx, k.ID, nil)
	},
	"DeleteOtherOwnerKeys": func(o *owner, tx vault.Tx) ([][]byte, error) {
		return [][]byte{o.oldKey.Wrapped}, tx.DeleteOtherOwnerKeys(o.ctx, o.user, o.newKey.ID)
	},
	"DeleteOwnerKeys": func(o *owner, tx vault.Tx) ([][]byte, error) {
		return [][]byte{o.oldKey.Wrapped, o.newKey.Wrapped}, tx.DeleteOwnerKeys(o.ctx, o.user)
	},
}

func TestWhatEachMethodErasesIsInNoFile(t *testing.T) {
	t.Parallel()
	when := map[string]store.Erasure{}
	for _, s := range storetest.Statements() {
		if s.Erasure > 0 {
			when[s.Method] = max(when[s.Method], s.Erasure)
		}
	}
	methods := slices.Sorted(maps.Keys(erasures))
	if diff := cmp.Diff(slices.Sorted(maps.Keys(when)), methods); diff != "" {
		t.Fatalf("methods that erase (-store +this test):\n%s", diff)
	}
	var owners []*owner
	for range methods {
		owners = append(owners, newOwner(t))
	}
	for _, o := range owners { // the purge at the start must not be the one that is tested
		eventually(func() bool { tries, _ := o.db.Purges(); return tries > 0 })
	}
	for i, o := range owners {
		var blobs [][]byte
		o.update(func(tx vault.Tx) (err error) {
			blobs, err = erasures[methods[i]](o, tx)
			if err == nil && o.remnants(blobs) == "" {
				t.Errorf("%s: the blobs are not found even before: this shows nothing", methods[i])
			}
			return err
		})
		if when[methods[i]] == store.EraseNow {
			o.assertGoneNow(blobs)
		}
		o.erased = blobs
	}
	for _, o := range owners {
		o.assertGone(o.erased)
	}
}

func TestErasedDataIsInNoFileWhileOthersRead(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, 99)
	l.read = true
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for ctx.Err() == nil {
				err := l.db.View(ctx, func(r vault.Reader) error {
					_, err := r.Secrets(ctx, l.user)
					return err
				})
				if err != nil && ctx.Err() == nil {
					t.Error(err)
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	for range 400 {
		l.step()
	}
	l.flush()
	stop()
	readers.Wait()
	l.assertGone(l.erased)
	l.assertKept()
}

// whileASnapshotIsRead creates 30 secrets and runs do while an older snapshot is being read.
func (l *library) whileASnapshotIsRead(do func()) {
	l.t.Helper()
	l.read = true
	for range 30 {
		l.create()
	}
	l.flush()
	err := l.db.View(l.ctx, func(r vault.Reader) error {
		if _, err := r.Secrets(l.ctx, l.user); err != nil { // the snapshot begins here
			return err
		}
		l.create()
		l.flush()
		do()
		return nil
	})
	if err != nil {
		l.t.Fatal(err)
	}
}

// A backup reads for long. A deletion does not wait for it, and what it erases is gone when the
// backup has ended.
func TestALongReadDelaysOnlyThePurge(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, 7)
	l.whileASnapshotIsRead(func() {
		begin := time.Now()
		l.remove(l.secrets[0])
		if took := time.Since(begin); took > 4*time.Second {
			t.Errorf("the deletion took %v", took)
		}
		if l.remnants(l.erased) == "" {
			t.Error("the reader did not prevent the purge: this test shows nothing")
		}
	})
	l.assertGone(l.erased)
	l.assertKept()
}

func TestOnlyTheFirstPurgeWaitsForALongRead(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, 10)
	l.whileASnapshotIsRead(func() {
		l.remove(l.secrets[0]) // its purge fails
		before, waiting := l.db.Purges()
		for range 20 {
			l.remove(l.secrets[0])
		}
		if tries, _ := l.db.Purges(); tries-before >= 20 {
			t.Error("each deletion purged again, though a reader prevents that")
		}
		if !eventually(func() bool { tries, _ := l.db.Purges(); return tries >= before+2 }) {
			t.Error("a purge that failed was not retried twice")
		}
		if _, after := l.db.Purges(); after != waiting {
			t.Errorf("%d retries waited long for the reader", after-waiting)
		}
	})
	l.assertGone(l.erased)
	_, waiting := l.db.Purges()
	l.remove(l.secrets[0])
	if _, after := l.db.Purges(); after != waiting+1 {
		t.Error("the first purge after one that succeeded did not wait for readers")
	}
	l.assertGoneNow(l.erased)
	l.assertKept()
}

func TestACommandThatSharesTheDatabasePurgesToo(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, 8)
	server := l.db
	shared, err := sqlite.OpenShared(t.Context(), l.path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		l.db = server
		if i%2 == 0 {
			l.db = shared
		}
		l.step()
		l.flush()
	}
	closeDB(t, shared)
	l.db = server
	l.assertGone(l.erased)
	l.assertKept()
}

func TestTheLogDoesNotGrowForEver(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, 9)
	for i := range 60 {
		l.update(func(tx vault.Tx) error {
			for n := range 10 { // 170 pages
				err := tx.InsertSecret(l.ctx, vault.StoredSecret{
					ID: uuid.Must(uuid.NewV7()), User: l.user, Name: fmt.Sprint(i, "_", n),
					Version: 1, SealedValue: random(64 << 10), SealedMask: random(74),
					CreatedAt: time.UnixMicro(1), UpdatedAt: time.UnixMicro(1),
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	info, err := os.Stat(l.path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if most := int64(4500 * 4096); info.Size() > most {
		t.Errorf("the log has %d bytes, more than %d", info.Size(), most)
	}
}

func TestWhatIsWrittenWhileTheLogIsCopiedIsNotCopied(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, 11)
	for range 200 {
		l.step()
	}
	l.destroy() // so no purge is due
	gaps, err := l.db.CopyBeside(l.ctx, func() {
		for range 100 {
			l.create()
			l.replace(l.any())
		}
		l.flush()
	})
	if err != nil {
		t.Fatal(err)
	}
	if gaps == 0 {
		t.Error("no page has data in its gap: this shows nothing")
	}
	l.assertNoGaps()
	l.destroy()
	l.assertNoGaps()
	l.assertKept()
}
