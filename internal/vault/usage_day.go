package vault

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
)

// A UserDay is how much a user used on a day: a help for people, which nothing vouches for.
type UserDay struct {
	Day     time.Time // its beginning, in UTC
	User    uuid.UUID
	Leases  int64 // that were made
	Runs    int64 // those of them that named their run
	Secrets int64 // in these leases
}

// A UsageDay is how much all users used on a day.
type UsageDay struct {
	Day                   time.Time
	Users                 int64 // who made a lease
	Leases, Runs, Secrets int64
}

// MaxUsageDays is of how many days it is known how much was used.
const MaxUsageDays = 90

const (
	dayLength = 24 * time.Hour
	// maxUsageRows is how many are read for one answer: there is one for each user and day.
	maxUsageRows = 200_000
	dropUsage    = 1000 // rows at once
)

type usageReader interface {
	// UsageByDay returns how much was used on each day since one, oldest first, by the newest rows,
	// of which it reads so many at most. Days without use are left out.
	UsageByDay(ctx context.Context, from time.Time, limit int) ([]UsageDay, error)
}

type usageWriter interface {
	// AddUsage adds to what a user used on a day. A user who is gone is no error.
	AddUsage(ctx context.Context, u UserDay) error
	// DropUsage removes rows of days before one, some at once.
	DropUsage(ctx context.Context, before time.Time, limit int) error
}

// dayUses collect how much was used, so that a lease costs no write more. What waits is lost in a
// crash.
type dayUses struct {
	mu      sync.Mutex
	pending map[dayUser]UserDay
	flushed time.Time
}

type dayUser struct {
	day  time.Time
	user uuid.UUID
}

func newDayUses() *dayUses { return &dayUses{pending: map[dayUser]UserDay{}} }

// note counts a lease that was made.
func (d *dayUses) note(l StoredLease) {
	use := UserDay{
		Day: l.CreatedAt.UTC().Truncate(dayLength), User: l.User, Leases: 1,
		Secrets: int64(len(l.Secrets)),
	}
	if l.Run != (Run{}) {
		use.Runs = 1
	}
	d.add(use)
}

func (d *dayUses) add(uses ...UserDay) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, u := range uses {
		of := dayUser{u.Day, u.User}
		was := d.pending[of]
		u.Leases, u.Runs, u.Secrets = u.Leases+was.Leases, u.Runs+was.Runs, u.Secrets+was.Secrets
		d.pending[of] = u
	}
}

// takeDue removes and returns what is to be written now, once a minute; with all, at once. It is in
// the order of days and users, so that servers that share a database do not wait in a circle.
func (d *dayUses) takeDue(now time.Time, all bool) (due []UserDay) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !all && !isOver(d.flushed, now, useInterval) {
		return nil
	}
	due = slices.SortedFunc(maps.Values(d.pending), func(a, b UserDay) int {
		return cmp.Or(a.Day.Compare(b.Day), slices.Compare(a.User[:], b.User[:]))
	})
	clear(d.pending)
	d.flushed = now
	return due
}

// flush stores what was used, and drops what is too old to be shown.
func (d *dayUses) flush(ctx context.Context, tx Tx, due []UserDay, now time.Time) error {
	for _, u := range due {
		if err := tx.AddUsage(ctx, u); err != nil {
			return err
		}
	}
	if len(due) == 0 {
		return nil
	}
	return tx.DropUsage(ctx, FirstDay(now, MaxUsageDays), dropUsage)
}

// FirstDay returns the first of so many days, of which today is the last.
func FirstDay(now time.Time, days int) time.Time {
	return now.UTC().Truncate(dayLength).AddDate(0, 0, 1-days)
}

// ServerUsage returns how much all users used on each of the last days, at most [MaxUsageDays],
// oldest first. There are fewer where so much was used that not all of it can be added up. It needs
// the scope admin.
func (s *Service) ServerUsage(
	ctx context.Context, who Actor, days int,
) (usage []UsageDay, err error) {
	from := FirstDay(s.now(), min(days, MaxUsageDays))
	err = s.view(ctx, who, policy.UsageListAll, func(p *page) error {
		found, err := p.rows.UsageByDay(ctx, from, maxUsageRows)
		usage = everyDay(found, from, min(days, MaxUsageDays))
		return err
	})
	return usage, err
}

// everyDay adds the days without use, and leaves out those of which some rows were not read.
func everyDay(found []UsageDay, from time.Time, days int) []UsageDay {
	rows, byDay := int64(0), map[time.Time]UsageDay{}
	for _, d := range found {
		rows += d.Users
		byDay[d.Day] = d
	}
	if rows == maxUsageRows {
		from, days = found[0].Day.AddDate(0, 0, 1), len(found)-1
	}
	usage := make([]UsageDay, days)
	for i := range usage {
		day := from.AddDate(0, 0, i)
		usage[i] = byDay[day]
		usage[i].Day = day
	}
	return usage
}
