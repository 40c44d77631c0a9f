package vault

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
)

// tamperings are what was found tampered with, until it is recorded.
type tamperings struct {
	mu      sync.Mutex
	count   uint64
	pending map[string]bool // what was found, and not recorded yet
	last    map[string]time.Time
}

// The same finding is recorded once an hour, and at most maxTamperings are remembered: who writes
// the database must not be able to fill the audit log.
const (
	tamperingInterval = time.Hour
	maxTamperings     = 1000
)

func newTamperings() *tamperings {
	return &tamperings{pending: map[string]bool{}, last: map[string]time.Time{}}
}

// report counts a use that found the database tampered with, and notes what it was.
func (t *tamperings) report(err error) {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count++
	if time.Since(t.last[e.Detail]) >= tamperingInterval && len(t.last) < maxTamperings {
		t.last[e.Detail] = time.Now()
		t.pending[e.Detail] = true
	}
}

// take returns what is to be recorded now.
func (t *tamperings) take() (found []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for what := range t.pending {
		found = append(found, what)
	}
	clear(t.pending)
	for what, at := range t.last {
		if time.Since(at) >= tamperingInterval {
			delete(t.last, what)
		}
	}
	slices.Sort(found)
	return found
}

// Tamperings returns how many uses found the database tampered with.
func (s *Service) Tamperings() uint64 {
	s.found.mu.Lock()
	defer s.found.mu.Unlock()
	return s.found.count
}

// NewTamperings returns what was found tampered with since the last call, without anything of a
// value: what is to be logged, and given to [Service.RecordTamperings]. The server asks every few
// seconds.
func (s *Service) NewTamperings() []string { return s.found.take() }

// RecordTamperings records in the instance's chain what was found.
func (s *Service) RecordTamperings(ctx context.Context, found []string) error {
	if len(found) == 0 {
		return nil
	}
	in := intent{
		action: policy.TamperingFound, library: instanceLibrary(), outcome: audit.Refused,
	}
	return s.apply(ctx, in, func(c *change) error {
		for _, what := range found {
			c.record(audit.Target{Kind: audit.TargetDatabase, Name: what})
		}
		return nil
	})
}
