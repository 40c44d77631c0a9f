package vault

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
)

// Servers that share a database write in one order, so that none waits for another in a circle.
func TestWhatWasUsedIsWrittenInTheOrderOfDaysAndUsers(t *testing.T) {
	t.Parallel()
	d, day := newDayUses(), time.Date(2026, 4, 15, 0, 0, 0, 0, time.UTC)
	var want []UserDay
	for i := range 20 {
		one := UserDay{Day: day.AddDate(0, 0, i/10), User: uuid.UUID{byte(i % 10)}, Leases: 1}
		want = append(want, one)
		d.add(one)
	}
	if due := d.takeDue(day, false); !slices.Equal(due, want) {
		t.Errorf("they are written as %v", due)
	}
}

func TestAClockThatIsSetBackHoldsBackNothingThatWasUsed(t *testing.T) {
	t.Parallel()
	d, now := newDayUses(), time.Date(2026, 4, 15, 0, 0, 0, 0, time.UTC)
	d.takeDue(now.AddDate(1, 0, 0), false)
	d.add(UserDay{Day: now, Leases: 1})
	if due := d.takeDue(now, false); len(due) != 1 {
		t.Errorf("%d are written", len(due))
	}
}
