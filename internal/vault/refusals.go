package vault

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
)

// refusalWindow is how long refusals of one kind are counted before their number is recorded.
const refusalWindow = time.Minute

// refusals keeps a caller who is refused again and again from filling the audit log. The first
// refusal of a kind is recorded before it is answered. Those of the minute after it are counted,
// and their number is one entry. It is lost if the process is killed before; the first is not.
type refusals struct {
	mu   sync.Mutex
	open map[refusalKind]*refusal
}

type refusalKind struct {
	user, owner, credential uuid.UUID
	action                  policy.Action
}

type refusal struct {
	since    time.Time
	recorded chan struct{} // closed when the first is recorded, or could not be
	err      error         // why it could not be

	// guarded by refusals.mu
	last  Actor
	count uint64 // of those after the first
}

func newRefusals() *refusals { return &refusals{open: map[refusalKind]*refusal{}} }

// add calls record for the first refusal of a kind. The others wait for its outcome, which is
// theirs.
func (r *refusals) add(
	ctx context.Context, who Actor, action policy.Action, now time.Time, record func() error,
) error {
	kind := refusalKind{who.User, who.Owner(), who.Credential.ID, action}
	r.mu.Lock()
	if first, found := r.open[kind]; found {
		first.last = who
		first.count++
		r.mu.Unlock()
		select {
		case <-first.recorded:
			return first.err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	first := &refusal{since: now, recorded: make(chan struct{}), last: who}
	r.open[kind] = first
	r.mu.Unlock()
	defer close(first.recorded)
	if first.err = record(); first.err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.open, kind)
	}
	return first.err
}

// takeDue removes and returns those whose time is over: with all, everyone.
func (r *refusals) takeDue(now time.Time, all bool) map[refusalKind]*refusal {
	r.mu.Lock()
	defer r.mu.Unlock()
	due := map[refusalKind]*refusal{}
	for kind, each := range r.open {
		select {
		case <-each.recorded:
			if all || isOver(each.since, now, refusalWindow) {
				due[kind] = each
				delete(r.open, kind)
			}
		default: // the first is being recorded
		}
	}
	return due
}

// putBack keeps a number that could not be recorded for the next time.
func (r *refusals) putBack(kind refusalKind, one *refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if next, found := r.open[kind]; found {
		next.count += one.count
		return
	}
	r.open[kind] = one
}

// FlushRefusals records the numbers of refusals whose minute is over, and with all those of all.
// The server calls it every few seconds, and with all when it stops.
func (s *Service) FlushRefusals(ctx context.Context, all bool) error {
	var failed []error
	for kind, each := range s.refusals.takeDue(s.now(), all) {
		if each.count == 0 {
			continue
		}
		further := audit.Target{Kind: audit.TargetRefusals, Version: each.count}
		err := s.recordRefusal(ctx, each.last, kind.action, further)
		gone := KindOf(err) == Unauthenticated || errors.Is(err, errNoGrant) // it was deleted
		if err != nil && !gone {
			s.refusals.putBack(kind, each)
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// refuse records that who was not allowed to do action, or counts it, and returns why. If that
// cannot be recorded, its error is returned instead: no refusal goes unrecorded.
func (s *Service) refuse(ctx context.Context, who Actor, action policy.Action, why error) error {
	if who.User == uuid.Nil {
		return unauthenticated()
	}
	err := s.refusals.add(ctx, who, action, s.now(), func() error {
		return s.recordRefusal(ctx, who, action, audit.Target{})
	})
	if err != nil {
		return err
	}
	return why
}

// recordRefusal appends an entry to the chain of who asked, or of the user for whom they acted. It
// names the lease of a ticket.
func (s *Service) recordRefusal(
	ctx context.Context, who Actor, action policy.Action, target audit.Target,
) error {
	in := inOwnLibrary(who, action)
	in.outcome = audit.Refused
	return s.apply(ctx, in, func(c *change) error {
		switch who.Credential.Kind {
		case audit.CredentialTicket, audit.CredentialPlaceholder:
			c.lease = who.Credential.ID // and nothing else of its row, for which nothing may vouch
		case audit.CredentialAPIKey, audit.CredentialSession, audit.CredentialSignInLink,
			audit.CredentialTrust, audit.CredentialWorkload, audit.CredentialSchedule,
			audit.CredentialDevice, audit.CredentialIdentity, audit.CredentialPasskey,
			audit.CredentialGrant:
		}
		c.record(target)
		return nil
	})
}
