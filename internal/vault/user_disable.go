package vault

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/policy"
)

// DisableUser stops every API key of a user at once, and all that these made for others, until
// [Service.EnableUser], also of a user of whom what is stored does not verify. Nothing is deleted.
// It needs the scope admin. NotFound: no such user. Conflict: it is the caller. Unauthenticated:
// the caller's key does not work any more.
func (s *Service) DisableUser(ctx context.Context, who Actor, id uuid.UUID) error {
	disable := func(in library, do func(*change) error) error {
		return s.update(ctx, intent{who: who, action: policy.UserDisable, library: in},
			func(c *change) error {
				if id == who.User {
					return &Error{
						Kind: Conflict, Detail: "You cannot disable yourself: another admin must",
					}
				}
				if err := c.checkStillIn(ctx, who); err != nil {
					return err
				}
				return do(c)
			})
	}
	return disableAnyhow(ctx, id, disable)
}

// disableAnyhow disables a user by changes that apply makes.
//
// What is stored of one who was tampered with is not believed, so that nothing can be written to
// it. Then the instance's ledger alone lists the user: whatever ledger of the user comes back, it
// is of before. Only a repair makes one that is not.
func disableAnyhow(
	ctx context.Context, id uuid.UUID, apply func(library, func(*change) error) error,
) error {
	err := apply(userLibrary(id), func(c *change) error { return c.disable(ctx) })
	if !errors.Is(err, ErrTampered) {
		return err
	}
	return apply(instanceLibrary(), func(c *change) error {
		c.record(User{ID: id}.target())
		if !c.ledger.APIKeys.Add(id[:]) {
			return errUnchanged
		}
		return nil
	})
}

// EnableUser lets the API keys of a user who was disabled work again: those that have not been
// revoked and have not expired. It needs the scope admin. NotFound: no such user. Unauthenticated:
// the caller's key does not work any more.
func (s *Service) EnableUser(ctx context.Context, who Actor, id uuid.UUID) error {
	in := intent{who: who, action: policy.UserEnable, library: userLibrary(id)}
	return s.update(ctx, in, func(c *change) error {
		if err := c.checkStillIn(ctx, who); err != nil {
			return err
		}
		return c.enable(ctx)
	})
}

// DisableUser is [Service.DisableUser] for the operator. It stops any user, the last admin too.
func (o *Operator) DisableUser(ctx context.Context, id uuid.UUID) error {
	return disableAnyhow(ctx, id, func(in library, do func(*change) error) error {
		return o.apply(ctx, intent{action: policy.UserDisable, library: in}, do)
	})
}

// EnableUser is [Service.EnableUser] for the operator.
func (o *Operator) EnableUser(ctx context.Context, id uuid.UUID) error {
	in := intent{action: policy.UserEnable, library: userLibrary(id)}
	return o.apply(ctx, in, func(c *change) error { return c.enable(ctx) })
}

// disable says in the user's ledger that no key of the user counts, and lists the user in the
// instance's, so that an older ledger of the user is noticed. It changes nothing of a user who is
// disabled.
func (c *change) disable(ctx context.Context) error {
	_, _, instance, err := c.recordUser(ctx)
	switch {
	case err != nil:
		return err
	case c.isDisabled(instance):
		return errUnchanged
	}
	c.setDisabled(instance)
	return nil
}

func (c *change) isDisabled(instance *page) bool {
	return c.ledger.State == anchor.Disabled && instance.ledger.APIKeys.Has(c.owner[:])
}

func (c *change) setDisabled(instance *page) {
	c.ledger.State = anchor.Disabled
	instance.ledger.APIKeys.Add(c.owner[:])
}

// enable takes back what disable says. It changes nothing of a user who is not disabled. Conflict:
// the user is to be deleted.
func (c *change) enable(ctx context.Context) error {
	stored, user, instance, err := c.recordUser(ctx)
	if err != nil {
		return err
	}
	if !user.DeleteAt.IsZero() {
		return &Error{
			Kind: Conflict, Detail: "The user is to be deleted: call the deletion off first",
		}
	}
	if user.Disabled {
		c.ledger.State = stored.enabled()
	}
	instance.ledger.APIKeys.Remove(c.owner[:])
	return nil
}

// enabled is the state of the user while the user is not disabled.
func (u StoredUser) enabled() anchor.State {
	if u.RepairedAt.IsZero() {
		return anchor.Active
	}
	return anchor.Repaired
}

// recordUser names the user whose library it is as the target, and returns the user, and the
// instance's ledger, which is saved with the change.
func (c *change) recordUser(ctx context.Context) (StoredUser, User, *page, error) {
	stored, user, err := c.recordOwner(ctx)
	if err != nil {
		return StoredUser{}, User{}, nil, err
	}
	instance, err := c.also(ctx, instanceLibrary())
	return stored, user, instance, err
}

// recordOwner is recordUser for what does not concern the instance.
func (c *change) recordOwner(ctx context.Context) (StoredUser, User, error) {
	stored, user, err := c.self(ctx)
	if err == nil {
		c.record(user.target())
	}
	return stored, user, err
}

// checkStillIn returns an error if the caller's API key does not work any more: who was disabled or
// revoked in the meantime changes no other user. The operator has none.
func (c *change) checkStillIn(ctx context.Context, who Actor) error {
	if who.User == uuid.Nil {
		return nil
	}
	_, err := c.callersKey(ctx, who)
	return err
}

// checkEnabled refuses to give an API key to a user who is disabled.
func (p *page) checkEnabled() error {
	if p.ledger.State == anchor.Disabled {
		return &Error{Kind: Conflict, Detail: "The user is disabled: enable the user first"}
	}
	return nil
}
