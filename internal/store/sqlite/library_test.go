package sqlite_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/store/sqlite"
	"github.com/keysake/keysake/internal/store/storetest"
	"github.com/keysake/keysake/internal/vault"
)

// window is the length of a run of a blob's bytes that no other data has by chance.
const window = 16

// A library is a user's secrets in a database, and all blobs that were erased there.
type library struct {
	t       *testing.T
	ctx     context.Context //nolint:containedctx // the test's
	db      *sqlite.DB
	path    string
	user    uuid.UUID
	rand    *mathrand.Rand
	secrets []*storedSecret
	erased  [][]byte
	read    bool // others read: a purge may have to wait for them

	// creations and replacements, for one commit
	pending []func(vault.Tx) error
}

// storedSecret is a secret with the value and the mask of each of its versions, oldest first.
type storedSecret struct {
	vault.StoredSecret
	versions [][2][]byte
}

func (k *storedSecret) blobs() (all [][]byte) {
	for _, pair := range k.versions {
		all = append(all, pair[0], pair[1])
	}
	return all
}

// maxVersions is how many versions of a secret a library keeps.
const maxVersions = 3

func newLibrary(t *testing.T, seed uint64) *library {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keysake.db")
	db := open(t, path)
	return &library{
		t: t, ctx: t.Context(), db: db, path: path, user: storetest.AddUser(t, db, "ann").Owner,
		rand: mathrand.New(mathrand.NewPCG(seed, seed)),
	}
}

// queue collects updates until a commit has enough of them.
func (l *library) queue(do func(vault.Tx) error) {
	l.t.Helper()
	if l.pending = append(l.pending, do); l.rand.IntN(8) == 0 {
		l.flush()
	}
}

func (l *library) flush() {
	l.t.Helper()
	l.update(func(tx vault.Tx) (err error) {
		for _, do := range l.pending {
			err = errors.Join(err, do(tx))
		}
		return err
	})
	l.pending = nil
}

func (l *library) update(do func(vault.Tx) error) {
	l.t.Helper()
	if err := l.db.Update(l.ctx, do); err != nil {
		l.t.Fatal(err)
	}
}

