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
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/store/sqlite"
	"github.com/keysake/keysake/internal/vault"
)

// window is how many bytes in a row of a blob must not be found: no other data has them by chance.
const window = 16

// A library is a user's secrets in a database, and all blobs that were destroyed there.
type library struct {
	t    *testing.T
	db   *sqlite.DB
	path string
	user uuid.UUID
	rand *mathrand.Rand
	live []*kept
	dead [][]byte
	read bool // others read: a sweep may have to wait for them

	// creations and replacements, for one commit
	waiting []func(ctx context.Context, tx vault.Tx) error
}

// kept is a secret with its versions' blobs, oldest first.
type kept struct {
	vault.StoredSecret
	blobs [][2][]byte
}

const keep = 3

func newLibrary(t *testing.T, seed uint64) *library {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keysake.db")
	db := open(t, path)
	return &library{
		t:    t,
		db:   db,
		path: path,
		user: addUser(t, db, "ann").ID,
		rand: mathrand.New(mathrand.NewPCG(seed, seed)),
	}
}

// soon puts off what is to be done until a commit has enough of it.
func (l *library) soon(do func(ctx context.Context, tx vault.Tx) error) {
	l.t.Helper()
	if l.waiting = append(l.waiting, do); l.rand.IntN(8) == 0 {
		l.flush()
	}
}

func (l *library) flush() {
	l.t.Helper()
	l.update(func(ctx context.Context, tx vault.Tx) (err error) {
		for _, do := range l.waiting {
			err = errors.Join(err, do(ctx, tx))
		}
		return err
	})
	l.waiting = nil
}

func (l *library) update(do func(ctx context.Context, tx vault.Tx) error) {
	l.t.Helper()
	if err := l.db.Update(
		l.t.Context(),
		func(tx vault.Tx) error { return do(l.t.Context(), tx) },
	); err != nil {
		l.t.Fatal(err)
	}
}

// blobs gives a secret a new value and mask. Most are as small as keys are, so that many share a
// page; some fill pages.
func (l *library) blobs(k *kept) {
	size := 70 + l.rand.IntN(150)
	switch l.rand.IntN(8) {
	case 0:
		size = 70 + l.rand.IntN(4000)
	case 1:
		size = 70 + l.rand.IntN(64<<10)
	}
	k.SealedValue, k.SealedMask = random(size), random(74)
	k.blobs = append(k.blobs, [2][]byte{k.SealedValue, k.SealedMask})
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func (l *library) create() {
	l.t.Helper()
	at := time.UnixMicro(1_700_000_000_000_000)
	k := &kept{
		StoredSecret: vault.StoredSecret{
			ID:        uuid.Must(uuid.NewV7()),
			User:      l.user,
			Version:   1,
			CreatedAt: at,
			UpdatedAt: at,
		},
	}
	k.Name = fmt.Sprintf("N%d_%s", l.rand.IntN(1000), k.ID)
	l.blobs(k)
	stored := k.StoredSecret
	l.soon(func(ctx context.Context, tx vault.Tx) error { return tx.InsertSecret(ctx, stored) })
	l.live = append(l.live, k)
}

func (l *library) replace() {
	l.t.Helper()
	k := l.live[l.rand.IntN(len(l.live))]
	k.Version++
	l.blobs(k)
	stored := k.StoredSecret
	l.soon(func(ctx context.Context, tx vault.Tx) error {
		err := errors.Join(tx.KeepVersion(ctx, l.user, stored.ID), tx.UpdateSecret(ctx, stored))
		if stored.Version > keep {
			err = errors.Join(err, tx.PruneVersions(ctx, l.user, stored.ID, stored.Version-keep))
		}
		return err
	})
	for ; len(k.blobs) > keep; k.blobs = k.blobs[1:] {
		l.dead = append(l.dead, k.blobs[0][0], k.blobs[0][1])
	}
}

// destroy deletes a secret, and looks whether it is gone.
func (l *library) destroy() {
	l.t.Helper()
	l.flush()
	at := l.rand.IntN(len(l.live))
	k := l.live[at]
	l.live = append(l.live[:at], l.live[at+1:]...)
	l.update(
		func(ctx context.Context, tx vault.Tx) error { return tx.DeleteSecret(ctx, l.user, k.ID) },
	)
	var gone [][]byte
	for _, pair := range k.blobs {
		gone = append(gone, pair[0], pair[1])
	}
	l.dead = append(l.dead, gone...)
	if l.read {
		l.assertGone(gone)
	} else if found := l.remnants(gone); found != "" {
		l.t.Errorf("a deleted secret is still there: %s", found)
	}
}

func (l *library) step() {
	l.t.Helper()
	switch n := l.rand.IntN(20); {
	case n < 9 || len(l.live) < 10:
		l.create()
	case n < 19:
		l.replace()
	default:
		l.destroy()
	}
}

// remnants tells where in the database's files any window of the blobs is, or nothing.
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
				return fmt.Sprintf(
					"keysake.db%s at %d of %d (page %d)",
					suffix,
					i,
					len(data),
					i/4096+1,
				)
			}
		}
	}
	return ""
}

