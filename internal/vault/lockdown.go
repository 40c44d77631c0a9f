package vault

import (
	"context"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/policy"
)

// LockDown locks the instance down until [Operator.LiftLockdown]: for callers only what
// [policy.InLockdown] allows is done. The operator at the machine can do everything.
func (o *Operator) LockDown(ctx context.Context) error {
	return o.setLockdown(ctx, policy.LockdownBegin, anchor.Disabled)
}

// LiftLockdown ends a lockdown, but for that of a server whose configuration demands it.
func (o *Operator) LiftLockdown(ctx context.Context) error {
	return o.setLockdown(ctx, policy.LockdownLift, anchor.Active)
}

// setLockdown stores in the instance's ledger whether it is locked down.
func (o *Operator) setLockdown(
	ctx context.Context, action policy.Action, state anchor.State,
) error {
	in := intent{action: action, library: instanceLibrary()}
	return o.apply(ctx, in, func(c *change) error {
		c.ledger.State = state
		return nil
	})
}

// LockedDown reports whether the instance is locked down. A lockdown of another process counts
// after goneTTL at the latest.
func (s *Service) LockedDown(ctx context.Context) (locked bool, err error) {
	err = s.core.view(ctx, func(r *snapshot) (err error) {
		locked, err = r.lockedDown(ctx)
		return err
	})
	return locked, err
}

func (s *snapshot) lockedDown(ctx context.Context) (bool, error) {
	instance, err := s.core.gone.get(ctx, s)
	return s.core.lockdown || instance.State == anchor.Disabled, err
}

// checkLockdown refuses what a lockdown does not allow.
func (s *snapshot) checkLockdown(ctx context.Context, who Actor, action policy.Action) error {
	if who.User == uuid.Nil || policy.InLockdown(who.Scopes, action) {
		return nil
	}
	locked, err := s.lockedDown(ctx)
	if err == nil && locked {
		err = errLockedDown
	}
	return err
}

var errLockedDown = &Error{
	Kind: Unavailable, Detail: "The server is locked down until its operator lifts that",
}