// addVersion gives a secret a new value and mask. Most are as small as keys are, so that many share
// a page; some fill pages.
func (l *library) addVersion(k *storedSecret) {
	size := 70 + l.rand.IntN(150)
	switch l.rand.IntN(8) {
	case 0:
		size = 70 + l.rand.IntN(4000)
	case 1:
		size = 70 + l.rand.IntN(64<<10)
	}
	k.Version++
	k.SealedValue, k.SealedMask = random(size), random(74)
	k.versions = append(k.versions, [2][]byte{k.SealedValue, k.SealedMask})
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func (l *library) create() {
	l.t.Helper()
	at := time.UnixMicro(1_700_000_000_000_000)
	k := &storedSecret{StoredSecret: vault.StoredSecret{
		ID: uuid.Must(uuid.NewV7()), User: l.user, CreatedAt: at, UpdatedAt: at,
	}}
	k.Name = fmt.Sprintf("N%d_%s", l.rand.IntN(1000), k.ID)
	l.addVersion(k)
	stored := k.StoredSecret
	l.queue(func(tx vault.Tx) error { return tx.InsertSecret(l.ctx, stored) })
	l.secrets = append(l.secrets, k)
}

func (l *library) replace(k *storedSecret) {
	l.t.Helper()
	l.addVersion(k)
	stored := k.StoredSecret
	l.queue(func(tx vault.Tx) error {
		err := tx.ArchiveVersion(l.ctx, l.user, stored.ID)
		err = errors.Join(err, tx.UpdateSecret(l.ctx, stored))
		if n := stored.Version; n > maxVersions {
			err = errors.Join(err, tx.PruneVersions(l.ctx, l.user, stored.ID, n-maxVersions))
		}
		return err
	})
	for ; len(k.versions) > maxVersions; k.versions = k.versions[1:] {
		l.erased = append(l.erased, k.versions[0][0], k.versions[0][1])
	}
}

// remove deletes a secret.
func (l *library) remove(k *storedSecret) {
	l.t.Helper()
	l.flush()
	l.secrets = slices.DeleteFunc(l.secrets, func(other *storedSecret) bool { return other == k })
	l.update(func(tx vault.Tx) error { return tx.DeleteSecret(l.ctx, l.user, k.ID) })
	l.erased = append(l.erased, k.blobs()...)
}

// destroy deletes a secret, and checks that it is gone.
func (l *library) destroy() {
	l.t.Helper()
	k := l.any()
	l.remove(k)
	if l.read {
		l.assertGone(k.blobs())
		return
	}
	l.assertGoneNow(k.blobs())
}

func (l *library) any() *storedSecret { return l.secrets[l.rand.IntN(len(l.secrets))] }

func (l *library) step() {
	l.t.Helper()
	switch n := l.rand.IntN(20); {
	case n < 9 || len(l.secrets) < 10:
		l.create()
	case n < 19:
		l.replace(l.any())
	default:
		l.destroy()
	}
}

// remnants returns where in the database's files any window of the blobs is, or "".
func (l *library) remnants(blobs [][]byte) string {
	l.t.Helper()
	parts := map[[window]byte]struct{}{}
	var first [1 << 16]bool // most places are ruled out by two bytes
	for _, b := range blobs {
		for i := 0; i+window <= len(b); i++ {
			parts[[window]byte(b[i:])] = struct{}{}
			first[int(b[i])<<8|int(b[i+1])] = true
		}
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		data, err := os.ReadFile(l.path + suffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			l.t.Fatal(err)
		}
		for i := 0; i+window <= len(data); i++ {
			if !first[int(data[i])<<8|int(data[i+1])] {
				continue
			}
			if _, found := parts[[window]byte(data[i:])]; found {
				return fmt.Sprintf("keysake.db%s, byte %d of %d", suffix, i, len(data))
			}
		}
	}
	return ""
}

func (l *library) assertGoneNow(blobs [][]byte) {
	l.t.Helper()
	if found := l.remnants(blobs); found != "" {
		l.t.Errorf("deleted data is still there: %s", found)
	}
}

// assertGone checks that erased blobs are in no file, now or within the time that a replaced value
// may take.
func (l *library) assertGone(blobs [][]byte) {
	l.t.Helper()
	if !eventually(func() bool { return l.remnants(blobs) == "" }) {
		l.t.Errorf("erased data is still there: %s", l.remnants(blobs))
	}
}

// eventually waits until a condition holds, and reports whether it does.
func eventually(holds func() bool) bool {
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// assertNoGaps checks the place where SQLite leaves copies of rows: after a purge, no page of a
// table has anything between its pointers and its rows. Most of such copies are of rows that still
// exist, so this finds more than a search for erased blobs.
func (l *library) assertNoGaps() {
	l.t.Helper()
	data, err := os.ReadFile(l.path)
	if err != nil {
		l.t.Fatal(err)
	}
	const size, tableLeaf = 4096, 13
	leaves := 0
	for number := 1; number < len(data)/size; number++ {
		page := data[number*size:][:size]
		if page[0] != tableLeaf {
			continue
		}
		leaves++
		from := 8 + 2*int(binary.BigEndian.Uint16(page[3:]))
		if len(bytes.Trim(page[from:binary.BigEndian.Uint16(page[5:])], "\x00")) > 0 {
			l.t.Errorf("page %d has data in its gap", number+1)
		}
	}
	if leaves < 10 {
		l.t.Errorf("only %d pages of tables: this shows nothing", leaves)
	}
}

// assertKept checks that every secret still has its versions.
func (l *library) assertKept() {
	l.t.Helper()
	err := l.db.View(l.ctx, func(r vault.Reader) error {
		for _, k := range l.secrets {
			value, err := r.SealedValue(l.ctx, l.user, k.ID)
			if err != nil {
				return err
			}
			if !bytes.Equal(value, k.SealedValue) {
				l.t.Errorf("secret %s is not what was stored", k.ID)
			}
			oldest := k.Version - uint64(len(k.versions)-1)
			for i, pair := range k.versions[:len(k.versions)-1] {
				old, err := r.OldVersion(l.ctx, l.user, k.ID, oldest+uint64(i))
				if err != nil {
					return err
				}
				if !bytes.Equal(old.SealedValue, pair[0]) || !bytes.Equal(old.SealedMask, pair[1]) {
					l.t.Errorf("version %d of secret %s is not what was stored", old.Number, k.ID)
				}
			}
		}
		return nil
	})
	if err != nil {
		l.t.Error(err)
	}
}