// assertGone checks that nothing of what was destroyed is in the files, now or within the time that
// a replaced value may take.
func (l *library) assertGone(blobs [][]byte) {
	l.t.Helper()
	var found string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(
		200 * time.Millisecond,
	) {
		if found = l.remnants(blobs); found == "" {
			return
		}
	}
	l.t.Errorf("something that was destroyed is still there: %s", found)
}

// assertNoGaps checks the place where SQLite leaves copies of rows: after a sweep, no page of a
// table has anything between its pointers and its rows. Most of such copies are of rows that live,
// so this finds more than a search for the dead.
func (l *library) assertNoGaps() {
	l.t.Helper()
	data, err := os.ReadFile(l.path)
	if err != nil {
		l.t.Fatal(err)
	}
	const size, tableLeaf = 4096, 13
	leaves := 0
	for at := size; at < len(data); at += size {
		page := data[at : at+size]
		if page[0] != tableLeaf {
			continue
		}
		leaves++
		from, to := 8+2*int(
			binary.BigEndian.Uint16(page[3:]),
		), int(
			binary.BigEndian.Uint16(page[5:]),
		)
		if len(bytes.Trim(page[from:to], "\x00")) > 0 {
			l.t.Errorf("page %d has something in its gap", at/size+1)
		}
	}
	if leaves < 10 {
		l.t.Errorf("only %d pages of tables: this shows nothing", leaves)
	}
}

