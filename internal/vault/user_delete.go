package vault

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/policy"
)

// DeleteDelay returns how long the deletion of a user can be called off; 0 for not at all.
func (s *Service) DeleteDelay() time.Duration { return s.deleteDelay }

// DeleteUser destroys a user's owner key, and with it every value, and removes the secrets and the
// API keys, at once. The audit chain stays. It needs the scope admin. NotFound: no such user.
// Conflict: it is the caller. Denied: the operator lets no caller skip the delay.
func (s *Service) DeleteUser(ctx context.Context, who Actor, id uuid.UUID) error {
	return s.deleteUser(ctx, who, id, s.noDeleteNow)
}

func (s *Service) deleteUser(ctx context.Context, who Actor, id uuid.UUID, refused bool) error {
	in := intent{who: who, action: policy.UserDelete, library: userLibrary(id)}
	return s.update(ctx, in, func(c *change) error {
		if err := c.checkOther(ctx, who); err != nil {
			return err
		}
		if refused {
			return denied("Only the operator deletes a user at once: delete with the delay")
		}
		return c.delete(ctx)
	})
}

// DeleteUserLater disables a user at once, and has the user deleted after the delay that the
// operator has set, until [Service.KeepUser] calls that off. Who is to be deleted already is
// deleted no later. Without a delay, and with the errors, it is [Service.DeleteUser].
func (s *Service) DeleteUserLater(ctx context.Context, who Actor, id uuid.UUID) error {
	if s.deleteDelay == 0 {
		return s.deleteUser(ctx, who, id, false)
	}
	in := intent{who: who, action: policy.UserDeleteLater, library: userLibrary(id)}
	return s.update(ctx, in, func(c *change) error {
		if err := c.checkOther(ctx, who); err != nil {
			return err
		}
		return c.deleteLater(ctx)
	})
}

// KeepUser calls off a deletion that is not done yet. The user stays disabled. It needs the scope
// admin. NotFound: no such user. Unauthenticated: the caller's key does not work any more.
func (s *Service) KeepUser(ctx context.Context, who Actor, id uuid.UUID) error {
	in := intent{who: who, action: policy.UserKeep, library: userLibrary(id)}
	return s.update(ctx, in, func(c *change) error {
		if err := c.checkStillIn(ctx, who); err != nil {
			return err
		}
		return c.keep(ctx)
	})
}

// DeleteUser is [Service.DeleteUser] for the operator. It deletes any user, the last admin too.
func (o *Operator) DeleteUser(ctx context.Context, id uuid.UUID) error {
	in := intent{action: policy.UserDelete, library: userLibrary(id)}
	return o.apply(ctx, in, func(c *change) error { return c.delete(ctx) })
}

// DeleteUserLater is [Service.DeleteUserLater] for the operator.
func (o *Operator) DeleteUserLater(ctx context.Context, id uuid.UUID) error {
	if o.deleteDelay == 0 {
		return o.DeleteUser(ctx, id)
	}
	in := intent{action: policy.UserDeleteLater, library: userLibrary(id)}
	return o.apply(ctx, in, func(c *change) error { return c.deleteLater(ctx) })
}

// KeepUser is [Service.KeepUser] for the operator.
func (o *Operator) KeepUser(ctx context.Context, id uuid.UUID) error {
	in := intent{action: policy.UserKeep, library: userLibrary(id)}
	return o.apply(ctx, in, func(c *change) error { return c.keep(ctx) })
}

// maxDue is how many users [Operator.DeleteDue] deletes at most, and how many failures it names.
const maxDue = 20

// DeleteDue deletes users whose time to be deleted has come, and returns who they were. In a
// lockdown it waits: who is to be deleted may be so by a key that was stolen. A user whose row or
// ledgers do not verify keeps no other from being deleted; the error names them.
func (o *Operator) DeleteDue(ctx context.Context) (deleted []uuid.UUID, err error) {
	var due []uuid.UUID
	err = o.store.Read(ctx, func(r Reader) (err error) {
		due, err = r.UsersDue(ctx, o.time())
		return err
	})
	if err != nil {
		return nil, err
	}
	var failed []error
	for _, user := range due {
		done, err := o.deleteDue(ctx, user)
		if err != nil && !errors.Is(err, ErrNotFound) && len(failed) < maxDue {
			failed = append(failed, err)
		}
		if done {
			deleted = append(deleted, user)
		}
		if len(deleted) == maxDue || ctx.Err() != nil {
			break
		}
	}
	return deleted, errors.Join(failed...)
}

