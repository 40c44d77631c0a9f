package vault

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// lastUsed collects when API keys were used, so that a read costs no write. What waits is bounded
// by the number of active keys, and lost in a crash: the time is a help for people. The record is
// the audit log.
type lastUsed struct {
	mu      sync.Mutex
	pending map[uuid.UUID]time.Time
	// when a key was last flushed, so that a busy key is written once a minute
	flushed map[uuid.UUID]time.Time
}

// useInterval is how exact the times of uses are that are stored: so often one is written at most.
const useInterval = time.Minute

func newLastUsed() *lastUsed {
	return &lastUsed{pending: map[uuid.UUID]time.Time{}, flushed: map[uuid.UUID]time.Time{}}
}

func (u *lastUsed) touch(key uuid.UUID, at time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if at.After(u.pending[key]) { // a flush that failed puts back what may be older by now
		u.pending[key] = at
	}
}

// latest returns the later of the stored time and the one that waits to be stored.
func (u *lastUsed) latest(key uuid.UUID, stored time.Time) time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	if at, found := u.pending[key]; found && at.After(stored) {
		return at
	}
	return stored
}

// A keyUse says when an API key was used.
type keyUse struct {
	key uuid.UUID
	at  time.Time
}

// takeDue removes and returns what is to be written now: with all, everything. It is in the order
// of the keys, so that servers that share a database do not wait in a circle.
func (u *lastUsed) takeDue(now time.Time, all bool) (due []keyUse) {
	u.mu.Lock()
	defer u.mu.Unlock()
	maps.DeleteFunc(u.flushed, func(_ uuid.UUID, at time.Time) bool {
		return isOver(at, now, useInterval)
	})
	for key, at := range u.pending {
		if _, recent := u.flushed[key]; !recent || all {
			due = append(due, keyUse{key, at})
			u.flushed[key] = now
			delete(u.pending, key)
		}
	}
	slices.SortFunc(due, func(a, b keyUse) int { return slices.Compare(a.key[:], b.key[:]) })
	return due
}

// FlushLastUsed stores when API keys were used, and how much users used. The server calls it every
// few seconds, and with all when it stops.
func (s *Service) FlushLastUsed(ctx context.Context, all bool) error {
	now := s.now()
	due, uses := s.used.takeDue(now, all), s.days.takeDue(now, all)
	if len(due) == 0 && len(uses) == 0 {
		return nil
	}
	err := s.store.Update(ctx, func(tx Tx) error {
		for _, use := range due {
			if err := tx.TouchAPIKey(ctx, use.key, use.at); err != nil {
				return err
			}
		}
		return s.days.flush(ctx, tx, uses, now)
	})
	if err != nil {
		s.days.add(uses...)
		for _, use := range due {
			s.used.touch(use.key, use.at)
		}
	}
	return err
}