// assertLive checks that nothing else was touched.
func (l *library) assertLive() {
	l.t.Helper()
	err := l.db.View(l.t.Context(), func(r vault.Reader) error {
		for _, k := range l.live {
			value, err := r.SealedValue(l.t.Context(), l.user, k.ID)
			if err != nil {
				return err
			}
			if !bytes.Equal(value, k.SealedValue) {
				l.t.Errorf("secret %s is not what was stored", k.ID)
			}
			for i, pair := range k.blobs[:len(k.blobs)-1] {
				old, err := r.OldVersion(
					l.t.Context(),
					l.user,
					k.ID,
					k.Version-uint64(len(k.blobs)-1-i),
				)
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

func TestNothingThatWasDestroyedIsInTheFiles(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		l := newLibrary(t, seed)
		for range 800 {
			l.step()
		}
		l.flush()
		l.destroy() // and with it all that came before is swept
		l.assertGone(l.dead)
		l.assertNoGaps()
		l.assertLive()
		if seed == 0 {
			l.update(
				func(ctx context.Context, tx vault.Tx) error {
					return tx.DeleteSecrets(ctx, l.user)
				},
			)
			for _, k := range l.live {
				for _, pair := range k.blobs {
					l.dead = append(l.dead, pair[0], pair[1])
				}
			}
			if found := l.remnants(l.dead); found != "" {
				t.Errorf("deleted secrets are still there: %s", found)
			}
		}
	}
}

func TestNothingThatWasDestroyedIsInTheFilesWhileOthersRead(t *testing.T) {
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
	l.assertGone(l.dead)
	l.assertLive()
}

// A backup reads for long. A deletion does not wait for it, and what it destroyed is gone when the
// backup has ended.
func TestALongReadDelaysOnlyTheSweep(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, 7)
	for range 20 {
		l.create()
	}
	l.flush()
	k := l.live[0]
	err := l.db.View(t.Context(), func(r vault.Reader) error {
		if _, err := r.Secrets(t.Context(), l.user); err != nil { // the snapshot begins here
			return err
		}
		l.create()
		l.flush() // the reader's snapshot is older than the journal's end
		begin := time.Now()
		l.update(
			func(ctx context.Context, tx vault.Tx) error {
				return tx.DeleteSecret(ctx, l.user, k.ID)
			},
		)
		if took := time.Since(begin); took > 4*time.Second {
			t.Errorf("the deletion took %v", took)
		}
		if l.remnants(k.blobs[0][:]) == "" {
			t.Error("the reader did not keep anything from being swept: this test shows nothing")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	l.live, l.dead = l.live[1:], append(l.dead, k.blobs[0][0], k.blobs[0][1])
	l.assertGone(l.dead)
	l.assertLive()
}

func TestOnlyTheFirstSweepWaitsForALongRead(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, 10)
	l.read = true
	for range 30 {
		l.create()
	}
	l.flush()
	remove := func() {
		k := l.live[0]
		l.live, l.dead = l.live[1:], append(l.dead, k.blobs[0][0], k.blobs[0][1])
		l.update(
			func(ctx context.Context, tx vault.Tx) error {
				return tx.DeleteSecret(ctx, l.user, k.ID)
			},
		)
	}
	err := l.db.View(t.Context(), func(r vault.Reader) error {
		if _, err := r.Secrets(t.Context(), l.user); err != nil { // the snapshot begins here
			return err
		}
		l.create()
		l.flush()
		remove() // its sweep fails
		before, patient := l.db.Purges()
		for range 20 {
			remove()
		}
		if tries, _ := l.db.Purges(); tries-before >= 20 {
			t.Error("each deletion swept again, though a reader keeps that from succeeding")
		}
		tries, waited := l.db.Purges()
		for deadline := time.Now().Add(20 * time.Second); tries < before+2 &&
			time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
			tries, waited = l.db.Purges()
		}
		if tries < before+2 || waited != patient {
			t.Errorf(
				"%d tries after the first, %d of them patient; want 2 or more, and none",
				tries-before,
				waited-patient,
			)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	l.assertGone(l.dead)
	_, patient := l.db.Purges()
	remove()
	if _, waited := l.db.Purges(); waited != patient+1 {
		t.Error("a deletion after a sweep that succeeded was not swept with patience")
	}
	if found := l.remnants(l.dead); found != "" {
		t.Errorf("a deleted secret is still there: %s", found)
	}
	l.assertLive()
}

func TestACommandBesideAServerSweepsToo(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, 8)
	server := l.db
	guest, err := sqlite.OpenShared(t.Context(), l.path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		l.db = server
		if i%2 == 0 {
			l.db = guest
		}
		l.step()
		l.flush()
	}
	if err := guest.Close(); err != nil {
		t.Error(err)
	}
	l.db = server
	l.assertGone(l.dead)
	l.assertLive()
}

func TestTheJournalDoesNotGrowForEver(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, 9)
	at := time.UnixMicro(1_700_000_000_000_000)
	for i := range 60 {
		l.update(func(ctx context.Context, tx vault.Tx) error {
			for n := range 10 { // 170 pages
				err := tx.InsertSecret(ctx, vault.StoredSecret{
					ID: uuid.Must(
						uuid.NewV7(),
					),
					User:        l.user,
					Name:        fmt.Sprint(i, "_", n),
					Version:     1,
					SealedValue: random(64 << 10),
					SealedMask:  random(74),
					CreatedAt:   at,
					UpdatedAt:   at,
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
		t.Errorf("the journal has %d bytes, more than %d", info.Size(), most)
	}
}
