package doctor_test

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
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

func TestAnInstanceWithoutRoomForWhoJoinsIsAWarning(t *testing.T) {
	l, now, _ := filled(t)
	row := now.rows["instance"][0]
	at := slices.IndexFunc(row, func(v any) bool {
		b, ok := v.([]byte)
		return ok && len(b) > 100
	})
	ledger, key, err := anchor.Open(row[at].([]byte), uuid.Nil, l.keys)
	ok(t, err)
	for n := uint64(0); ledger.Leases.Len()%1000 > 0 || ledger.HasRoom(); n++ {
		entry := make([]byte, anchor.LeaseEntry) // of a user who is not there, another finding
		binary.BigEndian.PutUint64(entry, n)
		ledger.Leases.Add(entry)
	}
	row[at], err = ledger.Sign(key)
	ok(t, err)
	if names := l.failed(now); !slices.Contains(names, "room for users") {
		t.Errorf("%v failed", names)
	}
}
