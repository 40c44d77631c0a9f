package vault

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
)

// A Watch says what is done for the secrets of a user without being asked. Zero stands for never.
type Watch struct {
	ProbeEvery  time.Duration // how often providers are asked whether keys work
	UnusedAfter time.Duration // how long a secret may go unused before the user is told
}

// DefaultUnusedAfter is what a new user has.
const DefaultUnusedAfter = 90 * 24 * time.Hour

const (
	minProbeEvery  = time.Hour
	maxProbeEvery  = 366 * 24 * time.Hour
	minUnusedAfter = 24 * time.Hour
	maxUnusedAfter = 3660 * 24 * time.Hour
)

// NewWatch returns the watch of these seconds; nil stands for never. Invalid: one is out of range.
func NewWatch(probeEvery, unusedAfter *int64) (w Watch, err error) {
	var bad [2]error
	w.ProbeEvery, bad[0] = rangeOf("probe_every", probeEvery, minProbeEvery, maxProbeEvery)
	w.UnusedAfter, bad[1] = rangeOf("unused_after", unusedAfter, minUnusedAfter, maxUnusedAfter)
	return w, JoinInvalid(bad[:]...)
}

// rangeOf returns a number of seconds within a range, and 0 for nil.
func rangeOf(name string, seconds *int64, least, most time.Duration) (time.Duration, error) {
	switch {
	case seconds == nil:
		return 0, nil
	case *seconds < int64(least/time.Second) || *seconds > int64(most/time.Second):
		return 0, invalid(Field{
			name, GoodValue,
			fmt.Sprintf("Must be between %d and %d seconds", least/time.Second, most/time.Second),
		})
	}
	return time.Duration(*seconds) * time.Second, nil
}

// watch returns what the user of a page wants.
func (p *page) watch(ctx context.Context) (Watch, error) {
	stored, _, err := p.self(ctx)
	return stored.Watch, err
}

// GetWatch returns how the caller's secrets are watched. It needs the scope secrets:read.
func (s *Service) GetWatch(ctx context.Context, who Actor) (w Watch, err error) {
	err = s.view(ctx, who, policy.WatchGet, func(p *page) (err error) {
		w, err = p.watch(ctx)
		return err
	})
	return w, err
}

// SetWatch stores how the caller's secrets are watched. It needs the scope leases:write: a probe
// uses the value.
func (s *Service) SetWatch(ctx context.Context, who Actor, w Watch) error {
	return s.update(ctx, inOwnLibrary(who, policy.WatchSet), func(c *change) error {
		stored, _, err := c.recordOwner(ctx)
		if err != nil {
			return err
		}
		stored.Watch, stored.ProbeDueAt, stored.NoticeDueAt = w, time.Time{}, c.at
		if w.ProbeEvery > 0 {
			stored.ProbeDueAt = c.at
		}
		c.ledger.Identity = stored.Identity()
		return c.tx.SetWatch(ctx, stored)
	})
}

const (
	maxToProbe = 100 // users who are looked for at once
	// LookAgain is how far ahead the next probe of a user is noted at most: a secret that is new
	// until then needs no note of its own.
	LookAgain = time.Hour
)

// UsersToProbe returns users who may have secrets to probe now, some at once. Nothing vouches for
// that: ScheduledProbes does.
func (s *Service) UsersToProbe(ctx context.Context) (due []uuid.UUID, err error) {
	err = s.store.Read(ctx, func(r Reader) (err error) {
		due, err = r.UsersToProbe(ctx, s.due(2*LookAgain), maxToProbe)
		return err
	})
	return due, err
}
