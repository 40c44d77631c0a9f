package vault

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
)

// Servers that share a database write in one order, so that none waits for another in a circle.
func TestWhenKeysWereUsedIsWrittenInTheOrderOfTheKeys(t *testing.T) {
	t.Parallel()
	u, at := newLastUsed(), time.Date(2026, 4, 15, 0, 0, 0, 0, time.UTC)
	var want []keyUse
	for i := range 20 {
		key := uuid.UUID{byte(i)}
		want = append(want, keyUse{key, at})
		u.touch(key, at)
	}
	if due := u.takeDue(at, false); !slices.Equal(due, want) {
		t.Errorf("they are written as %v", due)
	}
}
