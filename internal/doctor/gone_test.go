package doctor_test

import (
	"slices"
	"testing"

	"github.com/keysake/keysake/internal/backup"
)

func TestADeletedUserWhoseRowAndChainAreRemovedIsAFinding(t *testing.T) {
	l, now, _ := filled(t)
	for _, row := range slices.Clone(now.rows["users"]) {
		if row[len(row)-1] == nil {
			continue
		}
		for _, table := range []string{"users", "audit_entries"} {
			now.rows[table] = slices.DeleteFunc(now.rows[table],
				func(other backup.Row) bool { return other[0] == row[0] })
		}
		if names := l.failed(now); !slices.Equal(names, []string{"ledgers"}) {
			t.Errorf("%v failed", names)
		}
		return
	}
	t.Error("no user was deleted")
}