// errNothing ends a change that has nothing to do.
var errNothing = errors.New("there is nothing to do")

func (o *Operator) deleteDue(ctx context.Context, id uuid.UUID) (bool, error) {
	in := intent{action: policy.UserDelete, library: userLibrary(id)}
	err := o.apply(ctx, in, func(c *change) error {
		_, user, instance, err := c.recordUser(ctx)
		switch {
		case err != nil:
			return err
		case o.lockdown || instance.ledger.State == anchor.Disabled:
			return errNothing
		case user.DeleteAt.IsZero() || user.DeleteAt.After(c.at):
			return errNothing // it was called off
		case !user.Disabled || !instance.ledger.APIKeys.Has(id[:]):
			// the ledgers are of two moments: it may have been called off since
			return tampered(ledgerName(id), errOlder)
		}
		return c.destroy(ctx, instance)
	})
	if errors.Is(err, errNothing) {
		return false, nil
	}
	return err == nil, err
}

// checkOther refuses callers who would stop themselves, or whose key does not work any more.
func (c *change) checkOther(ctx context.Context, who Actor) error {
	if c.owner == who.User {
		return &Error{Kind: Conflict, Detail: "You cannot delete yourself: another admin must"}
	}
	return c.checkStillIn(ctx, who)
}

func (c *change) delete(ctx context.Context) error {
	_, _, instance, err := c.recordUser(ctx)
	if err != nil {
		return err
	}
	return c.destroy(ctx, instance)
}

// destroy removes what a user has, and empties the ledger.
func (c *change) destroy(ctx context.Context, instance *page) error {
	if err := c.removeRows(ctx); err != nil {
		return err
	}
	if err := c.tx.DeleteUser(ctx, c.owner, c.at); err != nil {
		return err
	}
	c.noteDeleted(instance)
	return nil
}

// removeRows removes all that a user has but the user's own row and the audit chain.
func (c *change) removeRows(ctx context.Context) error {
	for _, remove := range []func(context.Context, uuid.UUID) error{
		c.tx.DeleteSecrets, c.tx.DeleteAPIKeys, c.tx.DeleteOwnerKeys, c.tx.DeleteLeases,
		c.tx.DeleteDoneRequests,
	} {
		if err := remove(ctx, c.owner); err != nil {
			return err
		}
	}
	return nil
}

// MaxDeleted is how many of the users who were deleted last the instance's ledger lists.
const MaxDeleted = 10_000

// noteDeleted empties the ledger of a user, and notes in the instance's that the user is deleted.
func (c *change) noteDeleted(instance *page) {
	user := c.ledger.User
	c.dropped = append(c.dropped, c.openers())
	c.ledger = anchor.Ledger{
		User: user, Number: c.ledger.Number, State: anchor.Deleted, Cut: c.ledger.Cut,
		Head: c.ledger.Head,
	}
	instance.ledger.APIKeys.Remove(user[:])
	instance.ledger.AddDeleted(user, c.at, MaxDeleted)
}

// deleteLater disables a user, and notes when the user is to be deleted.
func (c *change) deleteLater(ctx context.Context) error {
	stored, _, instance, err := c.recordUser(ctx)
	if err != nil {
		return err
	}
	at, was := c.at.Add(c.core.deleteDelay), c.isDisabled(instance)
	c.setDisabled(instance)
	if !stored.DeleteAt.IsZero() && stored.DeleteAt.Before(at) {
		if was {
			return errUnchanged
		}
		return nil
	}
	stored.DeleteAt = at
	return c.setTimes(ctx, stored)
}

// keep notes that a user is not to be deleted.
func (c *change) keep(ctx context.Context) error {
	stored, _, _, err := c.recordUser(ctx)
	if err != nil {
		return err
	}
	stored.DeleteAt = time.Time{}
	return c.setTimes(ctx, stored)
}

// setTimes stores when a user is to be deleted and was repaired, which the ledger vouches for.
func (c *change) setTimes(ctx context.Context, stored StoredUser) error {
	c.ledger.Identity = stored.Identity()
	return c.tx.SetUserTimes(ctx, stored)
}
