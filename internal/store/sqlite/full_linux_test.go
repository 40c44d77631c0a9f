package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/store/storetest"
	"github.com/keysake/keysake/internal/vault"
)

// smallSecret is a secret as users have them.
func smallSecret(user uuid.UUID) vault.StoredSecret {
	at := storetest.NewUser("").CreatedAt
	return vault.StoredSecret{
		ID: uuid.New(), User: user, Name: uuid.NewString(), Version: 1, CreatedAt: at,
		UpdatedAt: at, SealedValue: random(300), SealedMask: random(74),
	}
}

func TestOnAFullDiskOnlyReservedUpdatesWork(t *testing.T) {
	t.Parallel()
	dir := apptest.SmallDisk(t, "3m")
	path := filepath.Join(dir, "keysake.db")
	db := open(t, path)
	db.KeepFree(64 << 20)
	ann := storetest.AddUser(t, db, "ann")
	var made []vault.StoredSecret
	for range 40 {
		n := smallSecret(ann.Owner)
		made = append(made, n)
		err := db.Update(t.Context(), func(tx vault.Tx) error {
			return tx.InsertSecret(context.Background(), n)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	free := apptest.FillDisk(t, dir)
	for i, n := range made {
		if i == len(made)/2 { // and a new start changes nothing
			closeDB(t, db)
			apptest.FillDisk(t, dir)
			db = open(t, path)
			db.KeepFree(64 << 20)
		}
		began := time.Now()
		err := db.UpdateReserved(t.Context(), func(tx vault.Tx) error {
			return tx.DeleteSecret(context.Background(), ann.Owner, n.ID)
		})
		if took := time.Since(began); err != nil || took > time.Second {
			t.Fatalf("deletion %d of %d took %v: %v", i, len(made), took, err)
		}
		for _, file := range []string{path, path + "-wal"} {
			content, err := os.ReadFile(file)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			if bytes.Contains(content, n.SealedValue) {
				t.Errorf("deletion %d: the sealed value is still in %s", i, filepath.Base(file))
			}
		}
		wantUnavailable(t, "an update", db.Update(t.Context(), insert("bob")))
		apptest.FillDisk(t, dir) // whatever it was given back, somebody else takes
	}
	wantNames(t, db, "ann")
	free()
	storetest.AddUser(t, db, "bob")
	if n := secrets(t, db, ann.Owner); n != 0 {
		t.Errorf("%d secrets are left", n)
	}
}
