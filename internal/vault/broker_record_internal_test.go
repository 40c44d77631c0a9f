package vault

import (
	"slices"
	"testing"

	"github.com/google/uuid"
)

// Servers that share a database write in one order, so that none waits for another in a circle.
func TestHowMuchLeasesWereUsedIsWrittenInTheOrderOfTheLeases(t *testing.T) {
	t.Parallel()
	var batch []BrokeredRequest
	var want []uuid.UUID
	for i := range 20 {
		lease := uuid.UUID{byte(i)}
		batch, want = append(batch, BrokeredRequest{Lease: lease}), append(want, lease)
	}
	slices.Reverse(batch)
	added, _ := usedIn(append(batch, batch...))
	var got []uuid.UUID
	for _, use := range added {
		got = append(got, use.Lease)
	}
	if !slices.Equal(got, want) {
		t.Errorf("they are written as %v", got)
	}
}
