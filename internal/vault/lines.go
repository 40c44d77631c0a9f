package vault

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/seal"
)

// How much is kept in memory of what was verified: some 300 bytes for each API key, and twice a
// ledger's length for each ledger.
const (
	maxLines   = 20_000
	maxLedgers = 10_000
)

// A line is an API key that was presented, with the keys above it, as it was verified. It counts
// while the ledgers that list its keys have the numbers that they had then.
type line struct {
	keys    []APIKey
	whole   bool // it reaches a key that the operator made
	numbers map[uuid.UUID]uint64
}

// works reports whether the key works at a time: it and every key above it is neither revoked nor
// suspended and has not expired, and no user of one is disabled.
func (l line) works(now time.Time) bool {
	return l.whole && !slices.ContainsFunc(l.keys, func(k APIKey) bool {
		return k.Suspended || !k.ExpiresAt.IsZero() && !k.ExpiresAt.After(now)
	})
}

// verified is what was verified of committed ledgers, so that it need not be done again.
type verified struct {
	lines   *lru.Cache[TokenHash, line]
	ledgers *lru.Cache[uuid.UUID, verifiedLedger]
}

type verifiedLedger struct {
	ledger anchor.Ledger
	signer seal.InstanceKey
	signed []byte // as it was stored
}

func newVerified() *verified {
	lines, _ := lru.New[TokenHash, line](maxLines) // it fails for a size that is not positive
	ledgers, _ := lru.New[uuid.UUID, verifiedLedger](maxLedgers)
	return &verified{lines, ledgers}
}

// purge forgets everything: other keys are believed now.
func (v *verified) purge() {
	v.lines.Purge()
	v.ledgers.Purge()
}

// ledger returns a user's ledger, if it was verified in these very bytes.
func (v *verified) ledger(stored StoredLedger) (verifiedLedger, bool) {
	known, found := v.ledgers.Get(stored.Owner)
	return known, found && known.ledger.Number == stored.Number &&
		bytes.Equal(known.signed, stored.Signed)
}

// line returns the line of a token, if its ledgers have not changed since it was verified.
func (c *core) line(ctx context.Context, hash TokenHash) (known line, ok bool, err error) {
	c.followInstanceKeys(ctx)
	if known, ok = c.verified.lines.Get(hash); !ok {
		return line{}, false, nil
	}
	users := make([]uuid.UUID, 0, len(known.numbers))
	for user := range known.numbers {
		users = append(users, user)
	}
	seen := c.floors.seen()
	err = c.store.Read(ctx, func(r Reader) error {
		now, err := r.LedgerNumbers(ctx, users)
		ok = err == nil
		for user, number := range known.numbers {
			ok = ok && now[user] == number && !c.floors.below(user, number, seen)
		}
		return err
	})
	return known, ok, err
}
