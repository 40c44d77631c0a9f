package vault

import (
	"math"
	"time"

	"github.com/keysake/keysake/internal/anchor"
)

// time returns the current time, as exact as it is stored.
func (c *core) time() time.Time { return c.now().UTC().Truncate(time.Microsecond) }

// isOver reports whether an interval has passed since a time. One that is ahead is of a clock that
// was set back since, and nothing waits for it.
func isOver(since, now time.Time, interval time.Duration) bool {
	passed := now.Sub(since)
	return passed < 0 || passed >= interval
}

// A Due selects times that were noted for something to be done: those that have come, and those
// further ahead than any is noted, which are of a clock that was ahead.
type Due struct{ By, Beyond time.Time }

// due returns which times have come, if none is noted further ahead than most.
func (c *core) due(most time.Duration) Due {
	now := c.time()
	return Due{By: now, Beyond: now.Add(most)}
}

// maxSkew is by how much the clocks of servers may differ for the times of a library to stay in
// order.
const maxSkew = 2 * time.Minute

// timeAfter returns the time of a change, which is not before that of the last one: a server whose
// clock is ahead may have made that. A ledger's number is at least the time when it was saved.
func (c *core) timeAfter(l anchor.Ledger) time.Time {
	now := c.time()
	last := time.UnixMicro(int64(min(l.Number, math.MaxInt64))).UTC()
	if last.After(now) && last.Sub(now) <= maxSkew {
		return last
	}
	return now
}
