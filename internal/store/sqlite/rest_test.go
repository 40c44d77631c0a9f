package sqlite_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/store/storetest"
	"github.com/keysake/keysake/internal/vault"
)

func TestAnIdleDatabaseTakesLittleMemory(t *testing.T) {
	t.Parallel()
	db := openNew(t)
	ctx := context.Background()
	for tries := uint64(0); tries == 0; tries, _ = db.Purges() { // that one empties the log, too
		time.Sleep(10 * time.Millisecond)
	}
	for i := range 300 {
		storetest.AddUser(t, db, fmt.Sprintf("user-%d", i))
	}
	err := db.View(ctx, func(r vault.Reader) error {
		_, err := r.Users(ctx)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	const little = 16 << 10
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		readers, writer := db.Kept()
		if readers < 8*little && writer < little {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the readers keep %d bytes, and the writer %d", readers, writer)
		}
	}
}
