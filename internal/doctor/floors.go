package doctor

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/store"
	"github.com/keysake/keysake/internal/vault"
)

// CheckFloors compares the ledgers of a database with the highest numbers that servers have seen of
// them, which file has; the nil id is the instance's. Whether the ledgers verify is said by
// [Examine].
func CheckFloors(
	ctx context.Context, src backup.Source, floors map[uuid.UUID]uint64, file string,
) (Check, error) {
	var f findings
	seen := map[uuid.UUID]bool{}
	compare := func(user uuid.UUID, whose string, l vault.StoredLedger) {
		seen[user] = true
		if l.Number < floors[user] {
			f.add("the data of %s is older than a server has seen it: it was put back", whose)
		}
	}
	for l, err := range store.Instances(ctx, src) {
		if err == nil {
			compare(uuid.Nil, "the instance", l)
		} else if !damagedRow(err) {
			return Check{}, err
		}
	}
	for u, err := range store.Users(ctx, src) {
		if err == nil {
			whose := "user " + u.Owner.String()
			if u.Username != "" {
				whose += " (" + u.Username + ")"
			}
			compare(u.Owner, whose, u.StoredLedger)
		} else if !damagedRow(err) {
			return Check{}, err
		}
	}
	for user := range floors {
		if !seen[user] {
			f.add("user %s is missing, whom a server has seen: an older database was put back",
				user)
		}
	}
	text := fmt.Sprintf("%d ledgers are as new as a server has seen, by %s", len(seen), file)
	return f.check("freshness", text,
		"users or the instance are not as new as a server has seen them",
		"if you did not put an older database back, somebody else did: find out what was taken "+
			"back; to accept it: keysake floors reset"), nil
}
